"""Measure the built-in sweep plans, and write the results that `stridednet guide` shows.

    python benchmarks/measure_claims.py 101_ObjectCategories --clothing clothing.tar --until decided --jobs 2
    python benchmarks/measure_claims.py --from-archive

The first command trains, and adds the outcomes to benchmarks/claims: one file for each data set and plan. If it is
interrupted, the same command continues. On another machine, it adds repetitions to those that are in the files. The
second command trains nothing. Both write src/stridednet/conv2d/measured.toml, the figures in docs/images, and the
generated parts of docs/claims.md and docs/conv2d.md.
"""

import argparse
import dataclasses
import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from claim_times import merged, times_of
from measured_file import written
from outcome_archive import Archive, Machine, RememberedFolds, check_same_sweep, empty, header_of, outcomes_in, restore
from stridednet.conv2d.parameters import PARAMETERS
from stridednet.errors import StridedNetError
from stridednet.executor.backend import Backend
from stridednet.machine import device
from stridednet.sweeps.design import MOST_REPETITIONS, SweepDesign, Until
from stridednet.sweeps.experiment import run_design
from stridednet.sweeps.folds import Folds
from stridednet.sweeps.observer import SweepObserver
from stridednet.sweeps.plan import SweepPlan, builtin_plans
from stridednet.sweeps.trial import Outcome, trial_name

PROJECT = Path(__file__).parents[1]
ARCHIVES = PROJECT / "benchmarks" / "claims"
FOUR = ["Faces", "Leopards", "Motorbikes", "airplanes"]  # the tutorial's classes


@dataclass(frozen=True)
class DataSet:
    """A data set to measure on.

    Attributes:
        name: As pages show it.
        path: A folder or an archive.
        settings: Settings of all its sweeps.
        plans: The plans to measure on it.
    """

    name: str
    path: str
    settings: dict[str, Any]
    plans: tuple[str, ...]

    @property
    def short(self) -> str:
        """The name of its folders."""
        return self.name.partition(" ")[0]


class Screen(SweepObserver):
    """Print a line for each new trial."""

    def on_outcome(self, outcome: Outcome, *, restored: bool) -> None:
        """Print the trial's accuracy or error."""
        if not restored:
            print(f"  {trial_name(outcome)}: {outcome.error or f'{outcome.accuracy:.4f}'}", flush=True)


def plans() -> dict[str, SweepPlan]:
    """Return all built-in plans by name, ordered as the guide orders the parameters that they are about."""
    found = {name: SweepPlan.read(name) for name in builtin_plans()}
    ranks = [*(parameter.name for parameter in PARAMETERS), ""]
    return dict(sorted(found.items(), key=lambda item: ranks.index(item[1].parameter)))


def data_sets(chosen: argparse.Namespace) -> Iterator[DataSet]:
    """Yield the data sets that the command line names."""
    some = tuple(chosen.plans.split(",")) if chosen.plans else tuple(plans())
    # What is fastest is measured, and can change between the runs of a sweep that is continued.
    shared = {"precision": chosen.precision}
    if chosen.caltech101:
        yield DataSet("four classes", chosen.caltech101, {"data.labels": FOUR, **shared}, some)
    if chosen.clothing:
        yield DataSet("clothing", chosen.clothing, shared, some)
    if chosen.caltech101 and chosen.all_classes:
        yield DataSet(
            "101 classes", chosen.caltech101, {"image_size": 64, **shared}, tuple(chosen.all_classes.split(","))
        )


