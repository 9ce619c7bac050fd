"""Symbolic links in a run directory, which may not lead out of it."""

import os
from pathlib import Path

from stridednet.errors import RunError

_FOLDERS = ("", "checkpoint", "export")  # from which files are read


def check_links(folder: Path) -> None:
    """Check that nothing in a run refers to a file elsewhere; the folder itself may be a symbolic link.

    Raises:
        RunError: Something does.
    """
    inside = Path(os.path.realpath(folder))
    for place in (folder / name for name in _FOLDERS):
        for path in place.iterdir() if place.is_dir() else ():
            if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(inside):
                raise RunError(
                    f"the run {folder} is refused: {path.relative_to(folder)} is a symbolic link to a place outside of "
                    "the run; copy what it refers to into the run"
                )
