"""`sweep` and `run_plan`: train every variant on every fold, compare in pairs, continue if interrupted."""

import os
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stridednet.data.archive import dataset_name
from stridednet.data.scan import results_inside
from stridednet.environment import check_keras
from stridednet.errors import FigureError, InputError
from stridednet.executor.backend import Backend
from stridednet.lock import locked
from stridednet.models.catalogue import check_model
from stridednet.recipe import Recipe, load_recipe
from stridednet.settings import Precision
from stridednet.storage import check_writable, user_path, write_text
from stridednet.sweeps.axes import text_of
from stridednet.sweeps.budget import Budget, forecast
from stridednet.sweeps.claims import Verdict, verdict
from stridednet.sweeps.comparison import Comparison
from stridednet.sweeps.design import DEFAULT_FOLDS, DEFAULT_RECIPE, SweepDesign, Until, design_sweep
from stridednet.sweeps.effect import MARGIN
from stridednet.sweeps.folds import Folds
from stridednet.sweeps.observer import SweepObserver
from stridednet.sweeps.plan import SweepPlan
from stridednet.sweeps.report import write_report
from stridednet.sweeps.runner import Runner
from stridednet.sweeps.schedule import Schedule
from stridednet.sweeps.side_by_side import runner_of
from stridednet.sweeps.trial import Outcome
from stridednet.sweeps.trial_store import TrialStore

SWEEPS = Path("runs/sweep")
_BASE = "base.toml"


@dataclass(frozen=True)
class SweepResult:
    """A finished sweep.

    Args:
        folder: The sweep's folder, with the report, tables and figures.
        outcomes: One for each trial: ordered by repetition and fold, then by variant.
        comparisons: One for each variant: the base first, which is compared with nothing.
        sentences: The comparison of each other variant with the base, as a sentence.
        claim: The statement that was tested; empty if there was none.
        verdicts: Whether each expectation of the claim holds, by variant name.

    Examples:
        >>> import tempfile
        >>> tiny = {"epochs": 1, "data.train_per_class": 8, "model.filters": [8], "model.dense_units": 16}
        >>> result = sweep("digits", ["model.stem_kernel=3"], seeds=1, folds=2, settings=tiny, out=tempfile.mkdtemp())
        >>> [outcome.variant for outcome in result.outcomes]
        ['base', 'model.stem_kernel=3', 'base', 'model.stem_kernel=3']
    """

    folder: Path
    outcomes: tuple[Outcome, ...]
    comparisons: tuple[Comparison, ...]
    sentences: tuple[str, ...]
    claim: str
    verdicts: Mapping[str, Verdict]


def sweep(
    dataset: str | os.PathLike[str] | None,
    vary: Sequence[str] | Mapping[str, Sequence[Any]],
    *,
    seeds: int | None = None,
    folds: int = DEFAULT_FOLDS,
    margin: float = MARGIN,
    until: Until | None = None,
    budget: float | None = None,
    recipe: str | os.PathLike[str] | Recipe = DEFAULT_RECIPE,
    settings: Mapping[str, Any] | None = None,
    one_at_a_time: bool = False,
    out: str | os.PathLike[str] | None = None,
    observer: SweepObserver | None = None,
    jobs: int = 1,
    runner: Runner | None = None,
    trust: bool = False,
) -> SweepResult:
    """Measure the effect of settings on accuracy and cost, on your own images.

    In each repetition, the training images are divided into folds, stratified by class and with copies together, and
    each fold is measured by models that were trained on the others: so each image is measured once. All variants of
    a fold are trained on the same images in the same order with the same augmentation, and start from the same weights
    where shapes allow. The test subset is not used.

    Args:
        dataset: A data set folder, an archive of one, or the name of a built-in data set; None for the recipe's.
        vary: Axes, each as ``KEY=V1,V2,...``, or a mapping from keys to values.
        seeds: Number of repetitions, each with other seeds and other folds; None for 2, or with ``until`` or
            ``budget`` for at most 12.
        folds: Number of folds; in each repetition, every variant is trained once for each.
        margin: Differences in accuracy up to this size count as none.
        until: ``"decided"`` to repeat until each effect is certain, or certain to remain undecided. The intervals are
            then valid at whatever repetition the sweep stops.
        budget: Seconds after which the sweep ends, if not all is decided earlier.
        recipe: The base: a recipe, the name of a built-in one, or a TOML file.
        settings: Settings by dotted key that override the base recipe's.
        one_at_a_time: Vary one axis at a time around the base instead of all combinations.
        out: The sweep's folder; None for one in ``runs/sweep``. Finished trials in it are not repeated.
        observer: Is notified of messages and finished trials.
        jobs: Number of trials that run at once, each in a process of its own with its share of the cores.
        runner: Runs the trials; None for the runner that ``jobs`` implies.
        trust: Whether a recipe in a TOML file may name Python code as its model, which can do everything that you can
            do.

    Returns:
        The comparison of each variant with the base. The same numbers are in the sweep's folder.

    Raises:
        InputError: An argument, an axis, a setting or the data set is wrong; nothing was trained.
        StorageError: The disk is full or not writable; the same call continues once that is fixed.
        RunError: Another process is writing to the sweep's folder.
        FigureError: The sweep is finished, but for a figure.

    Examples:
        >>> import tempfile
        >>> from stridednet.sweeps.experiment import sweep
        >>> tiny = {"epochs": 1, "data.train_per_class": 8, "model.filters": [8], "model.dense_units": 16}
        >>> with tempfile.TemporaryDirectory() as out:
        ...     result = sweep("digits", {"model.stem_kernel": [3, 5]}, seeds=1, folds=2, settings=tiny, out=out)
        >>> [comparison.variant.name for comparison in result.comparisons]
        ['base', 'model.stem_kernel=3', 'model.stem_kernel=5']
    """
    design = design_sweep(
        dataset,
        vary,
        seeds=seeds,
        folds=folds,
        margin=margin,
        until=until,
        budget=budget,
        recipe=recipe,
        settings=settings,
        one_at_a_time=one_at_a_time,
        trust=trust,
    )
    return run_design(design, out=out, observer=observer, jobs=jobs, runner=runner)


