"""The training of a pretrained model: its first epoch fits the last layer to features, all others are fine-tuning."""

import time
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import cv2
import numpy as np
from numpy.typing import NDArray

from stridednet.data.batches import Batch, BatchStream
from stridednet.executor.scores import RunningScores
from stridednet.executor.trainer import Trainer
from stridednet.model_settings import PretrainedSettings
from stridednet.recipe import Recipe
from stridednet.threads import share_cores
from stridednet.training.feature_cache import Features
from stridednet.training.features import FeatureExtractor
from stridednet.training.head import Examples, Head, fit_head
from stridednet.training.history import EpochRow
from stridednet.training.interrupt import interrupts_held
from stridednet.training.loop import train_epochs
from stridednet.training.observer import Observer

_CHUNK = 128  # pictures whose features are computed and kept together


def follow_recipe(
    recipe: Recipe,
    trainer: Trainer,
    stream: BatchStream,
    validation: Callable[[], Iterable[Batch]] | None,
    epochs: range,
    observer: Observer,
) -> Generator[EpochRow, None, None]:
    """Train a recipe's model, pretrained or not, and yield the row of each finished epoch.

    Args:
        recipe: The recipe; its model is the trainer's.
        trainer: Takes the steps.
        stream: Training batches.
        validation: Returns the batches to validate on; None to validate never.
        epochs: The numbers of the epochs to train, counted from 1.
        observer: Is notified of every step.

    Raises:
        TrainingError: The loss became NaN or infinite.
    """
    if isinstance(recipe.model, PretrainedSettings) and 1 in epochs:
        yield _first_epoch(recipe, recipe.model, trainer, stream, validation, observer)
        epochs = range(2, epochs.stop)
    yield from train_epochs(trainer, stream, validation, epochs, int(recipe.validation_freq), recipe.seed, observer)


def probabilities_at_end(
    recipe: Recipe, trainer: Trainer, epochs: int, batches: Iterable[Batch]
) -> NDArray[np.float32]:
    """Return what `Trainer.predict` returns; the features of a pretrained model that was not tuned come from the cache.

    Args:
        recipe: The recipe.
        trainer: The trained model.
        epochs: Number of epochs that it was trained for.
        batches: The images.
    """
    if not isinstance(recipe.model, PretrainedSettings) or epochs != 1:
        return trainer.predict(batches)
    extractor = FeatureExtractor(trainer.model, trainer.backend.in_float32())
    kernel, bias = (np.asarray(variable.numpy()) for variable in trainer.model.layers[-1].weights)
    head = Head(kernel, bias, 0, 0.0)
    return np.concatenate([head.probabilities(extractor(batch.images)[0]) for batch in batches])


def _first_epoch(
    recipe: Recipe,
    settings: PretrainedSettings,
    trainer: Trainer,
    stream: BatchStream,
    validation: Callable[[], Iterable[Batch]] | None,
    observer: Observer,
) -> EpochRow:
    started = time.perf_counter()
    with interrupts_held() as let_interrupt_through:
        progress = _Progress(observer, stream, 1 + settings.copies, let_interrupt_through)
        examples = _examples(trainer, stream, settings.copies, progress)
        progress.threads.append(share_cores())
        head = fit_head(examples, settings.head_l2 or None, recipe.label_smoothing, recipe.seed)
        let_interrupt_through()
        dense = trainer.model.layers[-1]
        dense.kernel.assign(head.kernel)
        dense.bias.assign(head.bias)
        loss, accuracy = head.scores(examples)
        fitted = time.perf_counter()
        val_loss, val_accuracy = (None, None) if validation is None else _validated(trainer, head, validation())
        let_interrupt_through()
    return EpochRow(
        epoch=1,
        loss=loss,
        accuracy=accuracy,
        val_loss=val_loss,
        val_accuracy=val_accuracy,
        learning_rate=trainer.learning_rate(),
        steps=head.iterations,
        images=len(examples),
        seconds=round(fitted - started, 4),
        val_seconds=round(time.perf_counter() - fitted, 4),
        threads=round(float(np.mean(progress.threads)), 2),
    )


class _Progress:
    """Tells an observer how many pictures have features, as steps of an epoch, and lets an interrupt through."""

    def __init__(self, observer: Observer, stream: BatchStream, passes: int, check: Callable[[], None]) -> None:
        self._observer = observer
        self._total = passes * len(stream.rows)
        self._steps = stream.steps_per_epoch
        self._check = check
        self._done = self._told = 0
        self.threads: list[int] = []

    def add(self, pictures: int) -> None:
        self._done += pictures
        due = self._steps * self._done // self._total
        for step in range(self._told + 1, due + 1):
            self._observer.on_step(1, step, RunningScores())
        self._told = due
        self._check()


def _examples(trainer: Trainer, stream: BatchStream, copies: int, progress: _Progress) -> Examples:
    """Return the features of the training pictures as they are, and of warped copies."""
    extractor = FeatureExtractor(trainer.model, trainer.backend)
    count = len(stream.rows)
    numbers = [np.arange(start, min(start + _CHUNK, count)) for start in range(0, count, _CHUNK)]
    features: list[Features] = []
    parts = [(part, copy) for copy in range(1 + copies) for part in numbers]
    with closing(_ahead(stream, parts)) as prepared:
        for images, (part, _) in zip(prepared, parts, strict=True):
            progress.threads.append(share_cores())
            features.append(extractor(images)[0])
            progress.add(len(part))
    pictures = [part for part, _ in parts]
    return Examples(features, pictures, stream.targets, trainer.class_weights, len(numbers))


def _ahead(
    stream: BatchStream, parts: Sequence[tuple[NDArray[np.intp], int]]
) -> Generator[NDArray[np.uint8], None, None]:
    """Yield the images of each part, of pictures and the number of their copy; the next one is made meanwhile."""
    with ThreadPoolExecutor(1) as pool:
        made = [pool.submit(_images, stream, *parts[0])]
        for part in parts[1:]:
            made.append(pool.submit(_images, stream, *part))
            yield made.pop(0).result()
        yield made.pop().result()


def _images(stream: BatchStream, numbers: NDArray[np.intp], copy: int) -> NDArray[np.uint8]:
    """Return pictures as they are (copy 0), or warped copies of them, which depend on the seed and their number."""
    images = stream.images[stream.rows[numbers]]
    if copy == 0:
        size = stream.image_size or images.shape[1]
        return images if images.shape[1] == size else np.stack([_smaller(image, size) for image in images])
    rng = np.random.default_rng([stream.seed, 0, copy, int(numbers[0])])
    return stream.color_jitter(stream.augmentation(images, rng, stream.image_size), rng)


def _smaller(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA), np.uint8)


def _validated(trainer: Trainer, head: Head, batches: Iterable[Batch]) -> tuple[float, float]:
    """Return loss and accuracy on batches, computed in float32, as the final report is."""
    extractor = FeatureExtractor(trainer.model, trainer.backend.in_float32())
    features, targets = [], []
    for batch in batches:
        features.append(extractor(batch.images)[0])
        targets.append(batch.targets)
    return head.scores(_in_order(features, targets))


def _in_order(features: Sequence[Features], targets: Sequence[NDArray[np.float32]]) -> Examples:
    ends = np.cumsum([len(part) for part in features])
    numbers = [np.arange(end - len(part), end) for end, part in zip(ends, features, strict=True)]
    return Examples(features, numbers, np.concatenate(targets))
