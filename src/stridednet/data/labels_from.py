"""Labels that are not the names of folders: read from file names, or from a CSV file."""

import csv
import io
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stridednet.data.layout import Subset, normalized, subset_named
from stridednet.data.tree import Tree, shown
from stridednet.errors import DataError

FROM_NAME = "name"
_LABEL_COLUMNS = (
    "label", "labels", "class", "classes", "class_name", "classname", "category", "target", "species", "breed", "y",
)  # fmt: skip
_SUBSET_COLUMNS = ("split", "subset", "set", "partition", "usage", "fold", "phase", "data set")


@dataclass(frozen=True)
class Labels:
    """The label of each file, by path, and its subset if a CSV file has them; files without a label are left out.

    ``missing`` are files that are listed but do not exist, and ``conflicting`` those that are listed with several
    labels. ``source`` says where labels come from, as in "not listed in labels.csv".
    """

    source: str
    labels: Mapping[Path, str]
    subsets: Mapping[Path, Subset] = field(default_factory=dict)
    missing: tuple[Path, ...] = ()
    conflicting: tuple[Path, ...] = ()


def label_in_name(name: str) -> str | None:
    """Return the part of a file name before its number; None if the name is only a number.

    >>> [label_in_name(name) for name in ("cat.12.jpg", "shiba_inu_7.jpg", "n0144_1.png", "dog (3).jpg", "12.jpg")]
    ['cat', 'shiba_inu', 'n0144', 'dog', None]
    """
    stem = name.rpartition(".")[0] or name
    parts = list(re.finditer(r"[^\s._()-]+", stem))
    if not parts or (len(parts) == 1 and parts[0][0].isdigit()):
        return None
    number = next((index for index in range(1, len(parts)) if parts[index][0].isdigit()), None)
    if number is None:
        first = parts[0][0]
        return normalized(first if len(parts) > 1 else first.rstrip("0123456789"))
    return normalized(stem[parts[0].start() : parts[number - 1].end()])


def read_labels(tree: Tree, files: Sequence[Path], source: str, folders: Sequence[Path]) -> Labels:
    """Return the labels of files.

    Args:
        tree: The data set.
        files: Its pictures.
        source: ``name``, or a CSV file: its path, or its path and two columns, as ``labels.csv:file,label``.
        folders: Where to look for the CSV file unless its path is absolute.

    Raises:
        DataError: The CSV file does not exist or cannot be understood, or no file has a label.
    """
    if source == FROM_NAME:
        found = {path: label for path in files if (label := label_in_name(path.name))}
        labels = Labels("no label in the file name", found)
    else:
        path, columns = _file_and_columns(source, folders)
        labels = _from_table(tree, files, path, columns)
    if not labels.labels:
        raise DataError(f"labels_from: no picture in {tree.shown(tree.root)} has a label. Received: {source!r}")
    return labels


def _file_and_columns(source: str, folders: Sequence[Path]) -> tuple[Path, tuple[str, str] | None]:
    name, colon, columns = source.rpartition(":")
    choices: list[tuple[str, tuple[str, str] | None]] = [(source, None)]
    if colon and columns.count(",") == 1:
        file, _, label = columns.partition(",")
        choices.append((name, (file.strip(), label.strip())))
    for text, chosen in choices:
        for folder in folders:
            path = folder / Path(text).expanduser()
            if path.is_file():
                return path, chosen
    raise DataError(
        f"labels_from: expected 'name', or a CSV file in the data set or with an absolute path. Received: {source!r}"
    )


def _from_table(tree: Tree, files: Sequence[Path], path: Path, columns: tuple[str, str] | None) -> Labels:
    header, rows = _read_table(path)
    finder = _finder(tree, files)
    file_column, label_column = columns or (None, None)
    files_at = _named(path, header, file_column) if file_column else _file_column(path, header, rows, finder)
    if not finder(rows[0][files_at]):  # otherwise the table has no header
        rows = rows[1:]
    label_of = _label_reader(path, header, rows, files_at, label_column)
    subset_at = next((at for at, name in enumerate(header) if name.lower() in _SUBSET_COLUMNS), files_at)
    has_subsets = subset_at != files_at and all(subset_named(row[subset_at]) for row in rows)
    labels_of: dict[Path, set[str]] = defaultdict(set)
    subsets: dict[Path, Subset] = {}
    missing = []
    for row in rows:
        found = finder(row[files_at])
        label = normalized(label_of(row).strip())
        if not found:
            missing.append(tree.root / row[files_at])
        for file in found if label else ():
            labels_of[file].add(label)
            if has_subsets and (subset := subset_named(row[subset_at])) is not None:
                subsets[file] = subset
    conflicting = tuple(file for file, labels in labels_of.items() if len(labels) > 1)
    return Labels(
        f"not listed in {shown(path.name)}",
        {file: labels.pop() for file, labels in labels_of.items() if len(labels) == 1},
        subsets,
        tuple(missing),
        conflicting,
    )


