"""train() and resume(): the only place where data, model, training and reports are combined."""

import os
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from stridednet.data.balance import advice
from stridednet.data.prepare import TrainingData, prepare
from stridednet.data.scan import printable, results_inside
from stridednet.data.tree import shown
from stridednet.deploy.portable import portable_model
from stridednet.deploy.portable_file import write_portable
from stridednet.environment import check_keras
from stridednet.errors import FigureError, RunError, StorageError
from stridednet.evaluation.classification import Classification, classify
from stridednet.evaluation.figures import check_figure
from stridednet.evaluation.illustrate import illustrate
from stridednet.evaluation.of_training import TrainingEvaluation
from stridednet.evaluation.page.evaluated import Material
from stridednet.evaluation.report import build_report
from stridednet.executor.backend import Backend
from stridednet.executor.trainer import Trainer
from stridednet.models.catalogue import check_model
from stridednet.models.own_model import check_named_by
from stridednet.models.pretrained import origin_of
from stridednet.racing.race import run_race
from stridednet.recipe import DEFAULT_RECIPE, Recipe
from stridednet.resolve import Resolution, moved, resolve
from stridednet.run import Run
from stridednet.run_checkpoint import Checkpoint
from stridednet.run_place import RUNS, check_place
from stridednet.run_tables import SplitRow
from stridednet.storage import user_path
from stridednet.training.checkpointing import BackgroundWriter
from stridednet.training.fit import batches_of
from stridednet.training.history import History
from stridednet.training.observer import Observer, Workload
from stridednet.training.pretrained import follow_recipe, probabilities_at_end
from stridednet.training.setup import make_trainer


@dataclass(frozen=True)
class Result:
    """A finished training.

    Args:
        run: The run directory.
        history: The epochs.
        classification: The classification report of the test subset.
        report: Every number of ``report.json``.

    Examples:
        >>> import tempfile
        >>> recipe = Recipe(epochs=1, image_size=16, model={"filters": [8], "dense_units": 16})
        >>> result = train("digits", recipe, out=tempfile.mkdtemp())
        >>> result.report["data"]["images"]
        {'train': 3750, 'val': 0, 'test': 1250}
        >>> print(result.classification.text.split()[:4])
        ['precision', 'recall', 'f1-score', 'support']
    """

    run: Run
    history: History
    classification: Classification
    report: Mapping[str, Any]


def train(
    dataset: str | os.PathLike[str] | None = None,
    recipe: str | os.PathLike[str] | Recipe = DEFAULT_RECIPE,
    settings: Mapping[str, Any] | None = None,
    *,
    out: str | os.PathLike[str] | None = None,
    plot: str | os.PathLike[str] | None = None,
    observer: Observer | None = None,
    trust: bool = False,
) -> Result:
    """Train a classifier on a data set, and write a run directory.

    Args:
        dataset: A folder of class folders, an archive of one, or the name of a data set; None for the recipe's, which
            is ``digits`` by default.
        recipe: A recipe, the name of a built-in one, or a TOML file.
        settings: Settings by dotted key that override the recipe: ``{"epochs": 5, "model.stem_kernel": 3}``.
        out: The run directory; None for a new one below ``runs/train``.
        plot: An additional file for the figure.
        observer: Is notified of messages and progress.
        trust: Whether a recipe in a TOML file may name Python code as its model, which can do everything that you can
            do. What ``settings`` names is run in any case.

    Raises:
        InputError: An argument, a setting or the data set is wrong; nothing was written.
        TrainingError: The loss became NaN or infinite.
        StorageError: The disk is full; `resume` continues the training when there is space.
        FigureError: The training is finished and its run directory complete, but for a figure or page.

    Examples:
        >>> import tempfile
        >>> recipe = Recipe(epochs=1, image_size=16, model={"filters": [8], "dense_units": 16})
        >>> result = train("digits", recipe, out=tempfile.mkdtemp())
        >>> len(result.history), result.classification.numbers["support"]
        (1, 1250)
    """
    return follow(resolve(dataset, recipe, settings, trust=trust), out=out, plot=plot, observer=observer)


