"""The reliability diagram: how often the model is right when it says how sure it is."""

from dataclasses import dataclass

import numpy as np

from stridednet.evaluation.intervals import Interval, wilson
from stridednet.evaluation.page.chart import Plane, nice_axis
from stridednet.evaluation.predictions import Predictions

BINS = 10
_CLOSE = 0.05  # expected calibration error up to which confidence is called about right


@dataclass(frozen=True)
class Bin:
    """The pictures whose confidence is in a range; the rest is None without pictures."""

    low: float
    high: float
    count: int
    confidence: float | None
    accuracy: float | None
    interval: Interval | None


@dataclass(frozen=True)
class Calibration:
    """The bins, and the expected calibration error: the mean distance of accuracy and confidence (Guo et al. 2017)."""

    bins: tuple[Bin, ...]
    error: float
    confidence: float
    accuracy: float
    plane: Plane
    about: str


def calibration(predictions: Predictions) -> Calibration | None:
    """Return how confidence and accuracy compare in bins of equal width; None without pictures.

    The expected calibration error is that of Guo et al. 2017 (arXiv:1706.04599), with `BINS` bins ``(low, high]``.
    """
    n = len(predictions.truth)
    if not n:
        return None
    confidence = predictions.confidence.astype(np.float64)
    right = predictions.guess == predictions.truth
    # Edges as NumPy would compute them for ``confidence > low and confidence <= high``.
    which = np.clip(np.ceil(confidence * BINS - 1e-9).astype(int) - 1, 0, BINS - 1)
    bins, error = [], 0.0
    for number in range(BINS):
        inside = which == number
        count, hits = int(inside.sum()), int(right[inside].sum())
        if not count:
            bins.append(Bin(number / BINS, (number + 1) / BINS, 0, None, None, None))
            continue
        mean = float(confidence[inside].mean())
        error += count / n * abs(hits / count - mean)
        bins.append(Bin(number / BINS, (number + 1) / BINS, count, mean, hits / count, wilson(hits, count)))
    mean, accuracy = float(confidence.mean()), float(right.mean())
    if error <= _CLOSE:
        about = "When the model says 80%, it is right in about 80% of the cases."
    elif mean > accuracy:
        about = "The model is too sure of itself: it is right less often than its confidence says."
    else:
        about = "The model is more careful than it needs to be: it is right more often than its confidence says."
    return Calibration(tuple(bins), error, mean, accuracy, Plane(nice_axis(0, 1), nice_axis(0, 1)), about)
