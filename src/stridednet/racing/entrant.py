"""A training in a race, and how it compares with another one."""

import math
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stridednet.data.prepare import TrainingData
from stridednet.executor.backend import Backend
from stridednet.recipe import Recipe
from stridednet.training.fit import fit
from stridednet.training.mirror import predict_subset
from stridednet.training.observer import Observer


@dataclass(frozen=True)
class Entrant:
    """A candidate that was trained on a fold and measured on the pictures that were held out.

    Args:
        kind: The name of the kind of recipe.
        image_size: Height and width of its images, in pixels.
        epochs: Number of epochs.
        images: Number of images that the training saw.
        seconds: Duration of the training and the measurement.
        correct: Which pictures it classified correctly, ``(n,)``.
        handicap: See `stridednet.candidates`.
    """

    kind: str
    image_size: int
    epochs: int
    images: int
    seconds: float
    correct: NDArray[np.bool_]
    handicap: float = 0.0

    @property
    def accuracy(self) -> float:
        """The fraction of pictures that were classified correctly."""
        return float(self.correct.mean())

    def lead(self, other: "Entrant") -> float:
        """Return the difference of the accuracies."""
        return self.accuracy - other.accuracy

    def chance(self, other: "Entrant") -> float:
        """Return the standard error of `lead`, from the pictures that only one of the two classified correctly."""
        disagreements = int((self.correct != other.correct).sum())
        return math.sqrt(disagreements) / len(self.correct)


def train_entrant(kind: str, recipe: Recipe, data: TrainingData, backend: Backend, observer: Observer) -> Entrant:
    """Train a candidate, and measure it on the val subset.

    If it was trained on mirrored images, the probabilities are means for the images and their mirror images, which is
    less noisy.

    Args:
        kind: The name of the kind of recipe.
        recipe: A recipe with a number of epochs.
        data: A fold, in the recipe's image size.
        backend: How to compute.
        observer: Is notified of each step.

    Raises:
        ModelError: The model cannot be built.
        TrainingError: The loss became NaN or infinite.
    """
    started = time.perf_counter()
    trainer, history = fit(recipe, data, backend, observer)
    probabilities = predict_subset(trainer, data, "val", mirror=recipe.augmentation.horizontal_flip)
    correct = probabilities.argmax(axis=1) == data.targets[data.split.val].argmax(axis=1)
    seen = sum(row.images for row in history)
    seconds = round(time.perf_counter() - started, 3)
    return Entrant(kind, recipe.image_size, int(recipe.epochs), seen, seconds, correct)
