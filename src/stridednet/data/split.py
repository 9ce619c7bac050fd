"""Split a manifest into disjoint subsets: the predefined ones, or a stratified random split."""

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stridednet.data.manifest import Manifest
from stridednet.data.tree import shown
from stridednet.errors import DataError

Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Split:
    """The subsets of a manifest's pictures, each an array ``(n,)`` of indices into ``Manifest.pictures``.

    Without a val subset, the validation curve is measured on test, as in the tutorial: it is drawn and labeled as such,
    and selects nothing. ``origin`` tells whether the subsets are predefined (``"own"``) or how they were drawn;
    ``unused`` contains the pictures that are in no subset.
    """

    train: Rows
    val: Rows
    test: Rows
    origin: Literal["own", "stratified", "per class"] = "own"
    unused: Rows = field(default_factory=lambda: np.array([], dtype=np.intp))

    @property
    def curve(self) -> str:
        """Name of the subset that is evaluated after each epoch."""
        return "val" if len(self.val) else "test"

    @property
    def report(self) -> str:
        """Name of the subset that the final report is measured on."""
        return "test" if len(self.test) else "val"

    def rows(self, subset: str) -> Rows:
        """Return the rows of the subset with the given name."""
        return {"train": self.train, "val": self.val, "test": self.test, "unused": self.unused}[subset]

    def subset_of(self) -> dict[int, str]:
        """Return a mapping from each row to the name of its subset."""
        return {int(row): subset for subset in ("train", "val", "test", "unused") for row in self.rows(subset)}


def split(manifest: Manifest, test_size: float, seed: int) -> Split:
    """Split the pictures of a manifest into subsets.

    Predefined subsets are kept. If there are none, or only training images, a test subset is drawn from these,
    stratified by class, with scikit-learn's ``train_test_split(..., stratify=labels, random_state=seed)``.

    Args:
        manifest: The pictures, as returned by `scan`.
        test_size: Fraction of the images in the test subset; not used with predefined subsets.
        seed: Random seed of the split.

    Raises:
        DataError: A class has too few images for all subsets.
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
    except ValueError as error:  # a subset would have fewer images than there are classes
        raise DataError(
            f"{manifest.shown_root}: {len(labels)} images of {len(manifest.labels)} classes are too few for "
            f"test_size={test_size}: {error}"
        ) from None
    _require(manifest, labels[train], 1)
    return Split(train, val, test, origin="stratified")


def split_per_class(manifest: Manifest, train: int, test: int, seed: int) -> Split:
    """Draw the same number of training images from each class, and test images from the rest.

    This is the usual protocol of CALTECH-101, with the mean of the per-class accuracies, since class sizes differ.

    Args:
        manifest: Pictures without predefined subsets.
        train: Training images per class.
        test: Maximum number of test images per class; 0 for all remaining images.
        seed: Random seed of the split.

    Raises:
        DataError: A class has no images left to test on, or the data set has predefined subsets.
    """
    if any(picture.subset not in (None, "train") for picture in manifest.pictures):
        raise DataError(f"{manifest.shown_root} has predefined subsets; omit `train_per_class` to use them")
    labels = np.array([picture.label for picture in manifest.pictures], dtype=object)
    _require(manifest, labels, train + 1)
    rng = np.random.default_rng(seed)
    drawn = [rng.permutation(np.flatnonzero(labels == label)) for label in manifest.labels]
    end = train + test if test else None
    parts = [np.concatenate([rows[part] for rows in drawn]) for part in (slice(train), slice(train, end))]
    unused = np.setdiff1d(np.arange(len(labels)), np.concatenate(parts))
    return Split(parts[0], unused[:0], parts[1], origin="per class", unused=unused)


def with_fold(whole: Split, manifest: Manifest, val_size: float, seed: int) -> Split:
    """Draw a new val subset from the training images and the current val subset. The test subset is unchanged.

    The split is stratified by class: scikit-learn's ``train_test_split(..., stratify=labels, random_state=seed)``.

    Args:
        whole: The current split.
        manifest: The pictures that it splits.
        val_size: Fraction of the images in the new val subset.
        seed: Random seed of the split.

    Raises:
        DataError: A class has too few images for both subsets.
    """
    from sklearn.model_selection import train_test_split

    rows = np.concatenate([whole.train, whole.val])
    labels = np.array([manifest.pictures[row].label for row in rows], dtype=object)
    _require(manifest, labels, 2)
    try:
        train, val = train_test_split(rows, test_size=val_size, stratify=labels, random_state=seed)
    except ValueError as error:
        raise DataError(
            f"{manifest.shown_root}: {len(rows)} training images of {len(manifest.labels)} classes are too few for a "
            f"val subset of {val_size:.0%}: {error}"
        ) from None
    return replace(whole, train=train, val=val)


def _require(manifest: Manifest, labels: NDArray[np.object_], least: int) -> None:
    count = Counter(labels.tolist())
    for label in manifest.labels:
        if count[label] < least:
            raise DataError(
                f"class '{shown(label)}' in {manifest.shown_root} has too few usable images to split: {count[label]}, "
                f"but at least {least} are required; add some, or select other classes with `labels`"
            )
