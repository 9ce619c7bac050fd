"""Which folders of a data set are classes, and which are subsets that contain class folders."""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from stridednet.data.kinds import has_image_name
from stridednet.data.tree import Tree, shown
from stridednet.errors import DataError

Subset = Literal["train", "val", "test"]

_SUBSET_OF_FOLDER: dict[str, Subset] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
# Part of a name such as training_set, valImages, tst or test1; a suffix of the kind of "set" may follow.
_SUBSET_OF_WORD: dict[str, Subset] = {
    **_SUBSET_OF_FOLDER,
    "trn": "train",
    "validate": "val",
    "validating": "val",
    "dev": "val",
    "eval": "val",
    "evaluation": "val",
    "tst": "test",
    "holdout": "test",
}
_ANY_WORD = "|".join(sorted(_SUBSET_OF_WORD, key=len, reverse=True))
_WORD = re.compile(
    rf"((?:{_ANY_WORD})+)"
    r"(?:sets?|data|datasets?|images?|imgs?|pictures?|pics?|photos?|dir|folder|split|part|samples?|files?)?"
)


@dataclass(frozen=True)
class ClassFolder:
    """A folder with the pictures of one class, its label, and its subset if the data set has predefined subsets."""

    path: Path
    label: str
    subset: Subset | None = None


