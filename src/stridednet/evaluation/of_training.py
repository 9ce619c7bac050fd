"""What a training measured at its end, as an evaluation: the pictures are in memory already."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stridednet.data.prepare import TrainingData
from stridednet.data.tree import printable
from stridednet.evaluation.predictions import Predictions


@dataclass(frozen=True)
class TrainingEvaluation:
    """The pictures of the subset ``data.split.report`` with what the trained model says about them.

    Args:
        data: The data set of the training.
        probabilities: ``(n, classes)``, in the order of the subset.
    """

    data: TrainingData
    probabilities: NDArray[np.float32]

    @property
    def subset(self) -> str:
        """The name of the subset."""
        return self.data.split.report

    @property
    def predictions(self) -> Predictions:
        """What the model says about each picture."""
        rows, manifest = self._rows, self.data.manifest
        return Predictions(
            tuple(printable(label) for label in self.data.labels),
            tuple(manifest.relative(manifest.pictures[row].path) for row in rows),
            self.data.targets[rows].argmax(axis=1),
            self.probabilities,
        )

    def image(self, row: int) -> NDArray[np.uint8]:
        """Return a picture as the model takes it, ``(height, width, 3)``."""
        return np.array(self.data.pictures.images[self.data.pictures.stored[self._rows[row]]])

    def file(self, row: int) -> Path:
        """Return the path of a picture's file."""
        return self.data.manifest.pictures[int(self._rows[row])].path

    @property
    def _rows(self) -> NDArray[np.intp]:
        return self.data.split.rows(self.subset)
