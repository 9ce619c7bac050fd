"""Scan a data set: list its pictures with their classes and subsets, and the files that cannot be used.

A data set is a folder with one subfolder per class, a folder with subfolders for train, val and test that contain such
folders, an archive of either, or the name of a built-in data set. Labels may also be in file names or in a CSV file.
"""

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from stridednet.data.archive import ARCHIVE_SUFFIXES, archives_folder, is_archive, path_in_archive, unpacked
from stridednet.data.kinds import IMAGE_SUFFIXES, has_image_name, kind_of
from stridednet.data.labels_from import read_labels
from stridednet.data.layout import ClassFolder, Layout, find_layout, normalized, subset_named
from stridednet.data.manifest import Manifest, Picture, Problem
from stridednet.data.sources import SOURCES
from stridednet.data.tree import Tree, in_csv, printable, shown
from stridednet.errors import DataError
from stridednet.storage import user_path

__all__ = ["Manifest", "Picture", "Problem", "check_dataset", "dataset_root", "printable", "scan"]


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


def results_inside(dataset: str | os.PathLike[str], results: Path) -> str | None:
    """Return a warning if the folder for results is inside the folder of the data set; None if it is not."""
    root = Path(dataset).expanduser()
    if os.fspath(dataset) in SOURCES or not root.is_dir() or not results.resolve().is_relative_to(root.resolve()):
        return None
    return (
        f"the results in {shown(str(results))} are inside the data set, which ignores them when it is read again; "
        "use `out` to write them elsewhere"
    )


def dataset_root(dataset: str | os.PathLike[str]) -> Path:
    """Return the folder of a data set, after downloading or unpacking it if necessary.

    The name of a built-in data set takes precedence over a folder of the same name.

    Raises:
        DataError: The data set is neither a folder, nor an archive, nor built in.
    """
    return _located(dataset)[0]


def _located(dataset: str | os.PathLike[str]) -> tuple[Path, str]:
    """Return the folder of a data set, and how messages name it if it was unpacked from an archive."""
    check_dataset(dataset)
    name = os.fspath(dataset)
    if name in SOURCES:
        return SOURCES[name].fetch(), ""
    path = user_path(name, "dataset")
    if path.is_dir():
        return path, ""
    root = unpacked(path)
    return root, str(path / path_in_archive(root))


def scan(
    dataset: str | os.PathLike[str],
    labels: Sequence[str] = (),
    *,
    labels_from: str = "",
    exclude: Sequence[str] = (),
    skip_empty: bool = False,
    to_train: bool = True,
) -> Manifest:
    """List the pictures of a data set. Nothing is written into the data set.

    Only files without one of the usual suffixes of images are opened, to see whether they are images.

    Args:
        dataset: A folder with one subfolder per class, or with the subfolders ``train``, ``val`` and ``test`` that
            contain such folders; a ``.zip`` or ``.tar.gz`` archive of one; or the name of a built-in data set.
        labels: The classes to use, in any order; empty for all.
        labels_from: Where labels are: empty for the names of folders; ``"name"`` for the part of each file name before
            its number, as in ``cat.12.jpg``; or a CSV file of file names and labels, by its path in the data set or an
            absolute path, optionally with the two columns: ``"labels.csv:file,label"``.
        exclude: Files and folders to ignore, as patterns with ``*`` and ``?``: of names, or with a slash of paths
            relative to the data set.
        skip_empty: Whether to leave out classes without training pictures. By default, they are an error.
        to_train: Whether a classifier is trained on the pictures. If not, one class is enough, no class needs training
            pictures, and ``labels`` may contain classes of which there are no pictures.

    Returns:
        The manifest: sorted ``labels``, and ``pictures`` sorted by class and path, each with its ``path``, ``label``
        and ``subset`` (``"train"``, ``"val"``, ``"test"``, or None if the data set has no predefined subsets). Files
        that cannot be used are in ``problems``; damaged pictures are found only when they are decoded.

    Raises:
        DataError: The data set does not exist, has fewer than two classes, classes without pictures, or an ambiguous
            layout, or one of ``labels`` is unknown.
        DownloadError: A built-in data set cannot be downloaded.
        StorageError: The cache cannot be written.

    Examples:
        >>> manifest = scan("digits", labels=["7", "1"])
        >>> manifest.labels, len(manifest.pictures)
        (('1', '7'), 1000)
    """
    root, archive = _located(dataset)
    tree = Tree(root, exclude, archive or None)
    wanted = tuple(sorted({normalized(label) for label in labels}))
    if labels_from:
        found = _from_labels(tree, labels_from)
    else:
        found = _from_folders(tree, find_layout(tree, _left_out(dataset, wanted), wanted), wanted)
    if not to_train:
        return _all_of(tree, found, wanted, archive)
    chosen = _chosen_labels(tree, found, wanted)
    trained = {picture.label for picture in found.pictures if picture.subset in (None, "train")}
    empty = [label for label in chosen if label not in trained]
    if not skip_empty:
        _require_training_pictures(tree, found, empty, only_elsewhere=() if wanted else found.untrained)
    used = tuple(label for label in chosen if label in trained)
    if len(used) < 2:
        raise DataError(
            f"{tree.shown(root)} has training images of only {len(used)} classes, but a classifier needs at least two; "
            f"classes without: {', '.join(map(shown, (*empty, *found.untrained)))}"
        )
    return Manifest(
        root,
        used,
        tuple(picture for picture in found.pictures if picture.label in used),
        tuple(problem for problem, label in found.problems if label is None or label in chosen),
        found.ignored,
        (*found.notes, *_notes(tree, [*empty, *(() if wanted else found.untrained)])),
        archive,
    )


