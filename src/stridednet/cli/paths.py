"""Paths on the command line."""

from pathlib import Path

import typer

from stridednet.errors import InputError
from stridednet.storage import user_path


def path_option(text: str) -> Path:
    """Read the value of an option that is a path. Shells do not expand ``~`` in ``--out=~/run``.

    Raises:
        typer.BadParameter: The text is not a path.
    """
    try:
        return user_path(text, "path")
    except InputError as error:
        raise typer.BadParameter(str(error).removeprefix("path: ")) from None
