"""The text of ``labels.txt`` and ``split.csv`` of a run."""

import json
from collections.abc import Iterable
from typing import NamedTuple

from stridednet.data.tree import shown
from stridednet.limits import check_values, parse_csv
from stridednet.storage import csv_text


class SplitRow(NamedTuple):
    """One picture of a run: its path relative to the data set, its label, its subset, and the SHA-256 of its file."""

    path: str
    label: str
    subset: str
    sha256: str = ""  # unknown in runs of earlier versions


def split_text(rows: Iterable[SplitRow]) -> str:
    """Return the subset of each picture as CSV."""
    return csv_text(SplitRow._fields, rows)


def split_of(text: str) -> list[SplitRow]:
    """Return the rows of a text of `split_text`.

    Raises:
        ValueError, csv.Error: It is not such a text, or has too many values.
    """
    columns = (SplitRow._fields, SplitRow._fields[:-1])  # the latter in runs of earlier versions
    return [SplitRow(*row) for row in parse_csv(text, *columns)]


def labels_text(labels: Iterable[str]) -> str:
    """Return the names of classes, one a line; a name that is not one plain line is written as a JSON string."""
    return "".join(f"{_line_of(label)}\n" for label in labels)


def labels_of(text: str) -> list[str]:
    """Return the names in a text of `labels_text`.

    Raises:
        ValueError: It is not such a text, or has too many lines.
    """
    check_values(text, "\n")
    return [_label_of(line) for line in text.removesuffix("\n").split("\n")]


def _line_of(label: str) -> str:
    plain = shown(label) == label == label.strip() and not label.startswith('"')
    return label if plain else json.dumps(label)


def _label_of(line: str) -> str:
    line = line.removesuffix("\r")
    return str(json.loads(line)) if line.startswith('"') else line
