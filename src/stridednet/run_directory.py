"""The run directory: the name of every file in it, how it is written, and how it is opened."""

import csv
import io
import json
import os
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from stridednet.data.tree import shown
from stridednet.errors import ModelError, RecipeError, RunError
from stridednet.lock import locked
from stridednet.recipe import Recipe, load_recipe
from stridednet.run_place import RUNS, check_free, new_folder
from stridednet.storage import csv_text, storage_errors, user_path, write_text, written_whole
from stridednet.training.history import EpochRow, History, from_csv, to_csv

if TYPE_CHECKING:
    import keras

    from stridednet.data.samples import Ranges
    from stridednet.executor.predictor import Predictor

T = TypeVar("T")

_RECIPE = "recipe.toml"
_LABELS = "labels.txt"
_SPLIT = "split.csv"
_PROBLEMS = "problems.csv"
_HISTORY = "history.csv"
_CHECKPOINT = Path("checkpoint", "state.npz")
_DATA_HASH = Path("checkpoint", "data_hash.txt")  # written before the first checkpoint
_MODEL = "model.keras"
_PORTABLE = "predict.npz"
_PLOT = "plot.png"
_PAGE = "report.html"
_CARD = "README.md"
_TEXT = "report.txt"
_REPORT = "report.json"  # written last: a run that has it is finished

_HISTORY_KEY = "history.csv"
_DATA_HASH_KEY = "data_hash"


class SplitRow(NamedTuple):
    """One picture of a run: its path relative to the data set, its label, its subset, and the SHA-256 of its file."""

    path: str
    label: str
    subset: str
    sha256: str = ""  # unknown in runs of earlier versions


@dataclass(frozen=True)
class Checkpoint:
    """Everything that is needed to resume after an epoch."""

    state: dict[str, NDArray[np.generic]]
    history: History
    data_hash: str


