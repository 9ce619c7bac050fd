"""Repeat `stridednet.tune` over random splits, and compare the promised gains with those on test.

    python benchmarks/tune_bias.py clothing --budget 10m
    python benchmarks/tune_bias.py 101_ObjectCategories --labels crocodile,crocodile_head,lotus,water_lilly --budget 5m

If promises are honest, the mean of promised minus measured gain is not above 0. Splits on which nothing was adopted
promise nothing, and are listed without a gain. If the program is interrupted, the same command continues.

Differences between splits are not independent, since their test subsets overlap; the interval of the mean (Student's t)
is therefore somewhat too narrow.
"""

import argparse
import math
import statistics
from pathlib import Path

from scipy.stats import t

import stridednet
from stridednet.cli.duration import parse_duration
from stridednet.recipe import parse_override
from stridednet.tuning.result import TuneResult


def main() -> None:
    """Print a line for each split, and the mean difference."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset")
    parser.add_argument("--budget", default="10m", help="of each split")
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--labels", help="classes, separated by commas")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("runs/tune_bias"))
    options = parser.parse_args()
    settings = dict(map(parse_override, options.set))
    if options.labels:
        settings["data.labels"] = tuple(options.labels.split(","))
    rows = []
    for split in range(options.splits):
        result = stridednet.tune(
            options.dataset,
            budget=parse_duration(options.budget),
            settings=settings | {"data.split_seed": split},
            out=options.out / f"split-{split}",
            jobs=options.jobs,
        )
        print(f"split {split}: {result.sentence} ({result.seconds:.0f} s)", flush=True)
        row = gains(result)
        if row is not None:
            rows.append(row)
    print(f"\nadopted on {len(rows)} of {options.splits} splits")
    for name, differences in (
        ("promised", [promised for promised, _, _ in rows]),
        ("measured out of fold", [out_of_fold for _, out_of_fold, _ in rows]),
        ("measured on test", [measured for _, _, measured in rows]),
        ("promised minus test", [promised - measured for promised, _, measured in rows]),
        ("out of fold minus test", [out_of_fold - measured for _, out_of_fold, measured in rows]),
    ):
        print(f"{name}: {mean_text(differences)}")


def gains(result: TuneResult) -> tuple[float, float, float] | None:
    """Return the promised gain, what was measured out of fold, and the gain on test; None if nothing was adopted."""
    if result.confirmed is None or result.confirmed.promise is None or result.test is None:
        return None
    return result.confirmed.promise.gain, result.confirmed.difference.mean, result.test.difference


def mean_text(values: list[float]) -> str:
    """Return the mean of fractions in points, with its 95% interval."""
    if not values:
        return "-"
    mean = 100 * statistics.fmean(values)
    if len(values) == 1:
        return f"{mean:+.2f} points (n = 1)"
    half = 100 * float(t.ppf(0.975, len(values) - 1)) * statistics.stdev(values) / math.sqrt(len(values))
    return f"{mean:+.2f} points ({mean - half:+.2f} to {mean + half:+.2f}, n = {len(values)})"


if __name__ == "__main__":
    main()