def _read_table(path: Path) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of a CSV file, separated by commas, semicolons or tabs."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        text = path.read_text(encoding="latin-1")
    except OSError as error:
        raise DataError(f"labels_from: cannot read {shown(str(path))}: {error.strerror}") from None
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if any(row)]
    except csv.Error as error:
        raise DataError(f"labels_from: {shown(str(path))} is not a valid CSV file: {error}") from None
    width = len(rows[0]) if rows else 0
    if width < 2 or any(len(row) != width for row in rows):
        raise DataError(f"labels_from: {shown(str(path))} is not a table with a column of file names and one of labels")
    return [name.strip() for name in rows[0]], rows


def _finder(tree: Tree, files: Sequence[Path]) -> Callable[[str], list[Path]]:
    """Return a function that finds files by path, by the end of a path, or by name with or without the suffix."""
    ends: dict[str, list[Path]] = defaultdict(list)
    whole: dict[str, list[Path]] = defaultdict(list)
    for file in files:
        relative = normalized(file.relative_to(tree.root).as_posix())
        parts = relative.split("/")
        keys = {"/".join(parts[start:]) for start in range(len(parts))}
        for key in keys | {key.rpartition(".")[0] for key in keys}:
            ends[key].append(file)
        for key in (relative, relative.rpartition(".")[0]):
            whole[key].append(file)

    def find(text: str) -> list[Path]:
        parts = [part for part in re.split(r"[/\\]+", normalized(text.strip())) if part not in ("", ".")]
        choices = [ends.get("/".join(parts), [])]
        choices += [whole.get("/".join(parts[start:]), []) for start in range(1, len(parts))]  # from above the data set
        return next((found for found in choices if len(found) == 1), [])

    return find


def _file_column(path: Path, header: Sequence[str], rows: list[list[str]], find: Callable[[str], list[Path]]) -> int:
    sample = rows[:: max(1, len(rows) // 200)]
    hits = [sum(bool(find(row[at])) for row in sample) for at in range(len(header))]
    best = max(range(len(header)), key=hits.__getitem__)
    if not hits[best]:
        raise DataError(
            f"labels_from: no column of {shown(str(path))} has the names of pictures in the data set; "
            f"columns: {shown(', '.join(header))}"
        )
    return best


def _label_reader(
    path: Path, header: Sequence[str], rows: list[list[str]], files_at: int, name: str | None
) -> Callable[[list[str]], str]:
    """Return a function from a row to its label: the value of a column, or the name of the only column that has a 1."""
    others = [at for at in range(len(header)) if at != files_at]
    named = [at for at in others if header[at].lower() in _LABEL_COLUMNS]
    if name is not None or len(named) == 1 or len(others) == 1:
        at = (named or others)[0] if name is None else _named(path, header, name)
        return lambda row: row[at]
    if all(sorted({row[at].removesuffix(".0") for at in others}) == ["0", "1"] for row in rows) and all(
        sum(row[at].removesuffix(".0") == "1" for at in others) == 1 for row in rows
    ):
        return lambda row: next(header[at] for at in others if row[at].removesuffix(".0") == "1")
    raise DataError(
        f"labels_from: which column of {shown(str(path))} has the labels? Name the columns of files and labels: "
        f"{shown(path.name)}:{shown(header[files_at])},LABEL; columns: {shown(', '.join(header))}"
    )


def _named(path: Path, header: Sequence[str], name: str) -> int:
    if name not in header:
        raise DataError(f"labels_from: {shown(str(path))} has no column {name!r}; columns: {shown(', '.join(header))}")
    return list(header).index(name)