def follow(
    resolution: Resolution,
    *,
    out: str | os.PathLike[str] | None = None,
    plot: str | os.PathLike[str] | None = None,
    observer: Observer | None = None,
) -> Result:
    """Train with a resolved recipe; arguments, result and errors as for `train`."""
    observer = observer or Observer()
    for message in resolution.messages:
        observer.on_message(message)
    check_keras()
    recipe = resolution.recipe
    folder = None if out is None else user_path(out, "out")
    check_place(folder)
    figure = None if plot is None else check_figure(plot)
    check_model(recipe.model)
    warning = results_inside(recipe.data.dataset, RUNS if folder is None else folder)
    if warning:
        observer.on_message(warning)
    backend = _chosen_backend(recipe, observer)
    recipe = recipe.replace({"precision": backend.precision})  # so that recipe.toml says what was done
    data = _prepared(recipe, observer)
    _suggest(recipe, data, observer)
    race = None
    if resolution.candidates is not None:
        race = run_race(recipe, resolution.candidates, data, backend, observer)
        observer.on_message(race.message())
        if race.recipe.image_size != recipe.image_size:
            data = _prepared(race.recipe, Observer())
        recipe = race.recipe
    recipe = recipe.sized(len(data.split.train), len(data.labels))
    trainer = make_trainer(recipe, batches_of(recipe, data), backend)
    run = Run.create(recipe, folder)
    with run.locked():
        if race is not None:
            run.write_race(race.to_dict())
        _write_data(run, data)
        return _Training(run, recipe, data, trainer, [], figure, observer).finish()


def resume(
    folder: str | os.PathLike[str],
    dataset: str | os.PathLike[str] | None = None,
    *,
    plot: str | os.PathLike[str] | None = None,
    observer: Observer | None = None,
    trust: bool = False,
) -> Result:
    """Resume a run after its last saved epoch; the result is that of a run that was never interrupted.

    Args:
        folder: The run directory.
        dataset: The new path of the data set if it was moved or renamed. Its content must be the same.
        plot: An additional file for the figure.
        observer: Is notified of messages and progress.
        trust: Whether to run the Python code that the run's recipe names, if it was started with a model of your own
            (``FILE.py:function``). It can do everything that you can do.

    Raises:
        UntrustedError: The run's recipe names Python code, and ``trust`` is not set.
        RunError: There is no unfinished run in the folder, another process is writing to it, or the data set has
            changed since the run was started.
        FigureError: The training is finished and its run directory complete, but for a figure or page.

    Examples:
        >>> resume("runs/none")
        Traceback (most recent call last):
        stridednet.errors.RunError: there is no run directory runs/none
    """
    check_keras()
    observer = observer or Observer()
    run = Run.unfinished(user_path(folder, "folder"), trust=trust)
    check_named_by(run.recipe_file, run.recipe.model.name, trust=trust)
    figure = None if plot is None else check_figure(plot)
    with run.locked():
        run = Run.unfinished(run.folder, trust=trust)  # again: another process may have finished it
        recipe = moved(run.recipe, dataset)
        check_model(recipe.model)
        backend = _chosen_backend(recipe, observer)
        data = _prepared(recipe, observer)
        checkpoint = run.load_checkpoint()
        _check_same_data(run, recipe, data, checkpoint)
        trainer = make_trainer(recipe, batches_of(recipe, data), backend)
        if checkpoint is not None:
            trainer.restore(checkpoint.state)
        if recipe != run.recipe:
            run.write_recipe(recipe)
        _write_data(run, data)
        history = [] if checkpoint is None else checkpoint.history
        return _Training(run, recipe, data, trainer, history, figure, observer).finish()


def _prepared(recipe: Recipe, observer: Observer) -> TrainingData:
    return prepare(
        recipe.data,
        recipe.image_size,
        observer.on_message,
        rule=recipe.resize,
        source_size=recipe.source_size,
    )


def _check_same_data(run: Run, recipe: Recipe, data: TrainingData, checkpoint: Checkpoint | None) -> None:
    known = run.data_hash if checkpoint is None else checkpoint.data_hash
    if known is None or known == data.hash:
        return
    if recipe.data.dataset == run.recipe.data.dataset:
        raise RunError(
            f"the data set {recipe.data.dataset} has changed since the run {run.folder} was started; start a new run"
        )
    raise RunError(
        f"dataset: the content of {recipe.data.dataset} differs from that of the data set with which the run "
        f"{run.folder} was started; start a new run"
    )


