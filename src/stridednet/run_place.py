"""Where a new run directory may be made."""

import itertools
from pathlib import Path

from stridednet.data.archive import dataset_name
from stridednet.errors import RunError
from stridednet.lock import LOCK
from stridednet.recipe import Recipe
from stridednet.storage import check_writable

RUNS = Path("runs/train")


def check_free(out: Path) -> None:
    """Check that a folder can become a run directory.

    Raises:
        RunError: It is not empty, or not a folder.
    """
    if out.exists() and not out.is_dir():
        raise RunError(f"out: {out} is a file; name a folder")
    if out.is_dir() and any(entry.name != LOCK for entry in out.iterdir()):
        raise RunError(f"out: {out} is not empty; name a new folder, or resume the run in it")


def check_place(out: Path | None) -> None:
    """Check, before anything is computed, that a run directory can be made.

    Args:
        out: The run directory; None for a new one below ``runs/train``.

    Raises:
        RunError: ``out`` is not empty, or not a folder.
        StorageError: The folder cannot be written.
    """
    if out is not None:
        check_free(out)
    check_writable(out or RUNS, "choose another folder with `out`")


def new_folder(recipe: Recipe) -> Path:
    """Make a new folder below ``runs/train``, named after data set and recipe.

    Raises:
        OSError: The folder cannot be made.
    """
    name = f"{dataset_name(recipe.data.dataset)}-{recipe.name}"
    RUNS.mkdir(parents=True, exist_ok=True)
    for number in itertools.count(1):
        folder = RUNS / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir()
            return folder
        except FileExistsError:
            continue
    raise AssertionError
