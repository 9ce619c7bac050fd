"""What a model says about pictures whose classes are known: the input of every evaluation."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Predictions:
    """Probabilities for ``n`` pictures, with their true classes.

    Args:
        labels: The names of the classes, in the order of the columns.
        paths: The pictures, relative to their data set.
        truth: The true classes, as numbers of columns, ``(n,)``.
        probabilities: ``(n, classes)``, float32; the rows sum to 1.
    """

    labels: tuple[str, ...]
    paths: tuple[str, ...]
    truth: NDArray[np.intp]
    probabilities: NDArray[np.float32]

    @cached_property
    def guess(self) -> NDArray[np.intp]:
        """The most probable class of each picture, ``(n,)``."""
        guess: NDArray[np.intp] = self.probabilities.argmax(axis=1)
        return guess

    @cached_property
    def confidence(self) -> NDArray[np.float32]:
        """The probability of the most probable class of each picture, ``(n,)``."""
        confidence: NDArray[np.float32] = self.probabilities.max(axis=1)
        return confidence

    @cached_property
    def wrong(self) -> NDArray[np.intp]:
        """The rows of the pictures that are misclassified, the most confident first."""
        rows = np.flatnonzero(self.guess != self.truth)
        return rows[np.argsort(-self.confidence[rows], kind="stable")]