def _chosen_backend(recipe: Recipe, observer: Observer) -> Backend:
    backend = Backend.choose(recipe.precision)
    if backend.problem:
        observer.on_message(backend.problem)
    return backend


def _suggest(recipe: Recipe, data: TrainingData, observer: Observer) -> None:
    suggestion = advice(data.targets[data.split.train], data.labels)
    if suggestion and recipe.class_weights == "none":
        observer.on_message(suggestion)


def _write_data(run: Run, data: TrainingData) -> None:
    manifest, subset_of = data.pictures.manifest, data.split.subset_of()
    run.write_data_hash(data.hash)
    run.write_labels(data.labels)
    run.write_split(
        SplitRow(manifest.relative(picture.path), printable(picture.label), subset_of[row], digest)
        for row, (picture, digest) in enumerate(zip(manifest.pictures, data.pictures.digests, strict=True))
    )
    if manifest.problems:
        run.write_problems((manifest.relative(problem.path), problem.reason) for problem in manifest.problems)


@dataclass(frozen=True)
class _Training:
    """A training at any point between its first epoch and its report; ``history`` has the epochs that are saved."""

    run: Run
    recipe: Recipe
    data: TrainingData
    trainer: Trainer
    history: History
    plot: Path | None
    observer: Observer

    def finish(self) -> Result:
        """Run the remaining epochs and write the report; if interrupted, notify the observer.

        Raises:
            FigureError: A figure, the page or the model card could not be written; everything else is finished.
        """
        try:
            self._train()
            result, problems = self._report()
        except (KeyboardInterrupt, StorageError):
            self.observer.on_interrupt(len(self.history), self.run.folder)
            raise
        if problems:
            raise FigureError(f"the run {self.run.folder} is finished, but {'; '.join(problems)}", result)
        return result

    def _train(self) -> None:
        recipe, data, history = self.recipe, self.data, self.history
        stream = batches_of(recipe, data)
        validation = partial(data.batches, data.split.curve)
        last = int(recipe.epochs)
        epochs = range(len(history) + 1, last + 1)
        self.observer.on_start(Workload(last, stream.steps_per_epoch, stream.images_per_step, tuple(history)))
        try:
            rows = follow_recipe(recipe, self.trainer, stream, validation, epochs, self.observer)
            with closing(rows), BackgroundWriter() as writer:
                for row in rows:
                    writer.wait()  # then the history is complete, and no other copy of the state is in memory
                    checkpoint = Checkpoint(self.trainer.state(), [*history, row], data.hash)
                    writer.start(partial(self._save, checkpoint))
                    self.observer.on_epoch(row)
        finally:
            self.observer.on_end()

    def _save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint, and only then count its epoch as saved."""
        self.run.save_epoch(checkpoint)
        self.history.append(checkpoint.history[-1])

    def _report(self) -> tuple[Result, list[str]]:
        """Write the report, and return it with what could not be drawn, which does not stop it."""
        run, data, history = self.run, self.data, self.history
        batches = data.batches(data.split.report)
        probabilities = probabilities_at_end(self.recipe, self.trainer, len(history), batches)
        truth = data.targets[data.split.rows(data.split.report)]
        weights = origin_of(self.recipe.model)
        note = "" if weights is None else weights.note
        classification = classify(probabilities, truth, [shown(label) for label in data.labels], note)
        run.write_model(self.trainer.model)
        portable = portable_model(self.trainer.model)
        if portable is not None:
            write_portable(run.portable_file, portable, run.model_file)
        run.write_history(history)
        report = build_report(self.recipe, data, self.trainer, history, classification)
        evaluation = TrainingEvaluation(data, probabilities)
        material = Material(self.recipe, history, run.split, report, self.trainer.model, evaluation)
        problems = illustrate(run, material, self.plot)
        complete = run.finish(classification.text, report)
        return Result(run, history, classification, complete), problems
