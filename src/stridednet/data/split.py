"""A manifest -> disjoint subsets: those that the data set brings, or a stratified, seeded split."""

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stridednet.data.scan import Manifest, printable
from stridednet.errors import DataError

Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Split:
    """Which of the manifest's pictures are in which subset; each array holds row numbers, ``(n,)``.

    ``curve`` is what the per-epoch validation is measured on, ``report`` what the final report is measured on, each by
    the name of its subset. Where there is no val subset, the curve is measured on test, as in the tutorial: it is drawn
    and labelled, and chooses nothing. ``origin`` says whether the subsets are the data set's own, or how they
    were drawn; ``unused`` holds what is in none of them.
    """

    train: Rows
    val: Rows
    test: Rows
    origin: Literal["own", "stratified", "per class"] = "own"
    unused: Rows = field(default_factory=lambda: np.array([], dtype=np.intp))

    @property
    def curve(self) -> str:
        """The subset of the per-epoch validation."""
        return "val" if len(self.val) else "test"

    @property
    def report(self) -> str:
        """The subset of the final report."""
        return "test" if len(self.test) else "val"

    def rows(self, subset: str) -> Rows:
        """Return the rows of a subset by its name."""
        return {"train": self.train, "val": self.val, "test": self.test, "unused": self.unused}[subset]

    def subset_of(self) -> dict[int, str]:
        """Return the subset of each row."""
        return {int(row): subset for subset in ("train", "val", "test", "unused") for row in self.rows(subset)}


def split(manifest: Manifest, test_size: float, seed: int) -> Split:
    """Divide the pictures of a manifest.

    The data set's own subsets are kept. Where it brings none, or only training images, a test subset is drawn from
    them, stratified by class: ``train_test_split(test_size, stratify=labels, random_state=seed)`` of scikit-learn.

    Raises:
        DataError: A class has too few images for each subset to get one.
    """
    subsets = np.array([picture.subset or "train" for picture in manifest.pictures])
    train, val, test = (np.flatnonzero(subsets == name) for name in ("train", "val", "test"))
    labels = np.array([picture.label for picture in manifest.pictures], dtype=object)
    if len(val) or len(test):
        _require(manifest, labels[train], 1)
        return Split(train, val, test)

    _require(manifest, labels[train], 2)
    from sklearn.model_selection import train_test_split

    try:
        train, test = train_test_split(train, test_size=test_size, stratify=labels[train], random_state=seed)
    except ValueError as error:  # fewer images in one of the subsets than there are classes
        raise DataError(
            f"{manifest.root}: {len(labels)} images of {len(manifest.labels)} classes are too few for a test_size of "
            f"{test_size}: {error}"
        ) from None
    _require(manifest, labels[train], 1)
    return Split(train, val, test, origin="stratified")


def split_per_class(manifest: Manifest, train: int, test: int, seed: int) -> Split:
    """Draw the same number of training images from each class, and test on others; what is left over is not used.

    This is how CALTECH-101 is reported, with the mean of the classes' accuracies, since their sizes differ.

    Args:
        manifest: Pictures without subsets of their own.
        train: Training images of each class.
        test: Test images of each class at the most; 0 for all that are left.
        seed: Of the draw.

    Raises:
        DataError: A class has no image left to test on, or the data set brings its own subsets.
    """
    if any(picture.subset not in (None, "train") for picture in manifest.pictures):
        raise DataError(f"{manifest.root} brings its own subsets, so none can be drawn; leave --protocol away")
    labels = np.array([picture.label for picture in manifest.pictures], dtype=object)
    _require(manifest, labels, train + 1)
    rng = np.random.default_rng(seed)
    drawn = [rng.permutation(np.flatnonzero(labels == label)) for label in manifest.labels]
    end = train + test if test else None
    parts = [np.concatenate([rows[part] for rows in drawn]) for part in (slice(train), slice(train, end))]
    unused = np.setdiff1d(np.arange(len(labels)), np.concatenate(parts))
    return Split(parts[0], unused[:0], parts[1], origin="per class", unused=unused)


def with_fold(whole: Split, manifest: Manifest, val_size: float, seed: int) -> Split:
    """Draw a val subset anew from the training images, and from a val subset that is there already; test stays.

    Stratified by class, ``train_test_split(val_size, stratify=labels, random_state=seed)`` of scikit-learn.

    Raises:
        DataError: A class has too few images for both to get one.
    """
    from sklearn.model_selection import train_test_split

    rows = np.concatenate([whole.train, whole.val])
    labels = np.array([manifest.pictures[row].label for row in rows], dtype=object)
    _require(manifest, labels, 2)
    try:
        train, val = train_test_split(rows, test_size=val_size, stratify=labels, random_state=seed)
    except ValueError as error:
        raise DataError(
            f"{manifest.root}: {len(rows)} training images of {len(manifest.labels)} classes are too few to draw a val "
            f"subset from: {error}"
        ) from None
    return replace(whole, train=train, val=val)


def _require(manifest: Manifest, labels: NDArray[np.object_], least: int) -> None:
    count = Counter(labels.tolist())
    for label in manifest.labels:
        if count[label] < least:
            raise DataError(
                f"class '{printable(label)}' in {manifest.root} has too few usable images to split: {count[label]}, "
                f"and it takes {least} or more; add some, or choose --labels"
            )
