import numpy as np
import pytest

from stridednet.data.fold_assignment import assign_folds
from stridednet.errors import DataError


@pytest.mark.parametrize("seed", range(4))
def test_folds_are_stratified_and_keep_copies_together(seed: int) -> None:
    rng = np.random.default_rng(seed)
    classes = np.sort(rng.choice(3, 300, p=[0.6, 0.3, 0.1]))
    groups = [rows.tolist() for rows in np.split(rng.choice(300, 7, replace=False), [2, 4])]
    folds = assign_folds(classes, groups, 5, seed)
    assert set(folds) == set(range(5))
    for group in groups:
        assert len({folds[row] for row in group}) == 1
    for number in range(3):
        sizes = np.bincount(folds[classes == number], minlength=5)
        assert sizes.max() - sizes.min() <= 4
    assert not np.array_equal(folds, assign_folds(classes, groups, 5, seed + 10))
    assert np.array_equal(folds, assign_folds(classes, groups, 5, seed))


def test_a_small_class_is_no_error_but_small_data_is() -> None:
    classes = np.array([0] * 20 + [1] * 2)
    assert sorted(np.bincount(assign_folds(classes, [], 5, 0))) == [4, 4, 4, 5, 5]
    with pytest.raises(DataError, match="no class has 5 usable images"):
        assign_folds(np.array([0] * 4 + [1] * 4), [], 5, 0)