def _all_of(tree: Tree, found: "_Found", wanted: Sequence[str], archive: str) -> Manifest:
    """Return the manifest of pictures on which no classifier is trained."""
    if not found.pictures:
        raise DataError(f"{tree.shown(tree.root)} has no pictures in class folders; {found.hint()}")
    selected = set(map(printable, wanted))
    pictures = tuple(one for one in found.pictures if not selected or printable(one.label) in selected)
    labels = tuple(sorted({picture.label for picture in pictures}))
    problems = tuple(problem for problem, label in found.problems if label is None or label in labels)
    return Manifest(tree.root, labels, pictures, problems, found.ignored, (*found.notes, *_notes(tree, ())), archive)


@dataclass(frozen=True)
class _Found:
    """The pictures of a data set, and its problems, each with the label of its class folder if it is in one.

    ``known`` are the labels that can be selected, ``untrained`` those of classes that are only in other subsets.
    ``hint`` is only called for the message of an error.
    """

    pictures: tuple[Picture, ...]
    problems: tuple[tuple[Problem, str | None], ...]
    known: tuple[str, ...]
    untrained: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    hint: Callable[[], str] = str
    has_subsets: bool = False
    from_labels: bool = False


def _from_folders(tree: Tree, layout: Layout, wanted: Sequence[str]) -> _Found:
    problems: list[tuple[Problem, str | None]] = [
        (Problem(path, "not in a class folder"), None)
        for folder in layout.above
        for path in tree.files(folder)
        if has_image_name(path) and path.is_file()
    ]
    pictures = []
    selected = set(map(printable, wanted))
    for folder in layout.classes:
        # Patterns report how many files they exclude in the whole data set, so that all of it is listed then.
        if selected and not tree.excluded and printable(folder.label) not in selected:
            continue
        for path in tree.walk(folder.path):
            reason = _why_unusable(path)
            if reason:
                problems.append((Problem(path, reason), folder.label))
            else:
                pictures.append(Picture(path, folder.label, folder.subset))
    return _Found(
        tuple(pictures),
        tuple(problems),
        layout.labels,
        tuple(sorted({folder.label for folder in layout.classes} - set(layout.labels))),
        layout.ignored,
        layout.notes,
        lambda: _hint(tree, layout.classes),
        any(folder.subset for folder in layout.classes),
    )


def _hint(tree: Tree, classes: Sequence[ClassFolder]) -> str:
    deeper = [folder.path for folder in classes if len(tree.subfolders(folder.path)) >= 2]
    if deeper:
        return f"did you mean {tree.shown(deeper[0])}?"
    return (
        "a data set has one subfolder per class, or names its classes in file names or in a CSV file, see `labels_from`"
    )


def _from_labels(tree: Tree, source: str) -> _Found:
    """Return the pictures whose labels are in their names or in a CSV file. Folders only say the subset."""
    usable, problems = [], []
    for path in tree.walk(tree.root):
        reason = _why_unusable(path)
        if not reason:
            usable.append(path)
        elif has_image_name(path):
            problems.append((Problem(path, reason), None))
    read = read_labels(tree, usable, source, (tree.root, *_folders_of_archive(tree.root)))
    problems += [(Problem(path, "listed with several labels"), None) for path in read.conflicting]
    problems += [(Problem(path, "listed, but there is no such file"), None) for path in read.missing]
    subset_of_folder = {folder: subset_named(folder.name) for folder in tree.subfolders(tree.root)}
    if "train" not in subset_of_folder.values() or len(set(subset_of_folder.values())) == 1:
        subset_of_folder = {}
    labeled_folders = {_top(tree, path) for path in read.labels}
    ignored = {folder for folder in tree.subfolders(tree.root) if folder not in labeled_folders}
    pictures = []
    for path in usable:
        top = _top(tree, path)
        if path in read.labels:
            subset = read.subsets.get(path) if read.subsets else subset_of_folder.get(top)
            pictures.append(Picture(path, read.labels[path], subset))
        elif top not in ignored and path not in read.conflicting:
            problems.append((Problem(path, read.source), None))
    pictures.sort(key=lambda picture: (picture.label, picture.path))
    known = {picture.label for picture in pictures if picture.subset in (None, "train")}
    return _Found(
        tuple(pictures),
        tuple(problems),
        tuple(sorted(known)),
        tuple(sorted({picture.label for picture in pictures} - known)),
        tuple(sorted(folder.name for folder in ignored if any(map(has_image_name, tree.walk(folder))))),
        has_subsets=any(picture.subset for picture in pictures),
        from_labels=True,
        hint=lambda: f"the labels from {source!r} are {', '.join(map(shown, sorted(known)))}" if known else "",
    )


