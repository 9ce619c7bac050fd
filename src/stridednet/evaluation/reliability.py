"""The reliability diagram: how often a model is right, in comparison with how sure it is."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from stridednet.evaluation.intervals import Interval, wilson
from stridednet.evaluation.predictions import Predictions

BINS = 10


@dataclass(frozen=True)
class Bin:
    """The pictures whose confidence is in ``(low, high]``; without pictures, the last three are None.

    Args:
        low: Lower limit of the confidence.
        high: Upper limit of the confidence.
        pictures: Number of pictures.
        confidence: Their mean confidence.
        accuracy: The fraction of them that is classified correctly.
        interval: The 95% interval of the accuracy.
    """

    low: float
    high: float
    pictures: int
    confidence: float | None = None
    accuracy: float | None = None
    interval: Interval | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the bin by name."""
        return asdict(self)


@dataclass(frozen=True)
class Reliability:
    """Confidence and accuracy in bins.

    Args:
        bins: The bins, from low to high confidence.
        error: The expected calibration error: the mean distance of accuracy and confidence over the bins, weighted by
            their number of pictures (Guo et al. 2017, arXiv:1706.04599).
        confidence: Mean confidence of all pictures.
        accuracy: Fraction of all pictures that are classified correctly.
    """

    bins: tuple[Bin, ...]
    error: float
    confidence: float
    accuracy: float


def reliability(predictions: Predictions, bins: int = BINS) -> Reliability:
    """Return how confidence and accuracy compare, in bins of equal width.

    The confidence of a prediction is the probability of the most probable class. Bins are ``(low, high]``, as in
    scikit-learn's ``calibration_curve`` and in Guo et al. 2017.

    Args:
        predictions: What a model says.
        bins: Number of bins.

    Raises:
        ValueError: There are no pictures.
    """
    n = len(predictions.truth)
    if not n:
        raise ValueError("expected at least one picture. Received: none")
    confidence = predictions.confidence.astype(np.float64)
    right = predictions.guess == predictions.truth
    edges = np.linspace(0, 1, bins + 1)
    which = np.clip(np.searchsorted(edges[1:-1], confidence), 0, bins - 1)
    found, error = [], 0.0
    for number in range(bins):
        inside = which == number
        count, hits = int(inside.sum()), int(right[inside].sum())
        low, high = float(edges[number]), float(edges[number + 1])
        if not count:
            found.append(Bin(low, high, 0))
            continue
        mean = float(confidence[inside].mean())
        error += count / n * abs(hits / count - mean)
        found.append(Bin(low, high, count, mean, hits / count, wilson(hits, count)))
    return Reliability(tuple(found), error, float(confidence.mean()), float(right.mean()))
