import numpy as np
import pytest

from stridednet.evaluation.classification import classify


def test_numbers_computed_by_hand() -> None:
    truth = np.eye(3, dtype=np.float32)[[0, 0, 0, 1, 1, 2]]
    guess = np.eye(3, dtype=np.float32)[[0, 0, 1, 1, 1, 1]] * 0.6 + 0.1
    result = classify(guess, truth, ["cat", "dog", "fox"])
    assert result.accuracy == pytest.approx(4 / 6)
    assert result.numbers["confusion"] == [[2, 1, 0], [0, 2, 0], [0, 1, 0]]
    cat, dog, fox = (result.numbers["classes"][label] for label in ("cat", "dog", "fox"))
    assert (cat["precision"], cat["recall"], cat["support"]) == (1.0, pytest.approx(2 / 3), 3)
    assert (dog["precision"], dog["recall"]) == (0.5, 1.0)
    assert (fox["precision"], fox["recall"], fox["f1-score"]) == (0.0, 0.0, 0.0)
    assert result.numbers["macro_f1"] == pytest.approx((0.8 + 2 / 3 + 0) / 3)
    assert result.numbers["support"] == 6
    assert "accuracy                           0.67         6" in result.text


def test_classes_may_be_named_like_averages() -> None:
    truth = np.eye(3, dtype=np.float32)[[0, 0, 1, 2]]
    guess = np.eye(3, dtype=np.float32)[[0, 1, 1, 2]]
    classes = classify(guess, truth, ["accuracy", "macro avg", "0"]).numbers["classes"]
    assert [classes[label]["recall"] for label in ("accuracy", "macro avg", "0")] == [0.5, 1.0, 1.0]


def test_a_class_without_test_images_is_in_the_report() -> None:
    truth = np.eye(3, dtype=np.float32)[[0, 1]]
    result = classify(truth, truth, ["cat", "dog", "fox"])
    assert result.accuracy == 1.0
    assert result.numbers["classes"]["fox"]["support"] == 0
