"""Prepare a data set for training: scan, decode and split it, and report what was found and skipped."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stridednet.data.batches import Batch, in_order, one_hot
from stridednet.data.cache import Pictures, load_pictures
from stridednet.data.copies import Copies, find_copies
from stridednet.data.duplicates import Duplicate, find_duplicates
from stridednet.data.fold_assignment import Fold, with_fold_as_val
from stridednet.data.manifest import Manifest, Problem
from stridednet.data.scan import scan
from stridednet.data.split import Split, split, split_per_class, with_copies_together, with_fold
from stridednet.data.tree import shown
from stridednet.errors import DataError
from stridednet.settings import DataSettings, ResizeRule

_MAX_LINES = 12  # about files that cannot be used
_MAX_DUPLICATES = 3  # groups that are listed


@dataclass(frozen=True)
class TrainingData:
    """Decoded pictures, their one-hot targets ``(n, classes)`` and their subsets.

    ``hash`` is the SHA-256 of the content, label and subset of all pictures, in order. ``copies`` are the pictures that
    are copies of each other, and ``grouped`` those groups that are kept together when a subset is drawn.
    """

    pictures: Pictures
    split: Split
    targets: NDArray[np.float32]
    duplicates: list[Duplicate]
    hash: str
    copies: Copies
    grouped: tuple[tuple[int, ...], ...]

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
        drawn = with_fold(self.split, self.manifest, val_size, seed)
        divided = with_copies_together(drawn, self.manifest, self.grouped, "val")
        return replace(self, split=divided, hash=_hash(self.pictures, divided.subset_of()))

    def out_of_fold(self, fold: Fold) -> "TrainingData":
        """Return the same pictures, with a fold of the training pictures as the val subset.

        Raises:
            DataError: A class has too few images.
        """
        divided = with_fold_as_val(self.split, self.manifest, self.grouped, fold)
        return replace(self, split=divided, hash=_hash(self.pictures, divided.subset_of()))

    def batches(self, subset: str) -> Iterator[Batch]:
        """Yield the unmodified images of a subset."""
        rows = self.split.rows(subset)
        return in_order(self.pictures.images, self.pictures.stored[rows], self.targets[rows])


def prepare(
    settings: DataSettings,
    image_size: int,
    say: Callable[[str], None],
    measured_on: str | None = None,
    *,
    rule: ResizeRule = "squash",
    source_size: int | None = None,
) -> TrainingData:
    """Scan, decode and split a data set.

    Args:
        settings: The data set, and how to split it.
        image_size: Height and width of the images, in pixels.
        say: Called with one-line messages about what was found, skipped and duplicated.
        measured_on: How to describe what is measured on which subset; None to name the subsets of the validation curve
            and of the final report.
        rule: How a picture becomes a square; see `stridednet.data.decode.resize`.
        source_size: Height and width of the pictures that random crops are taken from; None for ``image_size``.

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
    pictures = load_pictures(scanned, image_size, rule=rule, source_size=source_size)
    _report_problems(pictures.manifest, settings.strict, say)
    for kind, used in pictures.ranges.items():
        values = "samples of more than 8 bits" if kind == "integer" else "floating-point samples"
        say(f"{values}: {used.low:,g} to {used.high:,g} of the whole data set become 0 to 255")
    pictures = _usable(pictures, settings.skip_empty, say)
    manifest = pictures.manifest
    copies = find_copies(pictures.digests, pictures.fingerprints[pictures.stored])
    divided = _divided(manifest, settings, copies.groups if settings.group_copies else ())
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
    _report_duplicates(duplicates, say)
    _report_copies(copies, divided, say)
    targets = one_hot([picture.label for picture in manifest.pictures], manifest.labels)
    grouped = copies.groups if settings.group_copies else ()
    return TrainingData(pictures, divided, targets, duplicates, _hash(pictures, subset_of), copies, grouped)


def _divided(manifest: Manifest, settings: DataSettings, groups: Sequence[Sequence[int]]) -> Split:
    if settings.train_per_class:
        drawn = split_per_class(manifest, settings.train_per_class, settings.test_per_class, settings.split_seed)
    else:
        drawn = split(manifest, settings.test_size, settings.split_seed)
    return drawn if drawn.origin == "own" else with_copies_together(drawn, manifest, groups, "test")


