"""Predictions -> scikit-learn's classification report, as text and as numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import classification_report, confusion_matrix


@dataclass(frozen=True)
class Classification:
    """How well the classes were told apart. ``numbers`` are the shares and counts of ``text``, not rounded."""

    text: str
    numbers: dict[str, Any]

    @property
    def accuracy(self) -> float:
        """The share of images whose most probable class is the right one."""
        return float(self.numbers["accuracy"])


def classify(probabilities: NDArray[np.float32], targets: NDArray[np.float32], labels: Sequence[str]) -> Classification:
    """Compare predictions with the truth.

    Args:
        probabilities: ``(n, classes)``.
        targets: One-hot, ``(n, classes)``.
        labels: The names of the classes, ``classes`` of them.
    """
    truth, guess = targets.argmax(axis=1), probabilities.argmax(axis=1)
    columns = range(len(labels))
    common = {"labels": columns, "zero_division": 0.0}
    # By number, since a class may be called "accuracy".
    names = [f"{column}" for column in columns]
    numbers = classification_report(truth, guess, target_names=names, output_dict=True, **common)
    return Classification(
        text=classification_report(truth, guess, target_names=list(labels), **common),
        numbers={
            "accuracy": numbers["accuracy"],
            "mean_class_accuracy": numbers["macro avg"]["recall"],
            "macro_f1": numbers["macro avg"]["f1-score"],
            "weighted_f1": numbers["weighted avg"]["f1-score"],
            "support": len(truth),
            "classes": {
                label: numbers[name] | {"support": int(numbers[name]["support"])}
                for label, name in zip(labels, names, strict=True)
            },
            "confusion": confusion_matrix(truth, guess, labels=columns).tolist(),
        },
    )
