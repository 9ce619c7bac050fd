"""The reliability diagram of the page: how often the model is right when it says how sure it is."""

from dataclasses import dataclass

from stridednet.evaluation.page.chart import Plane, nice_axis
from stridednet.evaluation.predictions import Predictions
from stridednet.evaluation.reliability import Bin, reliability

_CLOSE = 0.05  # expected calibration error up to which confidence is called about right


@dataclass(frozen=True)
class Calibration:
    """The bins, the expected calibration error, the means, where they are drawn, and what they mean."""

    bins: tuple[Bin, ...]
    error: float
    confidence: float
    accuracy: float
    plane: Plane
    about: str


def calibration(predictions: Predictions) -> Calibration | None:
    """Return how confidence and accuracy compare; None without pictures."""
    if not len(predictions.truth):
        return None
    found = reliability(predictions)
    if found.error <= _CLOSE:
        about = "When the model says 80%, it is right in about 80% of the cases."
    elif found.confidence > found.accuracy:
        about = "The model is too sure of itself: it is right less often than its confidence says."
    else:
        about = "The model is more careful than it needs to be: it is right more often than its confidence says."
    plane = Plane(nice_axis(0, 1), nice_axis(0, 1))
    return Calibration(found.bins, found.error, found.confidence, found.accuracy, plane, about)
