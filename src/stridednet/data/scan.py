"""Scan a data set: list its pictures with their classes and subsets, and the files that cannot be used.

A data set is a folder with one subfolder per class, a folder with ``train/``, ``val|valid|validation/`` and ``test/``
that contain such folders, an archive of either, or the name of a built-in data set.
"""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from stridednet.data.archive import ARCHIVE_SUFFIXES, is_archive, is_clutter, unpacked
from stridednet.data.sources import SOURCES
from stridednet.errors import DataError
from stridednet.storage import user_path

Subset = Literal["train", "val", "test"]

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})
_SUBSET_OF_FOLDER: dict[str, Subset] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}


@dataclass(frozen=True)
class Picture:
    """An image file, its class, and its subset if the data set has predefined subsets."""

    path: Path
    label: str
    subset: Subset | None = None


@dataclass(frozen=True)
class Problem:
    """A file that cannot be used, and the reason."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Manifest:
    """The contents of a data set, as returned by `scan`.

    Attributes:
        root: The folder of the data set.
        labels: The classes, in the order of the model's outputs.
        pictures: The pictures, in a fixed order.
        problems: The files that cannot be used.
        ignored_folders: Names of the folders that are neither a class nor a subset.
    """

    root: Path
    labels: tuple[str, ...]
    pictures: tuple[Picture, ...]
    problems: tuple[Problem, ...] = ()
    ignored_folders: tuple[str, ...] = ()

    @property
    def has_subsets(self) -> bool:
        """Whether the data set has predefined subsets."""
        return any(picture.subset is not None for picture in self.pictures)

    def relative(self, path: Path) -> str:
        """Return a path relative to the root of the data set, with forward slashes, as run directories list it."""
        return printable(path.relative_to(self.root).as_posix())

    def without(self, problems: Sequence[Problem]) -> "Manifest":
        """Return the manifest with the pictures of ``problems`` removed and the problems added."""
        removed = {problem.path for problem in problems}
        kept = tuple(picture for picture in self.pictures if picture.path not in removed)
        return replace(self, pictures=kept, problems=(*self.problems, *problems))


def printable(text: str) -> str:
    """Return text with the bytes of a file name that are not valid UTF-8 shown as escape sequences."""
    return text.encode("utf-8", "backslashreplace").decode()


def check_dataset(dataset: str | os.PathLike[str]) -> None:
    """Check that a data set exists, without reading it.

    Raises:
        DataError: The data set is neither a folder, nor an archive, nor built in.
    """
    path = user_path(dataset, "dataset")
    if os.fspath(dataset) in SOURCES or path.is_dir():
        return
    if not path.exists():
        raise DataError(f"no such folder or archive: {path}; built-in data sets: {', '.join(SOURCES)}")
    if not is_archive(path):
        raise DataError(f"{path} is neither a folder nor an archive ({', '.join(ARCHIVE_SUFFIXES)})")


def dataset_root(dataset: str | os.PathLike[str]) -> Path:
    """Return the folder of a data set, after downloading or unpacking it if necessary.

    The name of a built-in data set takes precedence over a folder of the same name.

    Raises:
        DataError: The data set is neither a folder, nor an archive, nor built in.
    """
    check_dataset(dataset)
    name = os.fspath(dataset)
    if name in SOURCES:
        return SOURCES[name].fetch()
    path = user_path(name, "dataset")
    return path if path.is_dir() else unpacked(path)


def scan(dataset: str | os.PathLike[str], labels: Sequence[str] = ()) -> Manifest:
    """List the pictures of a data set. No picture is opened, and nothing is written into the data set.

    Args:
        dataset: A folder with one subfolder per class, or with the subfolders ``train``, ``val`` and ``test`` that
            contain such folders; a ``.zip`` or ``.tar.gz`` archive of one; or the name of a built-in data set.
        labels: The classes to use, in any order; empty for all.

    Returns:
        The manifest: sorted ``labels``, and ``pictures`` sorted by class and path, each with its ``path``, ``label``
        and ``subset`` (``"train"``, ``"val"``, ``"test"``, or None if the data set has no predefined subsets). Files
        that cannot be used are in ``problems``; damaged pictures are found only when they are decoded.

    Raises:
        DataError: The data set does not exist, has fewer than two classes, a class without pictures, or an ambiguous
            layout, or one of ``labels`` is unknown.
        DownloadError: A built-in data set cannot be downloaded.
        StorageError: The cache cannot be written.

    Examples:
        >>> manifest = scan("digits", labels=["7", "1"])
        >>> manifest.labels, len(manifest.pictures)
        (('1', '7'), 1000)
    """
    root = dataset_root(dataset)
    layout = _layout(root, left_out=_left_out(dataset, labels))
    chosen = _chosen_labels(layout, labels)
    untrained = {folder.name for folder, _ in layout.classes} - set(layout.known)
    if untrained and not labels:
        raise DataError(
            f"{root} has no training images of {', '.join(sorted(untrained))}; "
            "add some, or select other classes with `labels`"
        )

    pictures: list[Picture] = []
    problems = [Problem(path, "not in a class folder") for folder in layout.above for path in _loose_pictures(folder)]
    for folder, subset in layout.classes:
        if folder.name in chosen:
            for path in _files(folder):
                reason = _why_unusable(path)
                if reason:
                    problems.append(Problem(path, reason))
                else:
                    pictures.append(Picture(path, folder.name, subset))
    manifest = Manifest(root, chosen, tuple(pictures), tuple(problems), layout.ignored)
    _require_pictures(manifest)
    return manifest


@dataclass(frozen=True)
class _Layout:
    """Class folders and their subsets, in a fixed order; the folders above them; the available labels."""

    root: Path
    classes: tuple[tuple[Path, Subset | None], ...]
    above: tuple[Path, ...]
    known: tuple[str, ...]
    ignored: tuple[str, ...]


def _layout(root: Path, left_out: Sequence[str]) -> _Layout:
    folders = _subfolders(root)
    parts, ignored = _subset_folders(folders)
    if parts:
        found: list[tuple[Path, Subset | None]] = [
            (folder, subset) for part, subset in parts for folder in _subfolders(part)
        ]
        above = [root, *(part for part, _ in parts)]
    else:
        ignored = [name for name in left_out if (root / name).is_dir()]
        found = [(folder, None) for folder in folders if folder.name not in ignored]
        above = [root]
    classes = sorted(found, key=lambda item: (item[0].name, item[0]))
    known = sorted({folder.name for folder, subset in classes if subset in (None, "train")})
    return _Layout(root, tuple(classes), tuple(above), tuple(known), tuple(sorted(ignored)))


def _left_out(dataset: str | os.PathLike[str], labels: Sequence[str]) -> list[str]:
    source = SOURCES.get(os.fspath(dataset))
    return [name for name in source.left_out if name not in labels] if source else []


def _require_pictures(manifest: Manifest) -> None:
    found = Counter(picture.label for picture in manifest.pictures if picture.subset in (None, "train"))
    for label in manifest.labels:
        if not found[label]:
            where = manifest.root / "train" if manifest.has_subsets else manifest.root
            raise DataError(
                f"class '{printable(label)}' has no images in {where}; add some, or select other classes with `labels`"
            )


def _chosen_labels(layout: _Layout, wanted: Sequence[str]) -> tuple[str, ...]:
    root, known = layout.root, layout.known
    names = {printable(label): label for label in known}  # recipes contain labels in this form
    wanted = [names.get(printable(label), label) for label in wanted]
    unknown = [label for label in wanted if label not in known]
    if unknown:
        raise DataError(f"{root} has no class {', '.join(map(repr, unknown))}; available labels: {', '.join(known)}")
    chosen = tuple(sorted(set(wanted))) or known
    if len(chosen) >= 2:
        return chosen
    if wanted:
        raise DataError(
            f"labels: a classifier needs at least two classes of: {', '.join(known)}. Received: {', '.join(wanted)}"
        )
    deeper = [folder for folder, _ in layout.classes if len(_subfolders(folder)) >= 2]
    hint = f"did you mean {deeper[0]}?" if deeper else "a data set has one subfolder per class"
    count = "only one class folder" if chosen else "no class folders"
    raise DataError(f"{root} has {count}, but a classifier needs at least two classes; {hint}")


def _subset_folders(folders: list[Path]) -> tuple[list[tuple[Path, Subset]], list[str]]:
    """Return the folders that are subsets, and the names of those that are ignored; nothing if all are classes."""
    parts = [
        (folder, _SUBSET_OF_FOLDER[folder.name.lower()])
        for folder in folders
        if folder.name.lower() in _SUBSET_OF_FOLDER and _subfolders(folder)
    ]
    subsets = [subset for _, subset in parts]
    if "train" not in subsets:
        return [], []
    if set(subsets) == {"train"}:
        train = parts[0][0]
        others = [folder for folder in folders if folder != train]
        if len(_subfolders(train)) < 2 or _loose_pictures(train):
            return [], []  # a class named train
        unexpected = [folder for folder in others if folder.name.lower() not in _SUBSET_OF_FOLDER]
        if unexpected:
            raise DataError(
                f"ambiguous layout: {train} looks like a subset, but {unexpected[0]} next to it looks like a class; "
                f"use {train} as the data set, or rename one of the folders"
            )
    repeated = [subset for subset, count in Counter(subsets).items() if count > 1]
    if repeated:
        names = ", ".join(str(folder) for folder, subset in parts if subset == repeated[0])
        raise DataError(f"several folders for the {repeated[0]} subset: {names}; keep only one of them")
    used = {folder for folder, _ in parts}
    return parts, [folder.name for folder in folders if folder not in used]


def _subfolders(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(entry.path) for entry in entries if entry.is_dir() and not is_clutter(entry.name))
    except OSError as error:
        raise DataError(f"cannot read the folder {folder}: {error.strerror}") from None


def _loose_pictures(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in IMAGE_SUFFIXES and not is_clutter(path.name) and path.is_file()
    )


def _files(folder: Path) -> Iterator[Path]:
    """Yield all files below a class folder, in a fixed order. Cyclic symbolic links are not followed."""
    seen: set[str] = set()

    def stop(error: OSError) -> None:
        raise DataError(f"cannot read the folder {error.filename}: {error.strerror}")

    for here, below, names in os.walk(folder, onerror=stop, followlinks=True):
        real = os.path.realpath(here)
        if real in seen:
            below.clear()
            continue
        seen.add(real)
        below[:] = sorted(name for name in below if not is_clutter(name))
        for name in sorted(names):
            if not is_clutter(name):
                yield Path(here, name)


def _why_unusable(path: Path) -> str | None:
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        return f"not an image: the file name does not end in {', '.join(sorted(IMAGE_SUFFIXES))}"
    if not path.is_file():
        return "not a regular file" if path.exists() else "broken symbolic link"
    return None
