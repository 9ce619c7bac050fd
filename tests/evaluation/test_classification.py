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


def test_averages_are_over_the_classes_that_are_present() -> None:
    truth = np.eye(3, dtype=np.float32)[[0, 1] * 4]
    result = classify(truth, truth, ["cat", "dog", "fox"])
    assert (result.numbers["mean_class_accuracy"], result.numbers["macro_f1"]) == (1.0, 1.0)
    assert result.numbers["missing"] == ["fox"]
    assert "   macro avg       1.00      1.00      1.00         8\n" in result.text
    assert result.text.endswith("no test images: fox; the averages are over the other classes\n")
    guess = np.eye(3, dtype=np.float32)[[0, 2] + [0, 1] * 3]
    result = classify(guess, truth, ["cat", "dog", "fox"])
    assert result.numbers["mean_class_accuracy"] == pytest.approx((1 + 3 / 4) / 2)
    assert (result.accuracy, result.numbers["classes"]["fox"]["precision"]) == (7 / 8, 0.0)
    assert "    accuracy                           0.88         8\n" in result.text
    assert "   macro avg       1.00      0.88      0.93         8\n" in result.text
    everything = classify(truth[:, :2], truth[:, :2], ["cat", "dog"])
    assert everything.numbers["missing"] == []
    assert "no test images" not in everything.text
