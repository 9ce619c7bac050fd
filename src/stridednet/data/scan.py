"""A data set -> a manifest: which pictures there are, of which class, in which subset, and what is wrong.

A data set is a folder with one sub-folder per class, a folder with ``train/``, ``val|valid|validation/`` and ``test/``
that hold such folders, an archive of either, or a name.
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
    """One image file: where it is, its class, and its subset where the data set itself says so."""

    path: Path
    label: str
    subset: Subset | None = None


@dataclass(frozen=True)
class Problem:
    """A file that is not used, and why."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Manifest:
    """What `scan` found; pictures in a fixed order, labels in the order of the model's outputs."""

    root: Path
    labels: tuple[str, ...]
    pictures: tuple[Picture, ...]
    problems: tuple[Problem, ...] = ()
    ignored_folders: tuple[str, ...] = ()

    @property
    def has_subsets(self) -> bool:
        """Say whether the data set brings its own subsets."""
        return any(picture.subset is not None for picture in self.pictures)

    def relative(self, path: Path) -> str:
        """Return a path as the run writes it down: from the data set's root, with forward slashes."""
        return printable(path.relative_to(self.root).as_posix())

    def without(self, problems: Sequence[Problem]) -> "Manifest":
        """Return the manifest without some of its pictures, which become problems."""
        gone = {problem.path for problem in problems}
        kept = tuple(picture for picture in self.pictures if picture.path not in gone)
        return replace(self, pictures=kept, problems=(*self.problems, *problems))


def printable(text: str) -> str:
    """Return text in which bytes of a file name that are no UTF-8 are shown as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def check_dataset(dataset: str | os.PathLike[str]) -> None:
    """Make sure that a data set is there, without a look into it.

    Raises:
        DataError: There is neither a folder, nor an archive, nor a data set of this name.
    """
    path = Path(dataset).expanduser()
    if os.fspath(dataset) in SOURCES or path.is_dir():
        return
    if not path.exists():
        raise DataError(f"no such folder: {path}; known names: {', '.join(SOURCES)}")
    if not is_archive(path):
        raise DataError(f"{path} is neither a folder nor an archive ({', '.join(ARCHIVE_SUFFIXES)})")


def dataset_root(dataset: str | os.PathLike[str]) -> Path:
    """Return the folder of a data set, fetching or unpacking it if need be. A name wins over a folder of that name.

    Raises:
        DataError: There is neither a folder, nor an archive, nor a data set of this name.
    """
    check_dataset(dataset)
    name = os.fspath(dataset)
    if name in SOURCES:
        return SOURCES[name].fetch()
    path = Path(name).expanduser()
    return path if path.is_dir() else unpacked(path)


def scan(dataset: str | os.PathLike[str], labels: Sequence[str] = ()) -> Manifest:
    """List the pictures of a data set. No picture is opened and nothing is written into the data set.

    Args:
        dataset: A folder, an archive of one, or the name of a data set.
        labels: The classes to use; empty for all. Their order does not matter.

    Returns:
        The manifest; its labels are sorted, and its pictures are sorted by class and path.

    Raises:
        DataError: The data set is not there, has fewer than two classes, or lacks a label that was asked for.
    """
    root = dataset_root(dataset)
    layout = _layout(root, left_out=_left_out(dataset, labels))
    chosen = _chosen_labels(layout, labels)
    strangers = {folder.name for folder, _ in layout.classes} - set(layout.known)
    if strangers and not labels:
        raise DataError(f"{root}: no training images of {', '.join(sorted(strangers))}; add some, or choose --labels")

    pictures: list[Picture] = []
    problems = [Problem(path, "lies in no class folder") for folder in layout.above for path in _loose_pictures(folder)]
    for folder, subset in layout.classes:
        if folder.name in chosen:
            for path in _files(folder):
                reason = _why_no_picture(path)
                if reason:
                    problems.append(Problem(path, reason))
                else:
                    pictures.append(Picture(path, folder.name, subset))
    manifest = Manifest(root, chosen, tuple(pictures), tuple(problems), layout.ignored)
    _require_pictures(manifest)
    return manifest


@dataclass(frozen=True)
class _Layout:
    """Class folders and their subsets, in a fixed order; the folders above them; the labels that can be chosen."""

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
            where = "train" if manifest.has_subsets else manifest.root
            raise DataError(f"class '{printable(label)}' has no image in {where}; add some, or choose --labels")


def _chosen_labels(layout: _Layout, wanted: Sequence[str]) -> tuple[str, ...]:
    root, known = layout.root, layout.known
    unknown = [label for label in wanted if label not in known]
    if unknown:
        raise DataError(f"{root} has no class {', '.join(map(repr, unknown))}; known labels: {', '.join(known)}")
    chosen = tuple(sorted(set(wanted))) or known
    if len(chosen) >= 2:
        return chosen
    if wanted:
        raise DataError(
            f"--labels names one class, {wanted[0]!r}; a classifier needs two or more of {', '.join(known)}"
        )
    deeper = [folder for folder, _ in layout.classes if len(_subfolders(folder)) >= 2]
    hint = f"; did you mean {deeper[0]}?" if deeper else "; a data set has one sub-folder per class"
    raise DataError(f"{root} has {len(chosen)} class folders, and a classifier needs two or more{hint}")


def _subset_folders(folders: list[Path]) -> tuple[list[tuple[Path, Subset]], list[str]]:
    """Tell a folder of subsets from one of classes: ``train`` beside ``val`` or ``test``, each holding folders."""
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
            return [], []  # a class that is called train
        strangers = [folder for folder in others if folder.name.lower() not in _SUBSET_OF_FOLDER]
        if strangers:
            raise DataError(
                f"{train} holds folders as if it were a subset, and {strangers[0]} stands beside it as if both were "
                f"classes; give {train} alone, or rename one of them"
            )
    doubled = [subset for subset, count in Counter(subsets).items() if count > 1]
    if doubled:
        names = ", ".join(str(folder) for folder, subset in parts if subset == doubled[0])
        raise DataError(f"more than one folder is the {doubled[0]} subset: {names}; leave one of them")
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
    """Walk through a class folder and all below it, in a fixed order; a link back to a folder above ends there."""
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


def _why_no_picture(path: Path) -> str | None:
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        return f"no image: the name does not end in {', '.join(sorted(IMAGE_SUFFIXES))}"
    if not path.is_file():
        return "no regular file" if path.exists() else "the link leads nowhere"
    return None
