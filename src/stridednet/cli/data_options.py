"""The options that say which pictures of a data set are used, and of which classes; several commands have them."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from stridednet.errors import InputError

Labels = Annotated[
    list[str] | None,
    typer.Option(
        metavar="A,B,...",
        help="Classes to use, separated by commas; a name with a comma is put in double quotes. Can be repeated. "
        "[default: all]",
    ),
]
LabelsFrom = Annotated[
    str | None,
    typer.Option(
        metavar="name|FILE.csv[:FILES,LABELS]",
        help="Read labels from file names (cat.12.jpg is a cat), or from a CSV file, optionally with the names of "
        "its columns. [default: from folders]",
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(metavar="GLOB", help="Files and folders to ignore, such as '*_thumb.jpg'. Can be repeated."),
]
SkipEmpty = Annotated[bool, typer.Option("--skip-empty", help="Leave out classes that have no training pictures.")]


def data_settings(
    labels: Sequence[str] | None, labels_from: str | None, exclude: Sequence[str] | None, *, skip_empty: bool
) -> dict[str, Any]:
    """Return the settings of these options; None for those that are not given.

    Raises:
        InputError: An option has no value.
    """
    if labels_from is not None and not labels_from.strip():
        raise InputError(f"--labels-from: expected 'name' or a CSV file. Received: {labels_from!r}")
    return {
        "data.labels": None if labels is None else tuple(name for text in labels for name in names_of(text)),
        "data.labels_from": None if labels_from is None else _with_absolute_path(labels_from),
        "data.exclude": tuple(exclude) if exclude else None,
        "data.skip_empty": skip_empty or None,
    }


def names_of(text: str) -> tuple[str, ...]:
    """Parse a value of --labels: names separated by commas, as a line of CSV.

    >>> names_of('cat, "salt, pepper"," leading space"')
    ('cat', 'salt, pepper', ' leading space')

    Raises:
        InputError: There are no names.
    """
    fields = re.findall(r'\s*(?:"((?:[^"]|"")*)"\s*|([^,]*))(?:,|$)', text)
    names = tuple(quoted.replace('""', '"') or plain.strip() for quoted, plain in fields)
    names = tuple(name for name in names if name)
    if not names:
        raise InputError(f"--labels: expected names separated by commas. Received: {text!r}")
    return names


def _with_absolute_path(labels_from: str) -> str:
    """Return the value of --labels-from with the path of a file in the current folder as an absolute path."""
    for text, columns in ((labels_from, ""), labels_from.rpartition(":")[::2]):
        path = Path(text).expanduser()
        if text and path.is_file():
            return f"{path.resolve()}:{columns}" if columns else str(path.resolve())
    return labels_from