@dataclass(frozen=True)
class RunDirectory:
    """The folder of one training: every file in it, written and read. `stridednet.Run` is built on it."""

    folder: Path

    @classmethod
    def create(cls, recipe: Recipe, out: Path | None = None) -> Self:
        """Make the folder of a new run and write its recipe.

        Args:
            recipe: The complete recipe.
            out: The folder; None for a new one below ``runs/train``, named after data set and recipe.

        Raises:
            RunError: ``out`` is not empty, or another process is writing to it.
            StorageError: The folder cannot be written.
        """
        if out is None:
            with storage_errors(RUNS):
                run = cls(new_folder(recipe))
        else:
            check_free(out)
            run = cls(out)
        with run.locked():
            check_free(run.folder)  # again: another process may have been faster
            run.write_recipe(recipe)
        return run

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock of the run, which writing to it needs. It is released when the process ends.

        Raises:
            RunError: Another process is writing to the run.
            StorageError: The folder cannot be written.
        """
        with locked(self.folder, "run"):
            yield

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> Self:
        """Open a finished run.

        Raises:
            RunError: The folder is not a run directory, or its run is unfinished or damaged; the message says which.
        """
        run = cls._found(user_path(folder, "folder"))
        if not (run.folder / _REPORT).is_file():
            raise RunError(f"the run {folder} is unfinished: it has no {_REPORT}; resume it first")
        missing = [name for name in (_LABELS, _SPLIT, _HISTORY, _MODEL) if not (run.folder / name).is_file()]
        if missing:
            raise RunError(f"the run {folder} is damaged: {', '.join(missing)} is missing")
        if len(run.labels) != len(run.report.get("labels", ())):
            raise RunError(f"the run {folder} is damaged: {_LABELS} and {_REPORT} have different numbers of classes")
        return run

    @classmethod
    def unfinished(cls, folder: Path) -> Self:
        """Open a run in order to resume it.

        Raises:
            RunError: The folder is not a run directory, or the run is finished or damaged.
        """
        run = cls._found(folder)
        if (folder / _REPORT).is_file():
            raise RunError(f"the run {folder} is already finished; its report is {folder / _TEXT}")
        return run

    @classmethod
    def _found(cls, folder: Path) -> Self:
        if not folder.is_dir():
            raise RunError(f"there is no run directory {folder}")
        if not (folder / _RECIPE).is_file():
            raise RunError(f"{folder} is not a run directory: it has no {_RECIPE}")
        run = cls(folder)
        try:
            _ = run.recipe
        except RecipeError as error:
            raise RunError(f"the run {folder} is damaged: {error}") from None
        return run

    @cached_property
    def recipe(self) -> Recipe:
        """The complete recipe that the run was started with."""
        return load_recipe(self.folder / _RECIPE)[0]

    @cached_property
    def labels(self) -> list[str]:
        """The names of the classes, in the order of the model's outputs."""
        return self._read(_LABELS, lambda text: [_label_of(line) for line in text.removesuffix("\n").split("\n")])

    @cached_property
    def split(self) -> list[SplitRow]:
        """The pictures, and the subset of each: train, val, test or unused."""
        return self._read(
            _SPLIT, lambda text: [SplitRow(**row) for row in csv.DictReader(io.StringIO(text, newline=""))]
        )

    @cached_property
    def history(self) -> History:
        """The epochs."""
        return self._read(_HISTORY, from_csv)

    @cached_property
    def report(self) -> dict[str, Any]:
        """Every number of ``report.json``."""
        return self._read(_REPORT, json.loads)

    @property
    def sample_ranges(self) -> "Ranges":
        """Which samples of more than 8 bits became 0 and 255 in training; empty if it had no such pictures."""
        from stridednet.data.samples import SampleRange

        stored = self.report.get("data", {}).get("sample_ranges", {})
        return {kind: SampleRange(*values) for kind, values in stored.items()}

    def model(self) -> "keras.Model":
        """Load the trained Keras model, not compiled.

        Raises:
            RunError: The file is damaged.
        """
        from stridednet.models.keras_file import load_keras_file

        try:
            return load_keras_file(self.folder / _MODEL)
        except ModelError as error:
            raise RunError(f"the run {self.folder} is damaged: {error}") from None

    def predictor(self) -> "Predictor":
        """Return a predictor for the trained model.

        Raises:
            RunError: The model's file is damaged.
        """
        from stridednet.executor.predictor import Predictor

        return Predictor(self.model())

    def write_recipe(self, recipe: Recipe) -> None:
        """Write the complete recipe."""
        self._write(_RECIPE, recipe.to_toml())

    def write_data_hash(self, data_hash: str) -> None:
        """Write the hash of the data set, with which a resumed run is compared."""
        self._write(_DATA_HASH, data_hash + "\n")

    @property
    def data_hash(self) -> str | None:
        """The hash of the data set that the run was started with; None if the run ended before it was written."""
        return self._read(_DATA_HASH, str.strip) if (self.folder / _DATA_HASH).is_file() else None

    def write_labels(self, labels: Iterable[str]) -> None:
        """Write the names of the classes, one a line; a name that is not one plain line is written as a JSON string."""
        self._write(_LABELS, "".join(f"{_line_of(label)}\n" for label in labels))

    def write_split(self, rows: Iterable[SplitRow]) -> None:
        """Write the subset of each picture."""
        self._write(_SPLIT, csv_text(SplitRow._fields, rows))

    def write_problems(self, problems: Iterable[tuple[str, str]]) -> None:
        """Write the files that were not used, each with the reason."""
        self._write(_PROBLEMS, csv_text(("path", "reason"), problems))

    def write_history(self, history: Sequence[EpochRow]) -> None:
        """Write the epochs."""
        self._write(_HISTORY, to_csv(history))

    def write_model(self, model: "keras.Model") -> None:
        """Write the trained model."""
        with written_whole(self.folder / _MODEL) as beside:
            model.save(beside)

    @property
    def model_file(self) -> Path:
        """The path of the trained model."""
        return self.folder / _MODEL

    @property
    def report_file(self) -> Path:
        """The path of the report, which is written last."""
        return self.folder / _REPORT

    @property
    def portable_file(self) -> Path:
        """The path of the model as NumPy computes it; not every run has one."""
        return self.folder / _PORTABLE

    @property
    def plot_path(self) -> Path:
        """The path of the figure."""
        return self.folder / _PLOT

    @property
    def page(self) -> Path:
        """The path of the report page."""
        return self.folder / _PAGE

    def write_page(self, html: str) -> None:
        """Write the report page."""
        self._write(_PAGE, html)

    def write_card(self, text: str) -> None:
        """Write the model card."""
        self._write(_CARD, text)

    def finish(self, text: str, report: Mapping[str, Any]) -> None:
        """Write the report as text and as JSON, which marks the run as finished."""
        self._write(_TEXT, text)
        self._write(_REPORT, json.dumps(report, indent=2) + "\n")

    def save_epoch(self, checkpoint: Checkpoint) -> None:
        """Save the checkpoint and the history. The previous checkpoint stays intact if the process is killed.

        Raises:
            StorageError: There is no space left.
        """
        with written_whole(self.folder / _CHECKPOINT) as beside, beside.open("wb") as file:
            texts = {_HISTORY_KEY: np.array(to_csv(checkpoint.history)), _DATA_HASH_KEY: np.array(checkpoint.data_hash)}
            np.savez(file, **checkpoint.state, **texts)  # type: ignore[arg-type]  # numpy's stub mistakes ** for a flag
        self.write_history(checkpoint.history)

    def load_checkpoint(self) -> Checkpoint | None:
        """Read the checkpoint, or return None if no epoch was finished.

        Raises:
            RunError: The file is damaged.
        """
        path = self.folder / _CHECKPOINT
        if not path.is_file():
            return None
        try:
            with path.open("rb") as file, np.load(file) as arrays:
                state = dict(arrays)
            history, data_hash = str(state.pop(_HISTORY_KEY)), str(state.pop(_DATA_HASH_KEY))
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise RunError(f"{path} is damaged ({error}); start a new run") from None
        return Checkpoint(state, from_csv(history), data_hash)

    def _write(self, name: str | Path, text: str) -> None:
        write_text(self.folder / name, text)

    def _read(self, name: str | Path, parse: Callable[[str], T]) -> T:
        try:
            with (self.folder / name).open(encoding="utf-8", newline="") as file:
                return parse(file.read())
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(f"the run {self.folder} is damaged: {name} cannot be read ({error})") from None


def _line_of(label: str) -> str:
    plain = shown(label) == label == label.strip() and not label.startswith('"')
    return label if plain else json.dumps(label)


def _label_of(line: str) -> str:
    line = line.removesuffix("\r")
    return str(json.loads(line)) if line.startswith('"') else line
