"""Class balance: the number of pictures of each class, and classes that have few."""

from collections import Counter
from dataclasses import dataclass

from stridednet.checking.issue import CLASS, Issue
from stridednet.data.manifest import Manifest

_SMALLER = 10  # times smaller than the largest class


@dataclass(frozen=True)
class ClassSize:
    """Number of pictures of a class, in total and in each predefined subset."""

    label: str
    total: int
    subsets: dict[str, int]


def class_sizes(manifest: Manifest) -> list[ClassSize]:
    """Return the number of pictures of each class, in the order of the classes."""
    count = Counter((picture.label, picture.subset) for picture in manifest.pictures)
    subsets = [name for name in ("train", "val", "test") if any(name == subset for _, subset in count)]
    return [
        ClassSize(
            label,
            sum(number for (name, _), number in count.items() if name == label),
            {subset: count[label, subset] for subset in subsets},  # type: ignore[index]  # names are subsets
        )
        for label in manifest.labels
    ]


def find_small_classes(sizes: list[ClassSize], least: int) -> list[Issue]:
    """Return the classes that have few pictures, the smallest first.

    Args:
        sizes: The classes.
        least: Number of pictures, one for each fold, below which the labels of a class cannot be checked.
    """
    largest = max(size.total for size in sizes)
    issues = []
    for size in sorted(sizes, key=lambda size: size.total):
        details = []
        if size.total < least:
            details.append(f"fewer pictures than folds, so that its labels were not checked: {size.total}")
        elif size.total * _SMALLER <= largest:
            details.append(f"{size.total:,} pictures, the largest class has {largest:,}")
        details += [f"no pictures in {subset}" for subset, number in size.subsets.items() if not number]
        if details:
            issues.append(Issue(CLASS, size.label, size.label, "; ".join(details), score=float(size.total)))
    return issues