@dataclass(frozen=True)
class Layout:
    """The class folders, in a fixed order.

    ``above`` are the folders that contain them, and ``ignored`` the names of folders that are neither. ``notes`` tell
    the user how an unclear layout was understood.
    """

    classes: tuple[ClassFolder, ...]
    above: tuple[Path, ...]
    ignored: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of all classes with training pictures, sorted."""
        return tuple(sorted({folder.label for folder in self.classes if folder.subset in (None, "train")}))


def normalized(label: str) -> str:
    """Return a label in the Unicode form NFC: one spelling of names that look the same."""
    return unicodedata.normalize("NFC", label)


def subset_named(name: str) -> Subset | None:
    """Return the subset that the name of a folder says, in any spelling.

    >>> [subset_named(name) for name in ("training_set", "valImages", "Test1", "trainers", "train_and_test")]
    ['train', 'val', 'test', None, None]
    """
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)
    found = [match[1] for word in words if (match := _WORD.fullmatch(word.lower()))]
    subsets = {_SUBSET_OF_WORD[word] for text in found for word in re.findall(_ANY_WORD, text)}
    return subsets.pop() if len(subsets) == 1 else None


def find_layout(tree: Tree, left_out: Sequence[str], wanted: Sequence[str]) -> Layout:
    """Return the class folders of a data set.

    Args:
        tree: The data set.
        left_out: Names of folders that are not classes.
        wanted: The labels that the user selects. If they are the names of the folders at the top, these are classes.

    Raises:
        DataError: The layout can be understood in several ways, or subsets have no class folders.
    """
    root = tree.root
    folders = tree.subfolders(root)
    names = {normalized(folder.name) for folder in folders}
    as_classes = bool(wanted) and names.issuperset(wanted)
    notes: tuple[str, ...] = ()
    parts: Mapping[Path, Subset] = {} if as_classes else _subset_folders(tree, folders)
    found: list[tuple[Path, Subset | None]]
    if parts:
        places = _class_parents(tree, parts)
        found = [(folder, subset) for place, subset in places.items() for folder in tree.subfolders(place)]
        ignored = [folder.name for folder in folders if folder not in parts]
        above = [root, *places]
    else:
        ignored = [name for name in left_out if (root / name).is_dir()]
        candidates = [folder for folder in folders if folder.name not in ignored]
        inner = set() if as_classes else _common_folders(tree, candidates)
        above = [root]
        if inner and wanted and inner.issuperset(wanted):
            found = [(folder, None) for candidate in candidates for folder in tree.subfolders(candidate)]
            above += candidates
        else:
            found = [(folder, None) for folder in candidates]
            if inner:
                notes = (_two_readings([folder.name for folder in candidates], inner),)
    classes = [ClassFolder(folder, normalized(folder.name), subset) for folder, subset in found]
    classes.sort(key=lambda item: (item.label, item.path))
    return Layout(tuple(classes), tuple(above), tuple(sorted(ignored)), notes)


def _two_readings(candidates: Sequence[str], inner: set[str]) -> str:
    outer_names, inner_names = (", ".join(map(shown, sorted(names)[:4])) for names in (candidates, inner))
    return (
        f"the classes are {outer_names}; each of them contains {inner_names}: to use these as classes, select them "
        "with `labels`; if the folders are subsets, rename them to train and test"
    )


def _common_folders(tree: Tree, candidates: Sequence[Path]) -> set[str]:
    """Return the names of all folders in the candidates if some are in each of them, and pictures are only there."""
    if len(candidates) < 2 or any(_has_pictures(tree, folder) for folder in candidates):
        return set()
    inside = [{normalized(folder.name) for folder in tree.subfolders(candidate)} for candidate in candidates]
    union = set().union(*inside)
    return union if set.intersection(*inside) and len(union) >= 2 else set()


def _subset_folders(tree: Tree, folders: Sequence[Path]) -> dict[Path, Subset]:
    """Return the folders that are subsets, with class folders in them; nothing if all are classes."""
    named = _named_subsets(folders)
    parts = {folder: subset for folder, subset in named.items() if tree.subfolders(_inner(tree, folder))}
    if "train" not in parts.values():
        _require_labels(tree, named)
        return {}
    parts = _without_unusual(tree, parts)
    if set(parts.values()) == {"train"}:
        train = next(iter(parts))
        inside = _inner(tree, train)
        if len(tree.subfolders(inside)) < 2 or _has_pictures(tree, inside):
            return {}  # a class named train
        others = [folder for folder in folders if folder not in named and _has_pictures_below(tree, folder)]
        if others and not _is_usual(train):
            others = [folder for folder in others if _shares_classes(tree, train, folder)]
            if not others:
                return {}
        if others:
            raise DataError(
                f"ambiguous layout: {tree.shown(train)} looks like a subset, but {tree.shown(others[0])} next to it "
                f"looks like a class; use {tree.shown(train)} as the data set, or rename one of the folders"
            )
    repeated = [subset for subset, count in Counter(parts.values()).items() if count > 1]
    if repeated:
        names = ", ".join(tree.shown(folder) for folder, subset in parts.items() if subset == repeated[0])
        raise DataError(f"several folders for the {repeated[0]} subset: {names}; keep only one of them")
    return parts


def _named_subsets(folders: Sequence[Path]) -> dict[Path, Subset]:
    """Return the folders with the name of a subset."""
    named: dict[Path, Subset] = {}
    for folder in folders:
        subset = _SUBSET_OF_FOLDER.get(folder.name.lower()) or subset_named(folder.name)
        if subset is not None:
            named[folder] = subset
    if "train" not in named.values():
        for folder in folders:
            if re.search(r"train(ing)?[\W_]*(and)?[\W_]*(val|dev)", folder.name.lower()):
                named[folder] = "train"
    if "test" not in named.values() and list(named.values()).count("val") > 1:
        for folder in named:
            if re.search("eval", folder.name.lower()):
                named[folder] = "test"  # train, dev and eval
    return named


def _is_usual(folder: Path) -> bool:
    return folder.name.lower() in _SUBSET_OF_FOLDER


def _without_unusual(tree: Tree, parts: dict[Path, Subset]) -> dict[Path, Subset]:
    """Return the subsets without those of an unusual name that another folder is, or that have other classes."""
    usual = {subset for folder, subset in parts.items() if _is_usual(folder)}
    parts = {folder: subset for folder, subset in parts.items() if _is_usual(folder) or subset not in usual}
    train = next(folder for folder, subset in parts.items() if subset == "train")
    return {
        folder: subset
        for folder, subset in parts.items()
        if subset == "train" or (_is_usual(train) and _is_usual(folder)) or _shares_classes(tree, train, folder)
    }


def _shares_classes(tree: Tree, one: Path, other: Path) -> bool:
    first, second = (
        {normalized(folder.name) for folder in tree.subfolders(_inner(tree, place))} for place in (one, other)
    )
    return bool(first & second)


def _inner(tree: Tree, folder: Path) -> Path:
    """Return the folder itself or, for an archive that was unpacked twice, the one below: train/train."""
    while True:
        below = tree.subfolders(folder)
        if len(below) != 1 or _has_pictures(tree, folder):
            return folder
        outer, inner = folder.name.lower(), below[0].name.lower()
        if outer != inner and (subset_named(outer) is None or subset_named(outer) != subset_named(inner)):
            return folder
        folder = below[0]


def _class_parents(tree: Tree, parts: Mapping[Path, Subset]) -> dict[Path, Subset]:
    """Return the folders that contain the class folders of each subset: train, train/train or train/images."""
    places = {_inner(tree, folder): subset for folder, subset in parts.items()}
    below = {folder: tree.subfolders(folder) for folder in places}
    wrapped = all(len(inside) == 1 and len(tree.subfolders(inside[0])) >= 2 for inside in below.values())
    if wrapped and not any(_has_pictures(tree, place) for inside in below.values() for place in inside):
        return {below[folder][0]: subset for folder, subset in places.items()}
    return places


def _require_labels(tree: Tree, named: Mapping[Path, Subset]) -> None:
    """Make sure that there are no subsets without class folders, as train and test with all pictures in them."""
    filled = {folder: subset for folder, subset in named.items() if _has_pictures_below(tree, folder)}
    flat = [folder for folder in filled if _has_pictures(tree, _inner(tree, folder))]
    if "train" in {filled[folder] for folder in flat} and len(set(filled.values())) > 1:
        names = " and ".join(shown(folder.name) for folder in flat)
        raise DataError(
            f"{tree.shown(tree.root)}: {names} are subsets, but have no class folders; use `labels_from` to read the "
            "class of each picture from its file name ('name') or from a CSV file; if they are classes, select them "
            "with `labels`"
        )


def _has_pictures(tree: Tree, folder: Path) -> bool:
    return any(has_image_name(path) for path in tree.files(folder))


def _has_pictures_below(tree: Tree, folder: Path) -> bool:
    return any(has_image_name(path) for path in tree.walk(folder))
