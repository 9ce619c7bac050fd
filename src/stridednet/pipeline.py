"""train(): the only place where the parts meet."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import keras
import torch

from stridednet.data.augment import Augmentation
from stridednet.data.batches import BatchStream
from stridednet.data.color import ColorJitter
from stridednet.data.mixing import Mixing
from stridednet.data.prepare import TrainingData, prepare
from stridednet.data.scan import printable
from stridednet.data.sources import SOURCES
from stridednet.errors import InputError, RunError, StorageError
from stridednet.evaluation.classification import Classification, classify
from stridednet.evaluation.figures import check_figure, plot_history
from stridednet.evaluation.report import build_report
from stridednet.executor.precision import concrete_precision
from stridednet.executor.schedule import Schedule
from stridednet.executor.trainer import NativeExecutor
from stridednet.machine import usable_cores
from stridednet.models.catalogue import build_model, check_model
from stridednet.models.user_builder import settled_name
from stridednet.recipe import DEFAULT_RECIPE, Recipe, hints_that_hold, load_recipe
from stridednet.run import Checkpoint, Run, check_free
from stridednet.storage import written_whole
from stridednet.training.history import History
from stridednet.training.loop import train_epochs
from stridednet.training.observer import Observer, Plan

# Where the recipe `many` serves better than `accurate`: it was measured on 101 classes of 30 images.
_MANY_CLASSES, _FEW_OF_EACH = 50, 50


@dataclass(frozen=True)
class Result:
    """A finished training: its run directory, history and classification report."""

    run: Run
    history: History
    classification: Classification
    report: Mapping[str, Any]


def train(
    dataset: str | os.PathLike[str] | None = None,
    recipe: str | os.PathLike[str] = DEFAULT_RECIPE,
    settings: Mapping[str, Any] | None = None,
    *,
    out: str | os.PathLike[str] | None = None,
    plot: str | os.PathLike[str] | None = None,
    observer: Observer | None = None,
) -> Result:
    """Train a classifier on a data set, and write a run directory.

    Args:
        dataset: A folder of class folders, an archive of one, or a name; None for the recipe's, which is `digits`.
        recipe: The name of a recipe, or a TOML file.
        settings: Settings by dotted key that change the recipe: ``{"epochs": 5, "model.stem_kernel": 3}``.
        out: The run directory; None for a new one below ``runs/train``.
        plot: Where the figure goes, besides the run directory.
        observer: Told what happens.

    Raises:
        InputError: An argument, a setting or the data set is wrong; nothing was written.
        StorageError: The disk is full; `resume` goes on when there is room.
    """
    observer = observer or Observer()
    merged = settle(dataset, recipe, settings, observer)
    if out is not None:
        check_free(Path(out))
    _check_plot(plot)
    check_model(merged.model)
    data = prepare(merged.data, merged.image_size, observer.on_message)
    _say_if_many(merged, data, observer)
    merged = merged.sized(len(data.split.train), len(data.labels))
    executor = _prepare_executor(merged, data)
    run = Run.create(merged, None if out is None else Path(out))
    _write_data(run, data)
    return _Training(run, merged, data, executor, [], plot, observer).finish()


def settle(
    dataset: str | os.PathLike[str] | None,
    recipe: str | os.PathLike[str],
    settings: Mapping[str, Any] | None,
    observer: Observer,
) -> Recipe:
    """Return the recipe that `train` follows, for the same arguments: complete but for what the data's size decides.

    Raises:
        InputError: The recipe or a setting is wrong, or Keras is configured for something else.
    """
    _prepare_backend()
    chosen_recipe, chosen = load_recipe(recipe)
    overrides = dict(settings or {})
    if dataset is not None:
        overrides["data.dataset"] = os.fspath(dataset)
    merged = chosen_recipe.replace(overrides)
    merged = _with_hints(merged, chosen | overrides.keys(), observer)
    if merged.data.dataset not in SOURCES:  # so that recipe.toml says the same from any folder
        merged = merged.replace({"data.dataset": str(Path(merged.data.dataset).expanduser().resolve())})
    merged = merged.replace({"model.name": settled_name(merged.model.name)})
    return merged.replace({"precision": concrete_precision(merged.precision)})  # recipe.toml says what was done


def fit(recipe: Recipe, data: TrainingData, observer: Observer | None = None) -> tuple[NativeExecutor, History]:
    """Train on prepared data without a run directory, as a sweep does many times.

    Args:
        recipe: As `settle` returns it.
        data: With a val subset, or else the history is measured on test.
        observer: Told of each step.

    Raises:
        ModelError: The model cannot be built.
        TrainingError: The loss became infinite or no number.
    """
    _prepare_backend()
    recipe = recipe.sized(len(data.split.train), len(data.labels))
    executor = _prepare_executor(recipe, data)
    validation = partial(data.batches, data.split.curve)
    epochs = range(1, int(recipe.epochs) + 1)
    stream = _training_batches(recipe, data)
    observer = observer or Observer()
    rows = train_epochs(executor, stream, validation, epochs, recipe.validation_freq, recipe.seed, observer)
    return executor, list(rows)


def resume(
    folder: str | os.PathLike[str], *, plot: str | os.PathLike[str] | None = None, observer: Observer | None = None
) -> Result:
    """Go on with a run after its last finished epoch; the result is that of a run that was never interrupted.

    Args:
        folder: The run directory.
        plot: Where the figure goes, besides the run directory.
        observer: Told what happens.

    Raises:
        RunError: There is no unfinished run, or the data set has changed since.
    """
    _prepare_backend()
    observer = observer or Observer()
    run = Run.unfinished(Path(folder))
    recipe = run.recipe()
    _check_plot(plot)
    check_model(recipe.model)
    data = prepare(recipe.data, recipe.image_size, observer.on_message)
    executor = _prepare_executor(recipe, data)
    checkpoint = run.load_checkpoint()
    history: History = []
    if checkpoint is not None:
        if checkpoint.data_hash != data.hash:
            raise RunError(
                f"the data set {recipe.data.dataset} has changed since the run {folder} began; start a new one"
            )
        executor.restore(checkpoint.state)
        history = checkpoint.history
    _write_data(run, data)
    return _Training(run, recipe, data, executor, history, plot, observer).finish()


def _prepare_backend() -> None:
    if keras.backend.backend() != "torch":
        raise InputError(
            f"training runs on the PyTorch backend, but Keras uses {keras.backend.backend()}; "
            "unset KERAS_BACKEND, or import stridednet before keras"
        )
    if keras.config.image_data_format() != "channels_last":
        raise InputError(
            "training takes images with channels last, but Keras is configured for channels first; set "
            "image_data_format to channels_last in keras.json or with keras.config.set_image_data_format"
        )
    torch.set_num_threads(usable_cores())
    cv2.setNumThreads(1)  # pictures are worked on side by side already, and beside the network


def _check_plot(plot: str | os.PathLike[str] | None) -> None:
    if plot is not None:
        check_figure(Path(plot))


def _with_hints(recipe: Recipe, chosen: frozenset[str], observer: Observer) -> Recipe:
    source = SOURCES.get(recipe.data.dataset)
    hints = hints_that_hold(source.hints, chosen) if source else {}
    if hints:
        said = ", ".join(f"{key}={str(value).lower()}" for key, value in hints.items())
        observer.on_message(f"{recipe.data.dataset} suggests {said}")
    return recipe.replace(hints)


def _say_if_many(recipe: Recipe, data: TrainingData, observer: Observer) -> None:
    classes = len(data.labels)
    images = len(data.split.train) / classes
    if classes >= _MANY_CLASSES and images < _FEW_OF_EACH and recipe.name == DEFAULT_RECIPE:
        observer.on_message(f"{classes} classes with {images:.0f} training images each: --recipe many is made for that")


def _prepare_executor(recipe: Recipe, data: TrainingData) -> NativeExecutor:
    keras.utils.set_random_seed(recipe.seed)
    model = build_model(recipe.model, recipe.image_size, len(data.labels))
    schedule = Schedule(recipe.optimizer, int(recipe.epochs), _training_batches(recipe, data).steps_per_epoch)
    return NativeExecutor(model, schedule, recipe.precision, recipe.label_smoothing)


def _training_batches(recipe: Recipe, data: TrainingData) -> BatchStream:
    rows = data.split.train
    return BatchStream(
        data.pictures.images,
        data.pictures.stored[rows],
        data.targets[rows],
        int(recipe.batch_size),
        Augmentation(**recipe.augmentation.model_dump()),
        recipe.seed,
        ColorJitter(**recipe.color_jitter.model_dump()),
        Mixing(**recipe.mixing.model_dump()),
    )


def _write_data(run: Run, data: TrainingData) -> None:
    manifest, subset_of = data.pictures.manifest, data.split.subset_of()
    run.write_text("labels.txt", "".join(f"{printable(label)}\n" for label in data.labels))
    rows = enumerate(manifest.pictures)
    run.write_csv(
        "split.csv",
        ("path", "label", "subset"),
        ((manifest.relative(picture.path), printable(picture.label), subset_of[row]) for row, picture in rows),
    )
    if manifest.problems:
        run.write_csv(
            "problems.csv",
            ("path", "reason"),
            ((manifest.relative(problem.path), problem.reason) for problem in manifest.problems),
        )


@dataclass(frozen=True)
class _Training:
    """A training somewhere between its first epoch and its report."""

    run: Run
    recipe: Recipe
    data: TrainingData
    executor: NativeExecutor
    history: History
    plot: str | os.PathLike[str] | None
    observer: Observer

    def finish(self) -> Result:
        """Do what is left of it; when it cannot go on, say how to do so later."""
        try:
            self._train()
            return self._report()
        except (KeyboardInterrupt, StorageError):
            self.observer.on_message(
                f"{len(self.history)} epochs are saved; go on with: stridednet train --resume {self.run.folder}"
            )
            raise

    def _train(self) -> None:
        recipe, data, history = self.recipe, self.data, self.history
        stream = _training_batches(recipe, data)
        validation = partial(data.batches, data.split.curve)
        last = int(recipe.epochs)
        epochs = range(len(history) + 1, last + 1)
        self.observer.on_start(Plan(last, stream.steps_per_epoch, stream.images_per_step, tuple(history)))
        try:
            rows = train_epochs(
                self.executor, stream, validation, epochs, recipe.validation_freq, recipe.seed, self.observer
            )
            for row in rows:
                self.run.save_epoch(Checkpoint(self.executor.state(), [*history, row], data.hash))
                history.append(row)
                self.observer.on_epoch(row)
        finally:
            self.observer.on_end()

    def _report(self) -> Result:
        run, data, history, model = self.run, self.data, self.history, self.executor.model
        probabilities = self.executor.predict(data.batches(data.split.report))
        truth = data.targets[data.split.rows(data.split.report)]
        classification = classify(probabilities, truth, [printable(label) for label in data.labels])
        with written_whole(run.folder / "model.keras") as beside:
            model.save(beside)
        for path in (run.folder / "plot.png", *([Path(self.plot)] if self.plot is not None else [])):
            with written_whole(path) as beside:
                plot_history(history, data.split.curve, beside)
        run.write_history(history)
        run.write_text("report.txt", classification.text)
        report = build_report(self.recipe, data, model.count_params(), history, classification)
        run.write_json("report.json", report)  # the last file: a run that has it is finished
        return Result(run, history, classification, report)
