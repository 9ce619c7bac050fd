"""How good predictions are: accuracy, scores of each class, top-k accuracy and Brier score, with intervals."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stridednet.evaluation.intervals import Interval, f1_interval, mean_interval, wilson
from stridednet.evaluation.predictions import Predictions

TOP_K = (3, 5)


@dataclass(frozen=True)
class Score:
    """A number, and its 95% interval if one is known."""

    value: float
    interval: Interval | None = None

    @classmethod
    def of_counts(cls, successes: int, n: int) -> "Score | None":
        """Return a proportion with Wilson's interval; None of nothing."""
        return cls(successes / n, wilson(successes, n)) if n else None

    def as_dict(self) -> dict[str, Any]:
        """Return the number and its interval by name."""
        return {"value": self.value} | ({"interval": list(self.interval)} if self.interval else {})


@dataclass(frozen=True)
class ClassScores:
    """The scores of a class. A score is None where there is nothing to measure it on.

    Args:
        label: The name of the class.
        pictures: Number of its pictures.
        recall: Fraction of its pictures that are classified as it.
        precision: Fraction of the pictures classified as it that belong to it.
        f1: Harmonic mean of both; None without pictures of the class.
    """

    label: str
    pictures: int
    recall: Score | None
    precision: Score | None
    f1: Score | None

    def as_dict(self) -> dict[str, Any]:
        """Return the scores by name."""
        scores = {"precision": self.precision, "recall": self.recall, "f1": self.f1}
        return {"pictures": self.pictures} | {name: one.as_dict() if one else None for name, one in scores.items()}


@dataclass(frozen=True)
class Scores:
    """The scores of predictions for at least one picture.

    Args:
        accuracy: Fraction of the pictures that are classified correctly.
        mean_class_accuracy: Mean of the recalls: each class with pictures counts alike.
        macro_f1: Mean of the F1 scores of the classes with pictures.
        weighted_f1: The same, weighted by the number of pictures.
        top_k: For k of `TOP_K` below the number of classes, the fraction of the pictures whose class is among the k
            most probable ones.
        brier_score: See `brier_score`.
        classes: The scores of each class, in the order of the labels.
        confusion: Number of pictures by true class (rows) and predicted class (columns).
    """

    accuracy: Score
    mean_class_accuracy: Score
    macro_f1: Score
    weighted_f1: Score
    top_k: dict[int, Score]
    brier_score: float
    classes: tuple[ClassScores, ...]
    confusion: NDArray[np.intp]


def scores(predictions: Predictions) -> Scores:
    """Compute the scores of predictions.

    Raises:
        ValueError: There are no pictures.
    """
    n = len(predictions.truth)
    if not n:
        raise ValueError("expected at least one picture. Received: none")
    confusion = confusion_matrix(predictions)
    classes = class_scores(predictions.labels, confusion)
    present = [one for one in classes if one.pictures]
    hits = confusion.diagonal()
    f1 = [one.f1.value for one in present if one.f1]
    return Scores(
        Score(int(hits.sum()) / n, wilson(int(hits.sum()), n)),
        _mean_recall(confusion),
        Score(float(np.mean(f1))),
        Score(float(np.average(f1, weights=[one.pictures for one in present]))),
        {k: _top_k(predictions, k) for k in TOP_K if k < len(predictions.labels)},
        brier_score(predictions),
        classes,
        confusion,
    )


def confusion_matrix(predictions: Predictions) -> NDArray[np.intp]:
    """Return the number of pictures by true class (rows) and predicted class (columns)."""
    counts = np.zeros((len(predictions.labels), len(predictions.labels)), np.intp)
    np.add.at(counts, (predictions.truth, predictions.guess), 1)
    return counts


def class_scores(labels: Sequence[str], confusion: NDArray[np.intp]) -> tuple[ClassScores, ...]:
    """Return the scores of each class.

    Args:
        labels: The names of the classes.
        confusion: Number of pictures by true class (rows) and predicted class (columns).
    """
    found = []
    for column, label in enumerate(labels):
        hits = int(confusion[column, column])
        pictures, predicted = int(confusion[column].sum()), int(confusion[:, column].sum())
        f1 = None
        if pictures:
            f1 = Score(2 * hits / (pictures + predicted), f1_interval(hits, predicted - hits, pictures - hits))
        recall, precision = Score.of_counts(hits, pictures), Score.of_counts(hits, predicted)
        found.append(ClassScores(label, pictures, recall, precision, f1))
    return tuple(found)


def brier_score(predictions: Predictions) -> float:
    """Return the Brier score: the mean over pictures of the squared distance of the probabilities from the truth.

    Brier 1950, "Verification of Forecasts Expressed in Terms of Probability", with the sum over all classes: from 0 for
    a model that is always right and certain of it, to 2 for one that is always wrong and certain of it.
    """
    targets = np.eye(len(predictions.labels))[predictions.truth]
    return float(((predictions.probabilities - targets) ** 2).sum(axis=1).mean())


def _mean_recall(confusion: NDArray[np.intp]) -> Score:
    counts = [(int(row[column]), int(row.sum())) for column, row in enumerate(confusion) if row.sum()]
    return Score(sum(hits / of for hits, of in counts) / len(counts), mean_interval(counts))


def _top_k(predictions: Predictions, k: int) -> Score:
    n = len(predictions.truth)
    of_truth = predictions.probabilities[np.arange(n), predictions.truth]
    # Of equal probabilities, the class with the lower number comes first, as in `argmax`.
    columns = np.arange(len(predictions.labels))
    before = (predictions.probabilities > of_truth[:, None]) | (
        (predictions.probabilities == of_truth[:, None]) & (columns < predictions.truth[:, None])
    )
    hits = int((before.sum(axis=1) < k).sum())
    return Score(hits / n, wilson(hits, n))