def _usable(pictures: Pictures, skip_empty: bool, say: Callable[[str], None]) -> Pictures:
    """Return the pictures without classes of which no training picture could be decoded, if that is wanted."""
    manifest = pictures.manifest
    trained = {picture.label for picture in manifest.pictures if picture.subset in (None, "train")}
    empty = [label for label in manifest.labels if label not in trained]
    if not empty or not skip_empty:
        return pictures
    say(f"classes left out, since none of their training images can be used: {', '.join(map(shown, empty))}")
    kept = [row for row, picture in enumerate(manifest.pictures) if picture.label in trained]
    labels = tuple(label for label in manifest.labels if label in trained)
    if len(labels) < 2:
        raise DataError(f"{manifest.shown_root} has usable training images of only {len(labels)} classes")
    return replace(
        pictures,
        manifest=replace(manifest, labels=labels, pictures=tuple(manifest.pictures[row] for row in kept)),
        stored=pictures.stored[kept],
        digests=tuple(pictures.digests[row] for row in kept),
    )


def _report_problems(manifest: Manifest, strict: bool, say: Callable[[str], None]) -> None:
    problems = manifest.problems
    if problems and strict:
        remedy = "it" if len(problems) == 1 else f"all {len(problems):,} unusable files"
        path = shown(manifest.relative(problems[0].path))
        raise DataError(
            f"{manifest.shown_root}/{path}: {problems[0].reason}; repair or remove {remedy}, or omit `strict`"
        )
    groups: dict[tuple[str, str], list[Problem]] = defaultdict(list)
    for problem in problems:
        groups[problem.path.suffix.lower(), problem.reason.partition(":")[0]].append(problem)
    lines = []
    for (suffix, _), members in groups.items():
        first = f"{shown(manifest.relative(members[0].path))}: {members[0].reason}"
        kind = f"{suffix} files" if suffix else "files without a suffix"
        lines.append(f"skipped {first}" if len(members) == 1 else f"skipped {len(members):,} {kind}, such as {first}")
    for line in lines[:_MAX_LINES]:
        say(line)
    if problems:
        more = len(lines) > _MAX_LINES or len(lines) < len(problems)
        where = "; problems.csv of the run lists all of them" if more else ""
        say(f"skipped {len(problems):,} {'file' if len(problems) == 1 else 'files'} in total{where}")


def _report_duplicates(duplicates: Sequence[Duplicate], say: Callable[[str], None]) -> None:
    for across in ("classes", "subsets"):
        found = [duplicate for duplicate in duplicates if duplicate.across == across]
        for duplicate in found if len(found) <= _MAX_DUPLICATES else ():
            say(f"identical pictures in different {across}: {', '.join(map(shown, duplicate.paths))}")
        if len(found) > _MAX_DUPLICATES:
            example = ", ".join(map(shown, found[0].paths))
            say(
                f"identical pictures in different {across}: {len(found):,} groups, such as {example}; "
                "report.json lists all of them"
            )


def _report_copies(copies: Copies, divided: Split, say: Callable[[str], None]) -> None:
    for series in copies.series:
        say(f"{len(series):,} pictures look alike, as the frames of a video do; they may be in several subsets")
    groups = copies.groups
    if not groups:
        return
    subset_of = divided.subset_of()
    pictures = sum(map(len, groups))
    across = sum(len({subset_of[row] for row in group} - {"unused"}) > 1 for group in groups)
    result = f"moved {divided.moved:,}, so that copies are in the same subset" if divided.moved else "none was moved"
    if across:
        result = f"copies of {across:,} are in several subsets"
    say(
        f"{pictures:,} pictures are copies of others: {_groups(len(copies.identical))} of identical files, "
        f"{_groups(len(copies.similar))} of rescaled or recompressed ones; {result}"
    )


def _groups(count: int) -> str:
    return f"{count:,} {'group' if count == 1 else 'groups'}"


def _hash(pictures: Pictures, subset_of: dict[int, str]) -> str:
    rows = enumerate(zip(pictures.manifest.pictures, pictures.digests, strict=True))
    lines = [f"{digest} {subset_of[row]} {picture.label}" for row, (picture, digest) in rows]
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
