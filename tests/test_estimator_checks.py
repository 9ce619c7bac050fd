"""scikit-learn's own checks of estimators, applied to `Classifier`.

The checks make rows of features, which a `Classifier` refuses, so that scikit-learn skips nearly all of them for the
class itself. A subclass here turns each row into a gray image of one row of pixels, and changes nothing else. Checks
that are about rows or about the reading of other kinds of arrays do not apply; each is listed with its reason.
"""

from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import SkipTestWarning
from sklearn.utils import Tags
from sklearn.utils.estimator_checks import check_estimator, estimator_checks_generator

from stridednet import Classifier

_NO_SUCH_VALUES = "images are integers from 0 to 255, so that other arrays are refused with a message about their type"
_SHAPE = "images have a height and a width; what is wrong with a shape is said of both"
DO_NOT_APPLY = {
    "check_complex_data": _NO_SUCH_VALUES,
    "check_dtype_object": _NO_SUCH_VALUES,
    "check_estimators_nan_inf": _NO_SUCH_VALUES,
    "check_n_features_in_after_fitting": _SHAPE,
    "check_estimators_empty_data_messages": _SHAPE,
    "check_fit2d_predict1d": _SHAPE,
}
STATUSES = ("passed", "skipped", "xfail")
SKIP_THEMSELVES = {"check_array_api_input"}  # where the environment variable SCIPY_ARRAY_API is not set


class OfRows(Classifier):
    """A `Classifier` of rows of features, as images that are one pixel high."""

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        tags.input_tags.three_d_array = False
        return tags

    def fit(self, X: Any, y: Any) -> "OfRows":  # noqa: N803
        return super().fit(_images(X), y)

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: N803
        return super().predict_proba(_images(X))


def _images(rows: Any) -> Any:
    """Return ``(n, 1, features)`` for rows of finite numbers, which the sine brings into one range; others as given."""
    array = np.asarray(rows)
    if array.ndim != 2 or array.dtype.kind not in "iuf" or not np.isfinite(array).all():
        return rows
    return np.round(127.5 * (1 + np.sin(array))).astype(np.uint8)[:, None, :]


SMALL = {"model.filters": (4,), "model.dense_units": 8, "augmentation.horizontal_flip": False, "precision": "float32"}
SETTINGS = SMALL | {"optimizer.learning_rate": 0.01, "batch_size": 16}
ESTIMATOR = OfRows(epochs=4, image_size=8, settings=SETTINGS)


def test_scikit_learns_checks() -> None:
    results = check_estimator(ESTIMATOR, expected_failed_checks=DO_NOT_APPLY, on_fail=None, on_skip=None)
    assert {result["check_name"]: result["exception"] for result in results if result["status"] == "failed"} == {}
    outcome = {
        status: {result["check_name"] for result in results if result["status"] == status} for status in STATUSES
    }
    assert outcome["xfail"] == set(DO_NOT_APPLY)  # none of them would pass
    assert outcome["skipped"] <= SKIP_THEMSELVES
    assert len(outcome["passed"]) > 35


def test_scikit_learn_skips_the_other_checks_for_images() -> None:
    with pytest.warns(SkipTestWarning, match="requires input  of type"):
        names = [check.func.__name__ for _, check in estimator_checks_generator(Classifier())]
    assert names == ["check_estimator_cloneable"]
