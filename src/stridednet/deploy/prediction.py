"""What a run's model says about one picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Prediction:
    """The classes of a picture, by probability.

    Args:
        label: The most probable class.
        probability: Its probability, from 0 to 1.
        probabilities: The probabilities of all classes by label, highest first.
    """

    label: str
    probability: float
    probabilities: dict[str, float]

    @classmethod
    def of(cls, labels: Sequence[str], row: NDArray[np.float32]) -> Self:
        """Return the prediction for a model's outputs.

        Args:
            labels: The classes.
            row: Their probabilities, ``(classes,)``. Of equally probable classes, the first one comes first.
        """
        order = np.argsort(-row, kind="stable")
        ranked = {labels[place]: float(row[place]) for place in order}
        return cls(labels[order[0]], float(row[order[0]]), ranked)

    def top(self, count: int) -> list[tuple[str, float]]:
        """Return the most probable classes with their probabilities, highest first."""
        return list(self.probabilities.items())[:count]
