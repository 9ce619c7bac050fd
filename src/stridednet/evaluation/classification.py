"""Compute scikit-learn's classification report from predictions, as text and as numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import classification_report, confusion_matrix


@dataclass(frozen=True)
class Classification:
    """A classification report; ``numbers`` contains the metrics and counts of ``text``, not rounded."""

    text: str
    numbers: dict[str, Any]

    @property
    def accuracy(self) -> float:
        """The fraction of images whose most probable class is the true one."""
        return float(self.numbers["accuracy"])


def classify(probabilities: NDArray[np.float32], targets: NDArray[np.float32], labels: Sequence[str]) -> Classification:
    """Compare predicted probabilities with the true classes.

    Args:
        probabilities: Array of shape ``(n, classes)``.
        targets: One-hot encoded true classes, of shape ``(n, classes)``.
        labels: Names of the classes, in the order of the columns.
    """
    truth, guess = targets.argmax(axis=1), probabilities.argmax(axis=1)
    columns = range(len(labels))
    common = {"labels": columns, "zero_division": 0.0}
    # Classes are keyed by number, since a class may be named "accuracy".
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