def run_plan(
    plan: SweepPlan | str | os.PathLike[str],
    dataset: str | os.PathLike[str] | None,
    *,
    seeds: int | None = None,
    folds: int | None = None,
    margin: float | None = None,
    until: Until | None = None,
    budget: float | None = None,
    recipe: str | os.PathLike[str] | Recipe | None = None,
    settings: Mapping[str, Any] | None = None,
    out: str | os.PathLike[str] | None = None,
    observer: SweepObserver | None = None,
    jobs: int = 1,
    runner: Runner | None = None,
    trust: bool = False,
) -> SweepResult:
    """Run a sweep plan, and judge its claim.

    Args:
        plan: The name of a built-in plan, a TOML file, or a plan in memory.
        dataset: A data set folder, an archive of one, or the name of a built-in data set; None for the recipe's.
        seeds: Number of repetitions; None for the plan's.
        folds: Number of folds; None for the plan's.
        margin: Differences in accuracy up to this size count as none; None for the plan's.
        until: ``"decided"`` to repeat until each effect is certain, or certain to remain undecided.
        budget: Seconds after which the sweep ends, if not all is decided earlier.
        recipe: The base: a recipe, the name of a built-in one, or a TOML file; None for the plan's.
        settings: Settings by dotted key, in addition to those of the plan's base.
        out: The sweep's folder; None for one in ``runs/sweep``. Finished trials in it are not repeated.
        observer: Is notified of messages and finished trials.
        jobs: Number of trials that run at once, each in a process of its own with its share of the cores.
        runner: Runs the trials; None for the runner that ``jobs`` implies.
        trust: Whether a plan or recipe in a TOML file may name Python code as a model, which can do everything that you
            can do.

    Returns:
        The comparison of each variant with the base, and the verdict on each expectation of the claim.

    Raises:
        InputError: There is no such plan, or something in it, an argument or the data set is wrong; nothing was
            trained.
        StorageError: The disk is full or not writable; the same call continues once that is fixed.
        RunError: Another process is writing to the sweep's folder.
        FigureError: The sweep is finished, but for a figure.

    Examples:
        >>> import tempfile
        >>> from stridednet.sweeps.experiment import run_plan
        >>> tiny = {"epochs": 1, "data.train_per_class": 8, "model.filters": [8], "model.dense_units": 16}
        >>> with tempfile.TemporaryDirectory() as out:
        ...     result = run_plan("strides", "digits", seeds=1, folds=2, settings=tiny, out=out)
        >>> result.verdicts  # so short a training decides nothing
        {'model.downsample=strides': 'undecided'}
    """
    found = plan if isinstance(plan, SweepPlan) else SweepPlan.read(plan, trust=trust)
    design = found.design(
        dataset,
        seeds=seeds,
        folds=folds,
        margin=margin,
        until=until,
        budget=budget,
        recipe=recipe,
        settings=settings,
        trust=trust,
    )
    return run_design(design, out=out, observer=observer, jobs=jobs, runner=runner)


