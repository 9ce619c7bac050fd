"""Which labels may be wrong, by confident learning (Northcutt, Jiang and Chuang 2021), as cleanlab computes it."""

import importlib.util
import warnings
from dataclasses import dataclass

import numpy as np

from stridednet.errors import InputError
from stridednet.evaluation.predictions import Predictions

# Of cleanlab's filters, the one whose precision and recall were both highest in the worst case: 0.85 and 0.91 over
# seven seeds, with 3% of the labels of four classes flipped. `benchmarks/label_issues.py` reports other seeds.
_FILTER = "prune_by_class"


@dataclass(frozen=True)
class Suspect:
    """A label issue: a picture that the model assigns to another class than its label, and is confident about.

    Args:
        row: The picture, as a row of the predictions.
        given: The label of the picture.
        suggested: The class that the model considers the most probable one.
        score: cleanlab's label quality, the model's probability of the given label; 0 is the worst.
    """

    row: int
    given: str
    suggested: str
    score: float


def require_cleanlab() -> None:
    """Check that cleanlab is installed, without importing it.

    Raises:
        InputError: It is not.
    """
    if importlib.util.find_spec("cleanlab") is None:
        raise InputError(
            "label issues are found with cleanlab, which is not installed: pip install 'stridednet[check]'"
        )


def suspected(predictions: Predictions) -> list[Suspect]:
    """Return the pictures whose labels may be wrong, the worst first.

    Args:
        predictions: Probabilities from models that were not trained on the pictures: of a test subset, or out of fold.
            On a training subset, a model has learned its wrong labels too.

    Raises:
        InputError: cleanlab is not installed.
    """
    require_cleanlab()
    if not len(predictions.truth):
        return []
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    # cleanlab compares classes that have pictures only, so that others are left out of the columns.
    present = np.unique(predictions.truth)
    if len(present) < 2:
        return []
    column = np.searchsorted(present, predictions.truth)
    probabilities = predictions.probabilities[:, present].astype(np.float64)
    total = probabilities.sum(axis=1, keepdims=True)
    probabilities = np.where(total > 0, probabilities / np.where(total > 0, total, 1), 1 / len(present))
    with warnings.catch_warnings():
        # Of a class with a single picture, cleanlab flags none and warns.
        warnings.filterwarnings("ignore", "May not flag all label issues", UserWarning)
        # One process: starting more takes longer than the work.
        flagged = find_label_issues(column, probabilities, filter_by=_FILTER, n_jobs=1)
    scores = get_label_quality_scores(column, probabilities, method="self_confidence")
    rows = np.flatnonzero(flagged)
    worst_first = rows[np.argsort(scores[rows], kind="stable")]
    guess = present[probabilities.argmax(axis=1)]
    labels = predictions.labels
    return [
        Suspect(int(row), labels[predictions.truth[row]], labels[guess[row]], float(scores[row])) for row in worst_first
    ]