def measure(
    name: str,
    data: DataSet,
    *,
    folder: Path,
    archives: Path,
    seeds: int | None = None,
    folds: int | None = None,
    until: Until | None = None,
    jobs: int = 1,
    collect: bool = False,
    package: Path | None = None,
    rounds: int = 0,
    prepared: Folds | None = None,
) -> Archive:
    """Add the outcomes of a plan on a data set to its archive.

    Args:
        name: Of the plan.
        data: The data set.
        folder: The sweep's folder.
        archives: The folder of the archives.
        seeds: Number of repetitions; with ``until``, the greatest one.
        folds: Number of folds.
        until: Whether to stop once everything is decided.
        jobs: Number of trials that run at once.
        collect: Train nothing, and take the outcomes that are in the sweep's folder.
        package: The folder of the package that trained those, if it was another copy.
        rounds: Above 0: train nothing else than this number of short trainings for times, see `claim_times`.
        prepared: The data, which plans can share; None to prepare it.

    Raises:
        InputError: The archive is of another sweep.
    """
    path = archives / data.short / f"{name}.jsonl.xz"
    design = _design(SweepPlan.read(name), data, seeds=seeds, folds=folds, until=until)
    prepared = prepared or RememberedFolds()
    header = header_of(name, data.name, design, prepared)
    archive = Archive.read(path) if path.exists() else empty(header)
    check_same_sweep(archive, header, path)
    found: list[Outcome] = []
    if rounds:
        times = times_of(design, prepared, rounds, _this_machine().name)
        archive = dataclasses.replace(archive, times=merged(archive.times, times))
    elif collect:
        found = outcomes_in(folder, dataclasses.replace(design, seeds=seeds or MOST_REPETITIONS), prepared, package)
    else:
        restore(archive, design, prepared, folder)
        found = list(run_design(design, out=folder, jobs=jobs, observer=Screen()).outcomes)
    archive = archive.with_outcomes(header, found, _this_machine())
    if archive.outcomes:
        archive.write(path)
    return archive


def _design(
    plan: SweepPlan, data: DataSet, *, seeds: int | None, folds: int | None, until: Until | None
) -> SweepDesign:
    design = plan.design(data.path, seeds=seeds, folds=folds, until=until, settings=data.settings)
    return design.around(design.base.replace({"precision": Backend.choose(design.base.precision).precision}))


def _this_machine() -> Machine:
    used = device()
    cores = f"{used['cores']} core{'' if used['cores'] == 1 else 's'}"
    return Machine(f"{used['name']}, {cores}", dt.datetime.now(dt.UTC).date().isoformat())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("caltech101", nargs="?", help="CALTECH-101: its folder or archive")
    parser.add_argument("--clothing", help="the clothing data set: its folder or archive")
    parser.add_argument("--all-classes", metavar="PLANS", help="plans for all 101 classes, separated by commas")
    parser.add_argument("--plans", help="plans for the other data sets, separated by commas (default: all)")
    parser.add_argument("--seeds", type=int, help="number of repetitions (default: the plans')")
    parser.add_argument("--folds", type=int, help="number of folds (default: the plans')")
    parser.add_argument("--until", choices=["decided"], help="repeat until each effect is certain")
    parser.add_argument("--precision", choices=["auto", "float32", "bfloat16"], default="auto", help="of the sweeps")
    parser.add_argument("--jobs", type=int, default=1, help="number of trials that run at once")
    parser.add_argument("--out", type=Path, default=Path("runs/claims"), help="folder of the sweeps")
    parser.add_argument("--collect", action="store_true", help="train nothing; take the trials that are in --out")
    parser.add_argument("--trained-with", type=Path, help="with --collect: the package's folder, if it was another one")
    parser.add_argument("--times", type=int, default=0, metavar="N", help="measure only times, in N rounds, in turn")
    parser.add_argument("--from-archive", action="store_true", help="train nothing; use the archives as they are")
    parser.add_argument("--archives", type=Path, default=ARCHIVES, help="folder of the archives")
    parser.add_argument("--write", type=Path, help="file to write instead of the package's measured.toml and the pages")
    chosen = parser.parse_args()
    sets = [] if chosen.from_archive else list(data_sets(chosen))
    if not sets and not chosen.from_archive:
        parser.error("name a data set, or use --from-archive")
    for data in sets:
        prepared = RememberedFolds()
        for name in data.plans:
            print(f"{name}, {data.name}", flush=True)
            try:
                measure(
                    name,
                    data,
                    folder=chosen.out / data.short / name,
                    archives=chosen.archives,
                    seeds=chosen.seeds,
                    folds=chosen.folds,
                    until=chosen.until,
                    jobs=chosen.jobs,
                    collect=chosen.collect,
                    package=chosen.trained_with,
                    rounds=chosen.times,
                    prepared=prepared,
                )
            except StridedNetError as error:
                parser.exit(1, f"error: {error}\n")
    for path in written(chosen.archives, plans(), chosen.write):
        print(f"written: {path}")


if __name__ == "__main__":
    main()
