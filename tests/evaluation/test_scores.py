"""Scores against scikit-learn, and against values computed by hand."""

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    confusion_matrix,
    f1_score,
    precision_recall_fscore_support,
    top_k_accuracy_score,
)

from stridednet.evaluation.intervals import wilson
from stridednet.evaluation.predictions import Predictions
from stridednet.evaluation.reliability import reliability
from stridednet.evaluation.scores import brier_score, scores


def _predictions(n: int, classes: int, seed: int = 0, sharpness: float = 2.0) -> Predictions:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, n)
    logits = rng.normal(size=(n, classes))
    logits[np.arange(n), truth] += 1
    powers = np.exp(sharpness * logits)
    probabilities = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
    labels = tuple(f"class {number}" for number in range(classes))
    return Predictions(labels, tuple(f"{row}.png" for row in range(n)), truth, probabilities)


@pytest.fixture(scope="module")
def seven() -> Predictions:
    return _predictions(300, 7)


def test_scores_are_those_of_scikit_learn(seven: Predictions) -> None:
    found, truth, guess = scores(seven), seven.truth, seven.guess
    assert found.accuracy.value == pytest.approx(accuracy_score(truth, guess))
    assert found.accuracy.interval == wilson(int((truth == guess).sum()), 300)
    assert found.mean_class_accuracy.value == pytest.approx(balanced_accuracy_score(truth, guess))
    assert found.macro_f1.value == pytest.approx(f1_score(truth, guess, average="macro"))
    assert found.weighted_f1.value == pytest.approx(f1_score(truth, guess, average="weighted"))
    assert {k: score.value for k, score in found.top_k.items()} == pytest.approx(
        {k: top_k_accuracy_score(truth, seven.probabilities, k=k) for k in (3, 5)}
    )
    np.testing.assert_array_equal(found.confusion, confusion_matrix(truth, guess))
    precision, recall, f1, support = precision_recall_fscore_support(truth, guess)
    for column, one in enumerate(found.classes):
        assert one.precision
        assert one.recall
        assert one.f1
        assert (one.precision.value, one.recall.value, one.f1.value) == pytest.approx(
            (precision[column], recall[column], f1[column])
        )
        assert one.pictures == support[column]
        for score in (one.precision, one.recall, one.f1):
            assert score.interval
            assert score.interval[0] < score.value < score.interval[1]


def test_brier_score_by_hand() -> None:
    probabilities = np.array([[0.7, 0.2, 0.1], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], np.float32)
    three = Predictions(("a", "b", "c"), ("1", "2", "3"), np.array([0, 1, 0]), probabilities)
    # 0.3**2 + 0.2**2 + 0.1**2 = 0.14; certain and right: 0; certain and wrong: 2.
    assert brier_score(three) == pytest.approx((0.14 + 0 + 2) / 3)


def test_what_cannot_be_measured_is_none() -> None:
    """No pictures of b, and nothing predicted as c."""
    probabilities = np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.7, 0.2, 0.1]], np.float32)
    found = scores(Predictions(("a", "b", "c"), ("1", "2", "3"), np.array([0, 0, 2]), probabilities))
    a, b, c = found.classes
    assert (b.recall, b.f1, c.precision) == (None, None, None)
    assert b.precision
    assert b.precision.value == 0
    assert c.f1
    assert c.f1.value == 0
    assert a.recall
    assert a.recall.value == 0.5
    assert found.mean_class_accuracy.value == pytest.approx((0.5 + 0) / 2)  # of a and c
    assert found.top_k == {}  # with three classes, the three most probable ones are all of them
    assert c.as_dict()["precision"] is None


def test_ties_count_as_in_argmax() -> None:
    """A model that cannot tell classes apart has no better top-k accuracy than its order of classes gives."""
    n = 40
    truth = np.arange(n) % 4
    equal = Predictions(("a", "b", "c", "d"), ("",) * n, truth, np.full((n, 4), 0.25, np.float32))
    assert scores(equal).top_k[3].value == 0.75
    assert scores(equal).accuracy.value == 0.25


@pytest.mark.parametrize("sharpness", [0.5, 2.0])
def test_reliability_is_that_of_scikit_learn(sharpness: float) -> None:
    predictions = _predictions(500, 4, seed=5, sharpness=sharpness)
    found = reliability(predictions)
    right = (predictions.guess == predictions.truth).astype(int)
    accuracy, confidence = calibration_curve(right, predictions.confidence, n_bins=10)
    filled = [one for one in found.bins if one.pictures]
    assert [one.accuracy for one in filled] == pytest.approx(accuracy.tolist())
    assert [one.confidence for one in filled] == pytest.approx(confidence.tolist(), abs=1e-6)
    assert sum(one.pictures for one in found.bins) == 500
    weights = np.array([one.pictures for one in filled]) / 500
    assert found.error == pytest.approx((weights * np.abs(accuracy - confidence)).sum(), abs=1e-6)
    for one in filled:
        assert one.accuracy is not None
        assert one.interval == wilson(round(one.accuracy * one.pictures), one.pictures)


def test_empty_bins_have_no_numbers() -> None:
    certain = Predictions(("a", "b"), ("1",), np.array([0]), np.array([[1.0, 0.0]], np.float32))
    *others, last = reliability(certain).bins
    assert last.pictures == 1
    assert {(one.pictures, one.accuracy, one.interval) for one in others} == {(0, None, None)}


def test_no_pictures() -> None:
    nothing = Predictions(("a", "b"), (), np.empty(0, np.intp), np.empty((0, 2), np.float32))
    for function in (scores, reliability):
        with pytest.raises(ValueError, match="at least one picture"):
            function(nothing)