def _top(tree: Tree, path: Path) -> Path:
    return tree.root / path.relative_to(tree.root).parts[0]


def _folders_of_archive(root: Path) -> list[Path]:
    """Return the folders above the root of an archive's content, where a CSV file may be."""
    depth = len(path_in_archive(root).parts) if root.is_relative_to(archives_folder()) else 0
    return list(root.parents[:depth])


def _notes(tree: Tree, left_out: Sequence[str]) -> list[str]:
    notes = []
    if left_out:
        notes.append(f"classes left out, since they have no training images: {', '.join(map(shown, left_out))}")
    for pattern, count in tree.excluded.items():
        notes.append(f"excluded by {pattern!r}: {count:,} {'file or folder' if count == 1 else 'files and folders'}")
    if tree.results:
        folders = sorted(shown(folder.relative_to(tree.root).as_posix()) for folder in tree.results)
        notes.append(f"ignored, since they contain results of trainings: {', '.join(folders)}")
    return notes


def _left_out(dataset: str | os.PathLike[str], labels: Sequence[str]) -> list[str]:
    source = SOURCES.get(os.fspath(dataset))
    return [name for name in source.left_out if name not in labels] if source else []


def _require_training_pictures(tree: Tree, found: _Found, empty: Sequence[str], only_elsewhere: Sequence[str]) -> None:
    where = tree.shown(tree.root)
    remedy = "add some, omit them with `skip_empty`, or select other classes with `labels`"
    if only_elsewhere:
        raise DataError(f"{where} has no training images of {', '.join(map(shown, only_elsewhere))}; {remedy}")
    if not empty:
        return
    reasons: dict[str, Counter[str]] = defaultdict(Counter)
    for problem, label in found.problems:
        if label in empty:
            reasons[label or ""][problem.reason] += 1
    texts = []
    for label in empty:
        skipped = [
            f"{count:,} {'file' if count == 1 else 'files'} skipped: {why}" for why, count in reasons[label].items()
        ]
        texts.append(f"'{shown(label)}'" + (f" ({', '.join(skipped)})" if skipped else ""))
    noun = "class" if len(texts) == 1 else "classes"
    verb = "has" if len(texts) == 1 else "have"
    subset = "training images" if found.has_subsets else "images"
    raise DataError(f"{noun} {', '.join(texts)} {verb} no {subset} in {where}; {remedy}")


def _chosen_labels(tree: Tree, found: _Found, wanted: Sequence[str]) -> tuple[str, ...]:
    root, known = tree.shown(tree.root), found.known
    names = {printable(label): label for label in known}  # recipes contain labels in this form
    wanted = [names.get(printable(label), label) for label in wanted]
    unknown = [label for label in wanted if label not in known]
    if unknown:
        names_given = ", ".join(f"'{shown(label)}'" for label in unknown)
        raise DataError(f"{root} has no class {names_given}; available labels: {shown(in_csv(known))}")
    chosen = tuple(wanted) or known
    if len(chosen) >= 2:
        return chosen
    if wanted:
        raise DataError(
            f"labels: a classifier needs at least two classes of: {shown(in_csv(known))}. "
            f"Received: {shown(', '.join(wanted))}"
        )
    count = "only one class" if chosen else "no classes"
    if not found.from_labels:
        count = "only one class folder" if chosen else "no class folders"
    raise DataError(f"{root} has {count}, but a classifier needs at least two classes; {found.hint()}")


def _why_unusable(path: Path) -> str | None:
    try:
        if not path.is_file():
            return "not a regular file" if path.exists() else "broken symbolic link"
    except OSError as error:  # in a folder that can be listed but not entered
        return f"cannot be read: {error.strerror}"
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return None
    try:
        kind = kind_of(path)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return None if kind.is_read else kind.reason
