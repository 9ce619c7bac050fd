"""Divide pictures into folds, so that each is measured once by a model that was trained on the other folds."""

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stridednet.errors import DataError


def assign_folds(classes: NDArray[np.intp], groups: Sequence[Sequence[int]], count: int, seed: int) -> NDArray[np.intp]:
    """Return the number of each picture's fold, ``(n,)``: stratified by class, with copies in the same fold.

    Args:
        classes: The class of each picture, ``(n,)``.
        groups: Rows of pictures that are copies of each other.
        count: Number of folds.
        seed: Random seed of the assignment.

    Raises:
        DataError: No class has as many pictures as there are folds.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    if np.bincount(classes).max() < count:
        raise DataError(f"no class has {count} usable images, one for each fold; use fewer `folds`, or add images")
    group_of = np.arange(len(classes))
    for rows in groups:
        group_of[list(rows)] = rows[0]
    folds = np.empty(len(classes), np.intp)
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # A class with fewer pictures than folds: the caller knows.
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        for number, (_, held_out) in enumerate(splitter.split(np.zeros(len(classes)), classes, group_of)):
            folds[held_out] = number
    return folds
