import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from stridednet.data.balance import advice, balanced_weights, imbalance


def _targets(*counts: int) -> np.ndarray:
    return np.repeat(np.eye(len(counts), dtype=np.float32), counts, axis=0)


@pytest.mark.parametrize("counts", [(3, 3), (1, 2, 7), (598, 15, 600, 326)])
def test_weights_are_those_of_scikit_learn(counts: tuple[int, ...]) -> None:
    targets = _targets(*counts)
    expected = compute_class_weight("balanced", classes=np.arange(len(counts)), y=targets.argmax(axis=1))
    weights = balanced_weights(targets)
    assert weights.dtype == np.float32
    assert np.allclose(weights, expected, rtol=1e-6)
    assert np.allclose(weights * counts, sum(counts) / len(counts))  # the same total weight
    assert np.mean(targets @ weights) == pytest.approx(1)


def test_a_class_without_images_has_no_weight() -> None:
    assert balanced_weights(_targets(2, 0, 4)).tolist() == pytest.approx([1, 0, 0.5])
    assert imbalance(_targets(2, 0, 4)) == 2


def test_advice_is_given_above_a_ratio_of_five() -> None:
    assert advice(_targets(2, 10), ["cat", "dog"]) is None
    assert advice(_targets(3, 2000, 16, 0), ["cat", "d\nog", "eel", "fox"]) == (
        "imbalanced classes: 2,000 training images of 'd\\nog', but only 3 images of 'cat'; the setting "
        "class_weights=auto gives all classes the same total weight in the loss"
    )
    assert "only 1 image of 'a'" in str(advice(_targets(1, 6), ["a", "b"]))
