"""`sweep` and `run_plan`: train every variant on every fold, compare in pairs, continue if interrupted."""

import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stridednet.data.archive import dataset_name
from stridednet.data.fold_assignment import Fold
from stridednet.data.scan import results_inside
from stridednet.environment import check_keras
from stridednet.errors import FigureError
from stridednet.executor.backend import Backend
from stridednet.lock import locked
from stridednet.models.catalogue import check_model
from stridednet.recipe import Recipe
from stridednet.storage import check_writable, user_path, written_whole
from stridednet.sweeps.axes import text_of
from stridednet.sweeps.claims import Verdict, verdict
from stridednet.sweeps.comparison import Comparison, compare
from stridednet.sweeps.design import DEFAULT_FOLDS, DEFAULT_RECIPE, DEFAULT_SEEDS, SweepDesign, design_sweep
from stridednet.sweeps.effect import MARGIN
from stridednet.sweeps.folds import Folds
from stridednet.sweeps.observer import SweepObserver
from stridednet.sweeps.plan import SweepPlan
from stridednet.sweeps.report import write_report
from stridednet.sweeps.runner import InTurn, Runner
from stridednet.sweeps.side_by_side import SideBySide
from stridednet.sweeps.trial import Outcome, Trial

SWEEPS = Path("runs/sweep")


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
    seeds: int = DEFAULT_SEEDS,
    folds: int = DEFAULT_FOLDS,
    margin: float = MARGIN,
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
        seeds: Number of repetitions, each with other seeds and other folds.
        folds: Number of folds; in each repetition, every variant is trained once for each.
        margin: Differences in accuracy up to this size count as none.
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
        dataset, seeds=seeds, folds=folds, margin=margin, recipe=recipe, settings=settings, trust=trust
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
    runner = runner or (InTurn() if jobs == 1 else SideBySide(jobs))
    for message in design.messages:
        observer.on_message(message)
    check_keras()
    backend = Backend.choose(design.base.precision)
    if backend.problem:
        observer.on_message(backend.problem)
    # The concrete precision can change which values differ from the base.
    design = design.around(design.base.replace({"precision": backend.precision}))
    for variant in design.variants:
        check_model(variant.recipe(design.base).model)
    folder = user_path(out, "out") if out is not None else SWEEPS / _name(design)
    check_writable(folder, "choose another folder with `out`")
    warning = results_inside(design.base.data.dataset, folder)
    if warning:
        observer.on_message(warning)
    with locked(folder, "sweep"):  # before the data is prepared, which can take minutes
        trials = list(_trials(design, observer.on_message))
        return _run_trials(design, trials, folder, runner, observer, backend.device.type)


def _run_trials(
    design: SweepDesign,
    trials: Sequence[Trial],
    folder: Path,
    runner: Runner,
    observer: SweepObserver,
    device_kind: str,
) -> SweepResult:
    observer.on_start(design.variants, len(trials))
    outcomes: dict[tuple[str, Fold], Outcome] = {}
    try:
        for trial, outcome, restored in _outcomes(trials, folder, runner):
            outcomes[trial.variant.name, trial.fold] = outcome
            observer.on_outcome(outcome, restored=restored)
    finally:
        observer.on_end()
    result = _result(design, folder, tuple(outcomes[trial.variant.name, trial.fold] for trial in trials))
    problems = write_report(
        folder,
        design.base,
        result.outcomes,
        result.comparisons,
        result.sentences,
        claim=design.claim,
        expect=design.expect,
        verdicts=result.verdicts,
        device_kind=device_kind,
    )
    if problems:
        raise FigureError(f"the sweep {folder} is finished, but {'; '.join(problems)}", result)
    return result


def _result(design: SweepDesign, folder: Path, outcomes: tuple[Outcome, ...]) -> SweepResult:
    comparisons = compare(design.variants, outcomes, margin=design.margin)
    base_values = {axis.key: text_of(design.base.value_of(axis.key)) for axis in design.axes}
    sentences = tuple(comparison.sentence(base_values) for comparison in comparisons[1:])
    differences = {comparison.variant.name: comparison.difference for comparison in comparisons}
    verdicts = {name: verdict(expected, differences[name], design.margin) for name, expected in design.expect.items()}
    return SweepResult(folder, outcomes, comparisons, sentences, design.claim, verdicts)


def _trials(design: SweepDesign, say: Callable[[str], None]) -> Iterator[Trial]:
    prepared = Folds(say)
    for repetition in range(design.seeds):
        for number in range(design.folds):
            fold = Fold(repetition, number, design.folds)
            for variant in design.variants:
                recipe = variant.recipe(design.base).replace({"seed": repetition * design.folds + number})
                data = prepared.of(recipe, fold)
                yield Trial(variant, fold, recipe.sized(len(data.split.train), len(data.labels)), data)


def _outcomes(trials: Sequence[Trial], folder: Path, runner: Runner) -> Iterator[tuple[Trial, Outcome, bool]]:
    """Yield the restored outcomes, then the new ones; each of these is on disk before it is yielded."""
    waiting = []
    for trial in trials:
        file = folder / "trials" / f"{trial.key}.json"
        if file.is_file():
            # A sweep around another base may have trained the same recipe under another variant's name.
            outcome = Outcome.from_json(file.read_text(encoding="utf-8"))
            yield trial, dataclasses.replace(outcome, variant=trial.variant.name), True
        else:
            waiting.append(trial)
    for trial, outcome in runner.run(waiting):
        if not outcome.error:  # failed trials are repeated by the next call
            with written_whole(folder / "trials" / f"{trial.key}.json") as beside:
                beside.write_text(outcome.to_json(), encoding="utf-8")
        yield trial, outcome, False


def _name(design: SweepDesign) -> str:
    keys = "-".join(axis.key.rpartition(".")[2] for axis in design.axes)
    return f"{dataset_name(design.base.data.dataset)}-{keys}"
