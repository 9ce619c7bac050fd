"""Compute scikit-learn's classification report from predictions, as text and as numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import classification_report, confusion_matrix

_MACRO = ("precision", "recall", "f1-score")


@dataclass(frozen=True)
class Classification:
    """A classification report; ``numbers`` contains the metrics and counts of ``text``, not rounded."""

    text: str
    numbers: dict[str, Any]

    @property
    def accuracy(self) -> float:
        """The fraction of images whose most probable class is the true one."""
        return float(self.numbers["accuracy"])


def classify(
    probabilities: NDArray[np.float32], targets: NDArray[np.float32], labels: Sequence[str], note: str = ""
) -> Classification:
    """Compare predicted probabilities with the true classes.

    Args:
        probabilities: Array of shape ``(n, classes)``.
        targets: One-hot encoded true classes, of shape ``(n, classes)``.
        labels: Names of the classes, in the order of the columns.
        note: The first line of the text; empty for none.

    Returns:
        The report. Averages over classes are over those that have images; the report names the others.
    """
    truth, guess = targets.argmax(axis=1), probabilities.argmax(axis=1)
    columns = range(len(labels))
    common = {"labels": columns, "zero_division": 0.0}
    # Classes are keyed by number, since a class may be named "accuracy".
    names = [f"{column}" for column in columns]
    numbers = classification_report(truth, guess, target_names=names, output_dict=True, **common)
    text = classification_report(truth, guess, target_names=list(labels), **common)
    present = np.unique(truth)
    if 0 < len(present) < len(labels):
        of_present = classification_report(truth, guess, labels=present, output_dict=True, zero_division=0.0)
        text = _with_macro_average(text, numbers["macro avg"], of_present["macro avg"])
        numbers["macro avg"] = of_present["macro avg"]
    missing = [label for column, label in enumerate(labels) if column not in present]
    if missing:
        text += f"\nno test images: {', '.join(missing)}; the averages are over the other classes\n"
    return Classification(
        text=f"{note}\n\n{text}" if note else text,
        numbers={
            "accuracy": numbers["accuracy"],
            "mean_class_accuracy": numbers["macro avg"]["recall"],
            "macro_f1": numbers["macro avg"]["f1-score"],
            "weighted_f1": numbers["weighted avg"]["f1-score"],
            "support": len(truth),
            "missing": missing,
            "classes": {
                label: numbers[name] | {"support": int(numbers[name]["support"])}
                for label, name in zip(labels, names, strict=True)
            },
            "confusion": confusion_matrix(truth, guess, labels=columns).tolist(),
        },
    )


def _with_macro_average(text: str, before: Mapping[str, float], after: Mapping[str, float]) -> str:
    """Replace the macro average in scikit-learn's text."""
    old, new = ("".join(f" {row[key]:>9.2f}" for key in _MACRO) for row in (before, after))
    head, line, tail = text.rpartition("macro avg ")
    return head + line + tail.replace(old, new, 1)
