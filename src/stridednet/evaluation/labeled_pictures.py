"""The pictures that a run is evaluated on: its own test subset, or a data set that it has not seen."""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stridednet.data.cache import Pictures, load_pictures
from stridednet.data.manifest import Manifest, Picture
from stridednet.data.scan import scan
from stridednet.data.tree import printable, shown
from stridednet.errors import DataError, RunError
from stridednet.resolve import moved
from stridednet.run_directory import RunDirectory

NEW_DATA = "new data"


@dataclass(frozen=True)
class LabeledPictures:
    """Pictures whose classes are known, of classes of a run.

    Args:
        dataset: The data set, as messages name it.
        subset: "test" or "val" for a subset of the run's own data set, else `NEW_DATA`.
        pictures: The decoded pictures, at the size of the run's model.
        truth: Their classes, as numbers of the run's labels, ``(n,)``.
        missing: Classes of the run without pictures.
        extra: Number of pictures of each class that the run does not know; they are left out.
        trained_on: How many of the pictures the run was trained on, by content; None if that is not known.
    """

    dataset: str
    subset: str
    pictures: Pictures
    truth: NDArray[np.intp]
    missing: tuple[str, ...]
    extra: dict[str, int]
    trained_on: int | None

    @property
    def images(self) -> NDArray[np.uint8]:
        """The pictures as the model takes them, ``(n, height, width, 3)``."""
        return self.pictures.images[self.pictures.stored]

    @property
    def files(self) -> list[Path]:
        """Their files."""
        return [picture.path for picture in self.pictures.manifest.pictures]

    @property
    def paths(self) -> tuple[str, ...]:
        """Their paths, relative to the data set."""
        return tuple(map(self.pictures.manifest.relative, self.files))


def labeled_pictures(
    run: RunDirectory,
    dataset: str | os.PathLike[str] | None,
    say: Callable[[str], None],
    *,
    labels_from: str = "",
    exclude: Sequence[str] = (),
) -> LabeledPictures:
    """Read the pictures to evaluate a run on.

    Args:
        run: A finished run.
        dataset: A data set, or the new path of the run's own one; None for the run's own.
        say: Called with one-line messages about what was found and left out.
        labels_from: Where the labels of new data are, as for `scan`.
        exclude: Files and folders of new data to ignore, as for `scan`.

    Raises:
        DataError: The data set does not exist, or has no usable picture of a class of the run.
        RunError: The pictures of the run's test subset are not in its data set any more.
    """
    if dataset is None:
        return _own(run, moved_manifest(run, None), say)
    if not labels_from and not exclude:
        own = _own_elsewhere(run, dataset)
        if own is not None:
            return _own(run, own, say)
    manifest = scan(dataset, labels_from=labels_from, exclude=exclude, to_train=False)
    return _new(run, manifest, say)


def training_pictures(
    run: RunDirectory, dataset: str | os.PathLike[str] | None, say: Callable[[str], None]
) -> LabeledPictures:
    """Read the pictures that a run was trained on.

    Args:
        run: A finished run.
        dataset: The new path of the run's data set; None if it was not moved.
        say: Called with one-line messages about what was left out.

    Raises:
        DataError: The data set does not exist.
        RunError: The pictures are not in the data set any more.
    """
    return _own(run, moved_manifest(run, dataset), say, "train")


def moved_manifest(run: RunDirectory, dataset: str | os.PathLike[str] | None) -> Manifest:
    """Return what is in the data set of a run, as the run read it.

    Args:
        run: A finished run.
        dataset: The new path; None if the data set was not moved.

    Raises:
        DataError: There is no data set.
    """
    data = moved(run.recipe, dataset).data
    return scan(data.dataset, data.labels, labels_from=data.labels_from, exclude=data.exclude, to_train=False)


def _own_elsewhere(run: RunDirectory, dataset: str | os.PathLike[str]) -> Manifest | None:
    """Return the run's own data set if it is the given one; None if that one is another."""
    try:
        manifest = moved_manifest(run, dataset)
    except DataError:
        return None  # reading it as new data gives the reason
    found = {(manifest.relative(picture.path), printable(picture.label)) for picture in manifest.pictures}
    return manifest if {(row.path, row.label) for row in run.split} <= found else None


