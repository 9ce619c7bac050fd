"""Measure all claims on CALTECH-101, and write down what came of it for `stridednet guide`.

    python examples/claims/measure.py 101_ObjectCategories --jobs 2
    stridednet guide --claims --markdown > docs/claims.md

Run it where the project's root is. It goes on where it was stopped.
"""

import argparse
import math
from dataclasses import asdict
from pathlib import Path

import tomli_w

import stridednet
from stridednet.conv2d.measured import MeasuredClaim, Measurement
from stridednet.conv2d.parameters import PARAMETERS
from stridednet.recipe import load_recipe
from stridednet.sweeps.axes import text_of
from stridednet.sweeps.claims import verdict
from stridednet.sweeps.experiment import SweepObserver, SweepResult
from stridednet.sweeps.plan import SweepPlan
from stridednet.sweeps.trial import Outcome

HERE = Path(__file__).parent
MEASURED = Path(stridednet.__file__).parent / "conv2d" / "measured.toml"
DATA_SETS = {
    "four classes": "Faces,Leopards,Motorbikes,airplanes",  # the tutorial's
    # those with the fewest images, 31 to 35 each
    "ten classes": "binocular,garfield,gerenuk,inline_skate,metronome,octopus,platypus,snoopy,strawberry,wild_cat",
}


class Screen(SweepObserver):
    """Prints a line for each trial."""

    def on_outcome(self, outcome: Outcome, *, restored: bool) -> None:
        if not restored:
            print(f"  {outcome.variant}, seed {outcome.seed}: {outcome.error or f'{outcome.accuracy:.4f}'}", flush=True)


def plans() -> dict[str, SweepPlan]:
    """Return all sweep files by name: those about the parameters that matter most come first."""
    found = {path.stem: SweepPlan.read(path) for path in sorted(HERE.glob("*.toml"))}
    ranks = [*(parameter.name for parameter in PARAMETERS), ""]
    return dict(sorted(found.items(), key=lambda item: ranks.index(item[1].parameter)))


def measure(name: str, plan: SweepPlan, results: dict[str, SweepResult]) -> MeasuredClaim:
    base = load_recipe(plan.recipe)[0].replace(plan.base)
    keys = dict.fromkeys([*plan.base, *plan.vary])
    return MeasuredClaim(
        name=name,
        claim=plan.claim,
        parameter=plan.parameter,
        recipe=plan.recipe,
        base=tuple(f"{key}={text_of(base.value_of(key))}" for key in keys),
        seconds=round(sum(outcome.seconds for result in results.values() for outcome in result.outcomes), 1),
        measurements=tuple(row for data, result in results.items() for row in _measurements(data, result, plan)),
    )


def _measurements(data: str, result: SweepResult, plan: SweepPlan) -> list[Measurement]:
    base, *others = result.comparisons
    rows = []
    for other in others:
        found, name = other.difference, other.variant.name
        if found is None or math.isnan(found.low):
            raise SystemExit(f"{name} on {data}: nothing to compare; {other.failures or 'take two seeds or more'}")
        if other.time_ratio is None:
            raise SystemExit(f"{name} on {data}: its trials and the base's ran on different numbers of cores")
        expected = plan.expect.get(name)
        rows.append(
            Measurement(
                data=data,
                variant=name,
                expected=expected or "",
                verdict=verdict(expected, found) if expected else "",
                accuracy=round(other.accuracy, 4),
                base_accuracy=round(base.accuracy, 4),
                difference=round(found.mean, 4),
                low=round(found.low, 4),
                high=round(found.high, 4),
                seeds=found.count,
                time_ratio=round(other.time_ratio, 2),
                parameter_ratio=round(other.parameter_ratio, 2),
                multiply_add_ratio=round(other.multiply_add_ratio, 2),
            )
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("caltech101", type=Path, help="the folder 101_ObjectCategories")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seeds", type=int, help="other than the plans say")
    parser.add_argument("--out", type=Path, default=Path("runs/claims"))
    parser.add_argument("--write", type=Path, default=MEASURED)
    chosen = parser.parse_args()

    measured = []
    for name, plan in plans().items():
        results = {}
        for data, labels in DATA_SETS.items():
            print(f"{name}, {data}", flush=True)
            results[data] = stridednet.sweep(
                chosen.caltech101,
                plan.vary,
                seeds=chosen.seeds or plan.seeds,
                jobs=chosen.jobs,
                recipe=plan.recipe,
                settings=plan.base | {"data.labels": labels.split(",")},
                one_at_a_time=plan.one_at_a_time,
                out=chosen.out / data.partition(" ")[0] / name,
                observer=Screen(),
            )
        measured.append(asdict(measure(name, plan, results)))
    head = "# Written by examples/claims/measure.py, and read by measured.py.\n\n"
    chosen.write.write_text(head + tomli_w.dumps({"claim": measured}), encoding="utf-8")
    print(f"written: {chosen.write}")


if __name__ == "__main__":
    main()
