"""Measure all built-in sweep plans on CALTECH-101, and write the results that `stridednet guide --claims` shows.

    python benchmarks/measure_claims.py 101_ObjectCategories --jobs 2
    stridednet guide --claims --markdown

The first command writes src/stridednet/conv2d/measured.toml. If it is interrupted, the same command continues. The
second prints the generated part of docs/claims.md, below its introduction.
"""

import argparse
import math
from dataclasses import asdict
from pathlib import Path

import tomli_w

import stridednet
from stridednet.conv2d.measured import MeasuredClaim, Measurement
from stridednet.conv2d.parameters import PARAMETERS
from stridednet.sweeps.axes import text_of
from stridednet.sweeps.experiment import SweepResult, run_plan
from stridednet.sweeps.observer import SweepObserver
from stridednet.sweeps.plan import SweepPlan, builtin_plans
from stridednet.sweeps.trial import Outcome

MEASURED = Path(stridednet.__file__).parent / "conv2d" / "measured.toml"
DATA_SETS = {
    "four classes": "Faces,Leopards,Motorbikes,airplanes",  # the tutorial's
    # those with the fewest images, 31 to 35 each
    "ten classes": "binocular,garfield,gerenuk,inline_skate,metronome,octopus,platypus,snoopy,strawberry,wild_cat",
}


class Screen(SweepObserver):
    """Print a line for each new trial."""

    def on_outcome(self, outcome: Outcome, *, restored: bool) -> None:
        """Print the trial's accuracy or error."""
        if not restored:
            print(f"  {outcome.variant}, seed {outcome.seed}: {outcome.error or f'{outcome.accuracy:.4f}'}", flush=True)


def plans() -> dict[str, SweepPlan]:
    """Return all built-in plans by name, ordered as the guide orders the parameters that they are about."""
    found = {name: SweepPlan.read(name) for name in builtin_plans()}
    ranks = [*(parameter.name for parameter in PARAMETERS), ""]
    return dict(sorted(found.items(), key=lambda item: ranks.index(item[1].parameter)))


def measured(name: str, plan: SweepPlan, results: dict[str, SweepResult]) -> MeasuredClaim:
    """Return the claim of a plan with its results, by data set."""
    base = plan.design(None).base
    keys = dict.fromkeys([*plan.base, *plan.vary])
    return MeasuredClaim(
        name=name,
        claim=plan.claim,
        parameter=plan.parameter,
        recipe=plan.recipe,
        base=tuple(f"{key}={text_of(base.value_of(key))}" for key in keys),
        seconds=round(sum(outcome.seconds for result in results.values() for outcome in result.outcomes), 1),
        measurements=tuple(row for data, result in results.items() for row in measurements(data, result, plan)),
    )


def measurements(data: str, result: SweepResult, plan: SweepPlan) -> list[Measurement]:
    """Return a row for each variant but the base."""
    base, *others = result.comparisons
    rows = []
    for other in others:
        found, name = other.difference, other.variant.name
        if found is None or math.isnan(found.low):
            raise SystemExit(f"{name} on {data}: no interval; {other.failures or 'use two seeds or more'}")
        if other.time_ratio is None:
            raise SystemExit(f"{name} on {data}: its trials and the base's ran on different numbers of cores")
        rows.append(
            Measurement(
                data=data,
                variant=name,
                expected=plan.expect.get(name, ""),
                verdict=result.verdicts.get(name, ""),
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
    parser.add_argument("--jobs", type=int, default=1, help="number of trials that run at once")
    parser.add_argument("--seeds", type=int, help="number of seeds (default: the plans')")
    parser.add_argument("--out", type=Path, default=Path("runs/claims"), help="folder of the sweeps")
    parser.add_argument("--write", type=Path, default=MEASURED, help="file to write (default: the package's)")
    chosen = parser.parse_args()

    claims = []
    for name, plan in plans().items():
        results = {}
        for data, labels in DATA_SETS.items():
            print(f"{name}, {data}", flush=True)
            results[data] = run_plan(
                plan,
                chosen.caltech101,
                seeds=chosen.seeds,
                settings={"data.labels": labels.split(",")},
                jobs=chosen.jobs,
                out=chosen.out / data.partition(" ")[0] / name,
                observer=Screen(),
            )
        claims.append(asdict(measured(name, plan, results)))
    head = "# Written by benchmarks/measure_claims.py, and read by measured.py.\n\n"
    chosen.write.write_text(head + tomli_w.dumps({"claim": claims}), encoding="utf-8")
    print(f"written: {chosen.write}")


if __name__ == "__main__":
    main()
