"""sweep(): every variant with every seed, paired, and gone on with after an interruption."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stridednet.errors import InputError
from stridednet.models.catalogue import check_model
from stridednet.pipeline import settle
from stridednet.recipe import Recipe
from stridednet.storage import written_whole
from stridednet.sweeps.axes import Axis, Variant, parse_axes, text_of, variants
from stridednet.sweeps.comparison import Comparison, compare
from stridednet.sweeps.folds import Folds
from stridednet.sweeps.report import write_report
from stridednet.sweeps.runner import InTurn, Runner
from stridednet.sweeps.side_by_side import SideBySide
from stridednet.sweeps.trial import Outcome, Trial
from stridednet.training.observer import Observer

SWEEPS = Path("runs/sweep")
DEFAULT_RECIPE = "fast"
DEFAULT_SEEDS = 5


@dataclass(frozen=True)
class SweepResult:
    """A finished sweep: its folder, what came of each trial, and the comparison of each variant with the base."""

    folder: Path
    outcomes: tuple[Outcome, ...]
    comparisons: tuple[Comparison, ...]
    sentences: tuple[str, ...]


class SweepObserver:
    """Hears what a sweep does; this one says nothing."""

    def on_message(self, text: str) -> None:
        """Hear something worth knowing, in one line."""

    def on_start(self, variants: Sequence[Variant], trials: int) -> None:
        """Hear what will be trained."""

    def on_outcome(self, outcome: Outcome, *, again: bool) -> None:
        """Hear what came of a trial; ``again``: it was finished before."""

    def on_end(self) -> None:
        """Hear that no more trials will be trained, whether all of them were or not."""


def sweep(
    dataset: str | os.PathLike[str] | None,
    vary: Sequence[str] | Mapping[str, Sequence[Any]],
    *,
    seeds: int = DEFAULT_SEEDS,
    recipe: str | os.PathLike[str] = DEFAULT_RECIPE,
    settings: Mapping[str, Any] | None = None,
    one_at_a_time: bool = False,
    out: str | os.PathLike[str] | None = None,
    observer: SweepObserver | None = None,
    jobs: int = 1,
    runner: Runner | None = None,
) -> SweepResult:
    """Measure what settings do, on one's own pictures.

    For each seed a val subset is drawn anew from the training images, a quarter of them unless ``data.test_size`` says
    otherwise. All variants of a seed have the same pictures in the same order with the same warps, and the same first
    weights where shapes allow. The test subset is not looked at.

    Args:
        dataset: A folder of class folders, an archive of one, or a name; None for the recipe's.
        vary: Axes, each as ``KEY=V1,V2,...``, or a mapping from keys to values.
        seeds: How often everything is repeated.
        recipe: The base: a recipe's name, or a TOML file.
        settings: Settings by dotted key that change the base.
        one_at_a_time: Vary each axis around the base, without combinations.
        out: The folder; None for one below ``runs/sweep``. Trials that are finished in it are not repeated.
        observer: Told what happens.
        jobs: How many trials run at once, each in a process with its share of the cores.
        runner: Runs the trials; None for what ``jobs`` says.

    Raises:
        InputError: An axis, a setting or the data set is wrong; nothing was trained.
        StorageError: The disk is full; the same call goes on when there is room.
    """
    observer = observer or SweepObserver()
    if seeds < 1:
        raise InputError(f"a sweep has at least 1 seed. Received: {seeds}")
    axes = parse_axes(vary)
    runner = runner or (InTurn() if jobs == 1 else SideBySide(jobs))
    talking = _Messages(observer.on_message)
    base = settle(dataset, recipe, settings, talking)
    chosen = variants(base, axes, one_at_a_time=one_at_a_time)
    for variant in chosen:
        check_model(variant.recipe(base).model)
    folder = Path(out) if out is not None else SWEEPS / _name(base, axes)
    trials = list(_trials(base, chosen, seeds, observer.on_message))
    observer.on_start(chosen, len(trials))
    outcomes: dict[str, Outcome] = {}
    try:
        for trial, outcome, again in _outcomes(trials, folder, runner):
            outcomes[trial.key] = outcome
            observer.on_outcome(outcome, again=again)
    finally:
        observer.on_end()
    ordered = tuple(outcomes[trial.key] for trial in trials)
    comparisons = compare(chosen, ordered)
    base_values = {axis.key: text_of(base.value_of(axis.key)) for axis in axes}
    sentences = tuple(comparison.sentence(base_values) for comparison in comparisons[1:])
    write_report(folder, base, ordered, comparisons, sentences)
    return SweepResult(folder, ordered, comparisons, sentences)


def _trials(base: Recipe, chosen: Sequence[Variant], seeds: int, say: Callable[[str], None]) -> Iterator[Trial]:
    folds = Folds(say)
    for seed in range(seeds):
        for variant in chosen:
            recipe = variant.recipe(base).replace({"seed": seed})
            data = folds.of(recipe)
            yield Trial(variant, seed, recipe.sized(len(data.split.train), len(data.labels)), data)


def _outcomes(trials: Sequence[Trial], folder: Path, runner: Runner) -> Iterator[tuple[Trial, Outcome, bool]]:
    """Yield what is finished already, then what is not; each is written down whole before anyone hears of it."""
    waiting = []
    for trial in trials:
        file = folder / "trials" / f"{trial.key}.json"
        if file.is_file():
            yield trial, Outcome.from_json(file.read_text(encoding="utf-8")), True
        else:
            waiting.append(trial)
    for trial, outcome in runner.run(waiting):
        if not outcome.error:  # what failed is tried again the next time
            with written_whole(folder / "trials" / f"{trial.key}.json") as beside:
                beside.write_text(outcome.to_json(), encoding="utf-8")
        yield trial, outcome, False


class _Messages(Observer):
    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def on_message(self, text: str) -> None:
        self._say(text)


def _name(base: Recipe, axes: Sequence[Axis]) -> str:
    keys = "-".join(axis.key.rpartition(".")[2] for axis in axes)
    return f"{Path(base.data.dataset).name}-{keys}"