def _own(run: RunDirectory, manifest: Manifest, say: Callable[[str], None], part: str | None = None) -> LabeledPictures:
    """Return the pictures of a subset of a run; None for the one that its report is on."""
    subset = part or str(run.report.get("report_on", "test"))
    wanted = {row.path: row for row in run.split if row.subset == subset}
    present = [picture for picture in manifest.pictures if manifest.relative(picture.path) in wanted]
    pictures = _loaded(run, manifest, present)
    chosen = pictures.manifest.pictures
    rows = [wanted[manifest.relative(picture.path)] for picture in chosen]
    same = [row.sha256 in ("", digest) for row, digest in zip(rows, pictures.digests, strict=True)]
    pictures = _kept(pictures, np.flatnonzero(same))
    name = f"{subset} subset of {manifest.shown_root}"
    if not any(same):
        raise RunError(
            f"none of the pictures of the {name} is the one that the run {run.folder} had in it; "
            "if that data set was moved, give its path as `dataset`"
        )
    lost = len(wanted) - sum(same)
    if lost:
        say(
            f"{lost:,} of {len(wanted):,} pictures of the {subset} subset were removed or changed after the training; "
            "they are left out"
        )
    if not all(row.sha256 for row in rows):
        say("the run was made by an earlier version: whether the pictures are unchanged is unknown")
    say(f"{sum(same):,} pictures: the {name}")
    truth = _columns(run, pictures.manifest.pictures)
    return _with_classes(run, manifest, subset, pictures, truth, {}, 0)


def _new(run: RunDirectory, manifest: Manifest, say: Callable[[str], None]) -> LabeledPictures:
    known = set(run.labels)
    subsets = {picture.subset for picture in manifest.pictures}
    part = next((name for name in ("test", "val") if name in subsets), None)
    candidates = [picture for picture in manifest.pictures if part is None or picture.subset == part]
    extra = Counter(printable(one.label) for one in candidates if printable(one.label) not in known)
    chosen = [picture for picture in candidates if printable(picture.label) in known]
    if not chosen:
        raise DataError(
            f"{manifest.shown_root} has no class of the run {run.folder}: its classes are "
            f"{_listed(sorted(extra))}, and those of the run {_listed(run.labels)}"
        )
    pictures = _loaded(run, manifest, chosen)
    if not pictures.manifest.pictures:
        raise DataError(f"{manifest.shown_root}: none of the pictures can be decoded")
    for note in manifest.notes:
        say(note)
    where = f"the {part} subset of " if part else ""
    say(f"{len(pictures.manifest.pictures):,} pictures: {where}{manifest.shown_root}")
    if extra:
        say(f"left out, since the run has no such class: {_listed([f'{k} ({n:,})' for k, n in sorted(extra.items())])}")
    trained = {row.sha256 for row in run.split if row.subset == "train"}
    trained_on = None if "" in trained else sum(digest in trained for digest in pictures.digests)
    if trained_on:
        say(f"{trained_on:,} of these pictures are training pictures of the run: the result is too good")
    truth = _columns(run, pictures.manifest.pictures)
    found = _with_classes(run, manifest, NEW_DATA, pictures, truth, dict(extra), trained_on)
    if found.missing:
        say(f"no pictures of the run's {_plural(len(found.missing))} {_listed(found.missing)}")
    return found


def _with_classes(
    run: RunDirectory,
    manifest: Manifest,
    subset: str,
    pictures: Pictures,
    truth: NDArray[np.intp],
    extra: dict[str, int],
    trained_on: int | None,
) -> LabeledPictures:
    present = set(truth.tolist())
    missing = tuple(label for column, label in enumerate(run.labels) if column not in present)
    return LabeledPictures(manifest.shown_root, subset, pictures, truth, missing, extra, trained_on)


def _loaded(run: RunDirectory, manifest: Manifest, chosen: Sequence[Picture]) -> Pictures:
    part = replace(manifest, pictures=tuple(chosen))
    recipe = run.recipe
    return load_pictures(part, recipe.image_size, rule=recipe.resize, ranges=run.sample_ranges or None)


def _kept(pictures: Pictures, rows: NDArray[np.intp]) -> Pictures:
    manifest = pictures.manifest
    return replace(
        pictures,
        manifest=replace(manifest, pictures=tuple(manifest.pictures[row] for row in rows)),
        stored=pictures.stored[rows],
        digests=tuple(pictures.digests[row] for row in rows),
    )


def _columns(run: RunDirectory, pictures: Sequence[Picture]) -> NDArray[np.intp]:
    columns = {label: column for column, label in enumerate(run.labels)}
    return np.array([columns[printable(picture.label)] for picture in pictures], np.intp)


def _listed(names: Sequence[str], most: int = 8) -> str:
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(map(shown, names[:most])) + more


def _plural(count: int) -> str:
    return "class" if count == 1 else "classes"
