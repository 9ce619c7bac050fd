"""``--trust FILE``: files that may run code, as they say so, although somebody else made them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from stridednet.cli.paths import path_option
from stridednet.errors import InputError
from stridednet.storage import path_text, user_path

TrustedFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--trust",
        parser=path_option,
        metavar="FILE",
        help="A .keras file, run, recipe or sweep plan of this command that may run the Python code in it or named by "
        "it, which can do everything that you can do. Can be repeated. [default: none]",
    ),
]


def trusted(given: Sequence[Path] | None, *opened: str | Path | None) -> list[bool]:
    """Return which of the files and runs that a command opens ``--trust`` names; a file in a run stands for the run.

    Args:
        given: The values of the option.
        opened: What the command opens; None for an option that was not given.

    Raises:
        InputError: ``--trust`` names something else.
    """
    files = [None if one is None else user_path(one, "path").resolve() for one in opened]
    found = [False] * len(files)
    for path in given or ():
        matches = [file is not None and file in (path.resolve(), path.resolve().parent) for file in files]
        if not any(matches):
            known = " or ".join(str(one) for one in opened if one is not None) or "no such file"
            raise InputError(
                f"--trust names a file or run that this command opens: {known}. Received: {path_text(path)}"
            )
        found = [one or match for one, match in zip(found, matches, strict=True)]
    return found
