"""The run directory: what lies in it, written whole or not at all, read back, and gone on with."""

import itertools
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stridednet.data.archive import dataset_name
from stridednet.errors import RunError
from stridednet.recipe import Recipe, load_recipe
from stridednet.storage import csv_text, storage_errors, write_text, written_whole
from stridednet.training.history import EpochRow, History, from_csv, to_csv

RUNS = Path("runs/train")
_HISTORY_KEY = "history.csv"
_DATA_HASH_KEY = "data_hash"


@dataclass(frozen=True)
class Checkpoint:
    """All that it takes to go on after an epoch."""

    state: dict[str, NDArray[np.generic]]
    history: History
    data_hash: str


@dataclass(frozen=True)
class Run:
    """One training and its folder."""

    folder: Path

    @classmethod
    def create(cls, recipe: Recipe, out: Path | None = None) -> "Run":
        """Make the folder of a new run and write its recipe.

        Args:
            recipe: The complete recipe.
            out: The folder; None for a new one below ``runs/train``, named after data set and recipe.

        Raises:
            RunError: ``out`` is taken.
            StorageError: The folder cannot be written.
        """
        if out is not None:
            check_free(out)
        with storage_errors(out or RUNS):
            if out is None:
                run = cls(_new_folder(recipe))
            else:
                out.mkdir(parents=True, exist_ok=True)
                run = cls(out)
        run.write_text("recipe.toml", recipe.to_toml())
        return run

    @classmethod
    def unfinished(cls, folder: Path) -> "Run":
        """Open a run to go on with it.

        Raises:
            RunError: There is no run, or it is finished.
        """
        if not (folder / "recipe.toml").is_file():
            raise RunError(f"no run in {folder}: it has no recipe.toml")
        if (folder / "report.json").is_file():
            raise RunError(f"the run {folder} is finished; its report is {folder / 'report.txt'}")
        return cls(folder)

    def recipe(self) -> Recipe:
        """Read the recipe that the run was started with."""
        return load_recipe(self.folder / "recipe.toml")[0]

    def write_text(self, name: str, text: str) -> None:
        """Write a text file of the run."""
        write_text(self.folder / name, text)

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        """Write a JSON file of the run."""
        self.write_text(name, json.dumps(content, indent=2) + "\n")

    def write_csv(self, name: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Write a table of texts."""
        self.write_text(name, csv_text(header, rows))

    def save_epoch(self, checkpoint: Checkpoint) -> None:
        """Save the checkpoint, and the history for people to read. A kill at any moment leaves the one before intact.

        Raises:
            StorageError: There is no room.
        """
        with written_whole(self._checkpoint) as beside, beside.open("wb") as file:
            texts = {_HISTORY_KEY: np.array(to_csv(checkpoint.history)), _DATA_HASH_KEY: np.array(checkpoint.data_hash)}
            np.savez(file, **checkpoint.state, **texts)  # type: ignore[arg-type]  # numpy's stub mistakes ** for a flag
        self.write_history(checkpoint.history)

    def load_checkpoint(self) -> Checkpoint | None:
        """Read the checkpoint, or return None if no epoch was finished.

        Raises:
            RunError: The file is damaged.
        """
        if not self._checkpoint.is_file():
            return None
        try:
            with self._checkpoint.open("rb") as file, np.load(file) as arrays:
                state = dict(arrays)
            history, data_hash = str(state.pop(_HISTORY_KEY)), str(state.pop(_DATA_HASH_KEY))
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise RunError(f"{self._checkpoint} is damaged ({error}); start a new run") from None
        return Checkpoint(state, from_csv(history), data_hash)

    def write_history(self, history: Sequence[EpochRow]) -> None:
        """Write ``history.csv``."""
        self.write_text("history.csv", to_csv(history))

    @property
    def _checkpoint(self) -> Path:
        return self.folder / "checkpoint" / "state.npz"


def check_free(out: Path) -> None:
    """Make sure that a folder can become a run.

    Raises:
        RunError: It holds something, or is no folder.
    """
    if out.exists() and not out.is_dir():
        raise RunError(f"--out {out} is a file; name a folder")
    if out.is_dir() and any(out.iterdir()):
        raise RunError(f"--out {out} is not empty; name a new folder, or go on with --resume {out}")


def _new_folder(recipe: Recipe) -> Path:
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
