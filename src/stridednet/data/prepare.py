"""Prepare a data set for training: scan, decode and split it, and report what was found and skipped."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stridednet.data.batches import Batch, in_order, one_hot
from stridednet.data.cache import Pictures, load_pictures
from stridednet.data.duplicates import Duplicate, find_duplicates
from stridednet.data.manifest import Manifest
from stridednet.data.scan import scan
from stridednet.data.split import Split, split, split_per_class, with_fold
from stridednet.data.tree import shown
from stridednet.errors import DataError
from stridednet.settings import DataSettings


@dataclass(frozen=True)
class TrainingData:
    """Decoded pictures, their one-hot targets ``(n, classes)`` and their subsets.

    ``hash`` is the SHA-256 of the content, label and subset of all pictures, in order.
    """

    pictures: Pictures
    split: Split
    targets: NDArray[np.float32]
    duplicates: list[Duplicate]
    hash: str

    @property
    def manifest(self) -> Manifest:
        """The usable pictures, and the problems of all others."""
        return self.pictures.manifest

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, in the order of the model's outputs."""
        return self.manifest.labels

    def fold(self, val_size: float, seed: int) -> "TrainingData":
        """Return the same pictures with a new val subset drawn from the training pictures.

        Raises:
            DataError: A class has too few images.
        """
        divided = with_fold(self.split, self.manifest, val_size, seed)
        return replace(self, split=divided, hash=_hash(self.pictures, divided.subset_of()))

    def batches(self, subset: str) -> Iterator[Batch]:
        """Yield the unmodified images of a subset."""
        rows = self.split.rows(subset)
        return in_order(self.pictures.images, self.pictures.stored[rows], self.targets[rows])


def prepare(
    settings: DataSettings, image_size: int, say: Callable[[str], None], measured_on: str | None = None
) -> TrainingData:
    """Scan, decode and split a data set.

    Args:
        settings: The data set, and how to split it.
        image_size: Height and width of the images, in pixels.
        say: Called with one-line messages about what was found, skipped and duplicated.
        measured_on: How to describe what is measured on which subset; None to name the subsets of the validation curve
            and of the final report.

    Raises:
        DataError: The data set cannot be used, or ``settings.strict`` is set and a file has a problem.
    """
    scanned = scan(
        settings.dataset,
        settings.labels,
        labels_from=settings.labels_from,
        exclude=settings.exclude,
        skip_empty=settings.skip_empty,
    )
    say(f"{len(scanned.pictures):,} pictures of {len(scanned.labels)} classes in {scanned.shown_root}")
    if scanned.ignored_folders and not settings.labels:
        say(f"ignored folders: {', '.join(map(shown, scanned.ignored_folders))}")
    for note in scanned.notes:
        say(note)
    pictures = load_pictures(scanned, image_size)
    manifest = pictures.manifest
    _report_problems(manifest, settings.strict, say)
    divided = _divided(manifest, settings)
    subset_of = divided.subset_of()
    sizes = [(name, len(divided.rows(name))) for name in ("train", "val", "test", "unused")]
    origin = {
        "own": "predefined subsets",
        "stratified": "stratified split",
        "per class": f"{settings.train_per_class} training pictures per class",
    }[divided.origin]
    say(
        f"{origin}: {', '.join(f'{size:,} {name}' for name, size in sizes if size)}; "
        + (measured_on or f"validation curve on {divided.curve}, report on {divided.report}")
    )
    duplicates = find_duplicates(pictures, subset_of)
    for duplicate in duplicates:
        say(f"identical pictures in different {duplicate.across}: {', '.join(map(shown, duplicate.paths))}")
    targets = one_hot([picture.label for picture in manifest.pictures], manifest.labels)
    return TrainingData(pictures, divided, targets, duplicates, _hash(pictures, subset_of))


def _divided(manifest: Manifest, settings: DataSettings) -> Split:
    if settings.train_per_class:
        return split_per_class(manifest, settings.train_per_class, settings.test_per_class, settings.split_seed)
    return split(manifest, settings.test_size, settings.split_seed)


def _report_problems(manifest: Manifest, strict: bool, say: Callable[[str], None]) -> None:
    problems = manifest.problems
    if problems and strict:
        remedy = "it" if len(problems) == 1 else f"all {len(problems):,} unusable files"
        path = shown(manifest.relative(problems[0].path))
        raise DataError(
            f"{manifest.shown_root}/{path}: {problems[0].reason}; repair or remove {remedy}, or omit `strict`"
        )
    for problem in problems:
        say(f"skipped {shown(manifest.relative(problem.path))}: {problem.reason}")
    if problems:
        say(f"skipped {len(problems):,} {'file' if len(problems) == 1 else 'files'} in total")


def _hash(pictures: Pictures, subset_of: dict[int, str]) -> str:
    rows = enumerate(zip(pictures.manifest.pictures, pictures.digests, strict=True))
    lines = [f"{digest} {subset_of[row]} {picture.label}" for row, (picture, digest) in rows]
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
