"""Split a manifest into disjoint subsets: the predefined ones, or a stratified random split."""

from collections import Counter
from collections.abc import Sequence
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
    ``unused`` contains the pictures that are in no subset. ``moved`` is the number of pictures that were moved after
    the draw, so that copies are in the same subset.
    """

    train: Rows
    val: Rows
    test: Rows
    origin: Literal["own", "stratified", "per class"] = "own"
    unused: Rows = field(default_factory=lambda: np.array([], dtype=np.intp))
    moved: int = 0

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
        require(manifest, labels[train], 1)
        return Split(train, val, test)

    require(manifest, labels[train], 2)
    from sklearn.model_selection import train_test_split

    try:
        train, test = train_test_split(train, test_size=test_size, stratify=labels[train], random_state=seed)
    except ValueError as error:  # a subset would have fewer images than there are classes
        raise DataError(
            f"{manifest.shown_root}: {len(labels)} images of {len(manifest.labels)} classes are too few for "
            f"test_size={test_size}: {error}"
        ) from None
    require(manifest, labels[train], 1)
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
    require(manifest, labels, train + 1)
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
    require(manifest, labels, 2)
    try:
        train, val = train_test_split(rows, test_size=val_size, stratify=labels, random_state=seed)
    except ValueError as error:
        raise DataError(
            f"{manifest.shown_root}: {len(rows)} training images of {len(manifest.labels)} classes are too few for a "
            f"val subset of {val_size:.0%}: {error}"
        ) from None
    return replace(whole, train=train, val=val)


def with_copies_together(drawn: Split, manifest: Manifest, groups: Sequence[Sequence[int]], other: str) -> Split:
    """Move pictures so that each group of copies is in one of two subsets that were drawn; all others stay.

    A group that is divided goes to the subset of its first picture, or to train if a class would otherwise have no
    training images. With a number of images per class, which is kept, its test images become unused instead.

    Args:
        drawn: The split.
        manifest: The pictures that it splits.
        groups: The rows of pictures that are copies of each other.
        other: The subset that was drawn together with train: ``"val"`` or ``"test"``.

    Raises:
        DataError: No picture is left in the other subset.
    """
    subset_of = drawn.subset_of()
    members = [[row for row in group if subset_of[row] in ("train", other)] for group in groups]
    divided = [rows for rows in members if len({subset_of[row] for row in rows}) == 2]
    labels = [picture.label for picture in manifest.pictures]
    goal = {row: subset_of[rows[0]] for rows in divided for row in rows}
    if drawn.origin == "per class" and other == "test":
        goal = {row: "train" if subset_of[row] == "train" else "unused" for row in goal}
    trained = {labels[row] for row, subset in (subset_of | goal).items() if subset == "train"}
    for rows in divided:
        if any(labels[row] not in trained for row in rows):
            goal |= dict.fromkeys(rows, "train")

    def rows_of(subset: str) -> Rows:
        staying = [row for row in drawn.rows(subset) if goal.get(int(row), subset) == subset]
        arriving = sorted(row for row in goal if goal[row] == subset != subset_of[row])
        return np.array([*staying, *arriving], np.intp)

    if not len(rows_of(other)):
        raise DataError(
            f"{manifest.shown_root}: all pictures that were drawn for {other} are copies of training pictures; add "
            "other pictures, or turn `group_copies` off"
        )
    moved = drawn.moved + sum(goal[row] != subset_of[row] for row in goal)
    if other == "val":
        return replace(drawn, train=rows_of("train"), val=rows_of("val"), moved=moved)
    return replace(drawn, train=rows_of("train"), test=rows_of("test"), unused=np.sort(rows_of("unused")), moved=moved)


def require(manifest: Manifest, labels: NDArray[np.object_], least: int) -> None:
    """Raise a `DataError` unless each class of a manifest has at least ``least`` of the labels ``(n,)``."""
    count = Counter(labels.tolist())
    small = [label for label in manifest.labels if count[label] < least]
    if len(small) == 1:
        raise DataError(
            f"class '{shown(small[0])}' in {manifest.shown_root} has too few usable images to split: "
            f"{count[small[0]]}, but at least {least} are required; add some, or select other classes with `labels`"
        )
    if small:
        counts = ", ".join(f"'{shown(label)}' ({count[label]})" for label in small)
        raise DataError(
            f"classes {counts} in {manifest.shown_root} have too few usable images to split: at least {least} are "
            "required; add some, or select other classes with `labels`"
        )
