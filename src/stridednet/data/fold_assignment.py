"""Divide pictures into folds, so that each is measured once by a model that was trained on the other folds."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stridednet.data.manifest import Manifest
from stridednet.data.split import Split, require
from stridednet.errors import DataError


@dataclass(frozen=True)
class Fold:
    """One part of a division of the training pictures into ``count`` parts; ``repetition`` seeds the division."""

    repetition: int
    number: int  # from 0 to count - 1
    count: int


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


def with_fold_as_val(whole: Split, manifest: Manifest, groups: Sequence[Sequence[int]], fold: Fold) -> Split:
    """Divide train and val into folds; one becomes the new val subset, the others train. Test is unchanged.

    Args:
        whole: The current split.
        manifest: The pictures that it splits.
        groups: Rows of pictures that are copies of each other.
        fold: The fold that is measured.

    Raises:
        DataError: A class has fewer than two pictures, or no class has as many as there are folds.
    """
    rows = np.sort(np.concatenate([whole.train, whole.val]))
    labels = np.array([manifest.pictures[row].label for row in rows], dtype=object)
    require(manifest, labels, 2)
    _, classes = np.unique(labels.astype(str), return_inverse=True)
    place_of = {int(row): place for place, row in enumerate(rows)}
    inside = [[place_of[row] for row in group if row in place_of] for group in groups]
    numbers = assign_folds(classes, [places for places in inside if places], fold.count, fold.repetition)
    measured = numbers == fold.number
    return replace(whole, train=rows[~measured], val=rows[measured])