def run_design(
    design: SweepDesign,
    *,
    out: str | os.PathLike[str] | None = None,
    observer: SweepObserver | None = None,
    jobs: int = 1,
    runner: Runner | None = None,
) -> SweepResult:
    """Train what a design describes, and write the sweep's folder; arguments and errors as in `sweep`."""
    observer = observer or SweepObserver()
    chosen = runner_of(jobs) if runner is None else nullcontext(runner)
    clock = Budget(design.budget, jobs)
    for message in design.messages:
        observer.on_message(message)
    check_keras()
    backend = Backend.choose(design.base.precision)
    if backend.problem:
        observer.on_message(backend.problem)
    folder = user_path(out, "out") if out is not None else SWEEPS / _name(design)
    if design.base.precision == "auto":
        backend = Backend.choose(_earlier_precision(folder) or backend.precision)
    # The concrete precision can change which values differ from the base.
    design = design.around(design.base.replace({"precision": backend.precision}))
    for variant in design.variants:
        check_model(variant.recipe(design.base).model)
    check_writable(folder, "choose another folder with `out`")
    warning = results_inside(design.base.data.dataset, folder)
    if warning:
        observer.on_message(warning)
    with chosen as running, locked(folder, "sweep"):  # before the data is prepared, which can take minutes
        write_text(folder / _BASE, design.base.to_toml())
        schedule = Schedule(design, Folds(observer.on_message), observer.on_message)
        _run_rounds(schedule, TrialStore(folder), running, clock, observer, design)
        return _written(design, schedule, folder, backend.device.type)


def _earlier_precision(folder: Path) -> Precision | None:
    """Return the precision of an earlier call: which one is faster is measured, and changes while a machine is busy."""
    try:
        return load_recipe(folder / _BASE)[0].precision
    except InputError:  # this is the first call, or the file is of another version
        return None


def _run_rounds(
    schedule: Schedule,
    store: TrialStore,
    runner: Runner,
    clock: Budget,
    observer: SweepObserver,
    design: SweepDesign,
) -> None:
    """Run all trials of a schedule that are not in the store, as long as the budget lasts."""

    def finished(outcome: Outcome, *, restored: bool) -> None:
        schedule.outcomes.append(outcome)
        clock.count(outcome, restored=restored)
        observer.on_outcome(outcome, restored=restored)
        if design.budget is not None and len(schedule.outcomes) == pilot:
            most = clock.repetitions([variant.name for variant in design.variants], design.folds)
            observer.on_message(forecast(schedule.comparisons(), most, design.seeds, design.folds))

    pilot = 2 * len(design.variants)  # two folds, from which the variance of trainings can be estimated
    started = False
    try:
        for trials in schedule.rounds():
            if not started:
                observer.on_start(design.variants, schedule.most_trials)
                started = True
            known = [(trial, store.restored(trial)) for trial in trials]
            for _, outcome in known:
                if outcome is not None:
                    finished(outcome, restored=True)
            waiting = [trial for trial, outcome in known if outcome is None]
            for _, outcome in store.run(clock.affordable(waiting), runner):
                finished(outcome, restored=False)
            if clock.over:
                observer.on_message("the budget is used up")
                break
    finally:
        if started:
            observer.on_end()


def _written(design: SweepDesign, schedule: Schedule, folder: Path, device_kind: str) -> SweepResult:
    result = _result(design, folder, schedule)
    problems = write_report(
        folder,
        design,
        result.outcomes,
        result.comparisons,
        result.sentences,
        verdicts=result.verdicts,
        device_kind=device_kind,
    )
    if problems:
        raise FigureError(f"the sweep {folder} is finished, but {'; '.join(problems)}", result)
    return result


def _result(design: SweepDesign, folder: Path, schedule: Schedule) -> SweepResult:
    comparisons = schedule.comparisons()
    places = {variant.name: place for place, variant in enumerate(design.variants)}
    outcomes = sorted(schedule.outcomes, key=lambda one: (one.repetition, one.fold, places[one.variant]))
    base_values = {axis.key: text_of(design.base.value_of(axis.key)) for axis in design.axes}
    sentences = tuple(comparison.sentence(base_values) for comparison in comparisons[1:])
    differences = {comparison.variant.name: comparison.difference for comparison in comparisons}
    verdicts = {name: verdict(expected, differences[name], design.margin) for name, expected in design.expect.items()}
    return SweepResult(folder, tuple(outcomes), comparisons, sentences, design.claim, verdicts)


def _name(design: SweepDesign) -> str:
    keys = "-".join(axis.key.rpartition(".")[2] for axis in design.axes)
    return f"{dataset_name(design.base.data.dataset)}-{keys}"
