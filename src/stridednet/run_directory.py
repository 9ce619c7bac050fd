"""The run directory: the name of every file in it, how it is written, and how it is opened."""

import csv
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from stridednet.errors import ModelError, RecipeError, RunError, UntrustedError
from stridednet.limits import MAX_TEXT_BYTES, LimitError, parse_object, read_bytes
from stridednet.lock import locked
from stridednet.model_settings import is_own_model
from stridednet.recipe import Recipe, load_recipe
from stridednet.run_checkpoint import Checkpoint
from stridednet.run_links import check_links
from stridednet.run_place import RUNS, check_free, new_folder
from stridednet.run_tables import SplitRow, labels_of, labels_text, split_of, split_text
from stridednet.storage import csv_text, sha256, storage_errors, user_path, write_text, written_whole
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
_RACE = "race.json"
_DATA_HASH = Path("checkpoint", "data_hash.txt")  # written before the first checkpoint
_MODEL = "model.keras"
_PORTABLE = "predict.npz"
_PLOT = "plot.png"
_PAGE = "report.html"
_CARD = "README.md"
_TEXT = "report.txt"
_REPORT = "report.json"  # written last: a run that has it is finished

_HASHED = (_LABELS, _SPLIT, _HISTORY, _MODEL, _PORTABLE)
_HASHES_KEY = "sha256"


@dataclass(frozen=True)
class RunDirectory:
    """The folder of one training: every file in it, written and read. `stridednet.Run` is built on it."""

    folder: Path
    trust: bool = False  # whether Python code that the model needs is run

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
                run = cls(new_folder(recipe), trust=True)
        else:
            check_free(out)
            run = cls(out, trust=True)
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
    def open(cls, folder: str | os.PathLike[str], *, trust: bool = False) -> Self:
        """Open a finished run.

        Args:
            folder: The run directory.
            trust: Whether to load the model whatever it contains, even if it was changed after the training, and to run
                the Python code that it needs: code in it, and the ``FILE.py:function`` with which it was trained. That
                code can do everything that you can do.

        Raises:
            RunError: The folder is not a run directory, or its run is unfinished or damaged; the message says which.
        """
        run = cls._found(user_path(folder, "folder"), trust)
        if not (run.folder / _REPORT).is_file():
            raise RunError(f"the run {folder} is unfinished: it has no {_REPORT}; resume it first")
        missing = [name for name in (_LABELS, _SPLIT, _HISTORY, _MODEL) if not (run.folder / name).is_file()]
        if missing:
            raise RunError(f"the run {folder} is damaged: {', '.join(missing)} is missing")
        if not isinstance(run.report.get("labels"), list) or len(run.labels) != len(run.report["labels"]):
            raise RunError(f"the run {folder} is damaged: {_LABELS} and {_REPORT} have different numbers of classes")
        return run

    @classmethod
    def unfinished(cls, folder: Path, *, trust: bool = False) -> Self:
        """Open a run in order to resume it; the arguments are those of `open`.

        Raises:
            RunError: The folder is not a run directory, or the run is finished or damaged.
        """
        run = cls._found(folder, trust)
        if (folder / _REPORT).is_file():
            raise RunError(f"the run {folder} is already finished; its report is {folder / _TEXT}")
        return run

    @classmethod
    def _found(cls, folder: Path, trust: bool) -> Self:
        if not folder.is_dir():
            raise RunError(f"there is no run directory {folder}")
        if not (folder / _RECIPE).is_file():
            raise RunError(f"{folder} is not a run directory: it has no {_RECIPE}")
        check_links(folder)
        run = cls(folder, trust)
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
        return self._read(_LABELS, labels_of)

    @cached_property
    def split(self) -> list[SplitRow]:
        """The pictures, and the subset of each: train, val, test or unused."""
        return self._read(_SPLIT, split_of)

    @cached_property
    def history(self) -> History:
        """The epochs."""
        return self._read(_HISTORY, from_csv)

    @cached_property
    def report(self) -> dict[str, Any]:
        """Every number of ``report.json``."""
        return self._read(_REPORT, parse_object)

    @property
    def sample_ranges(self) -> "Ranges":
        """Which samples of more than 8 bits became 0 and 255 in training; empty if it had no such pictures."""
        from stridednet.data.samples import SampleRange

        try:
            stored = self.report.get("data", {}).get("sample_ranges", {})
            return {kind: SampleRange(*map(float, values)) for kind, values in stored.items()}
        except (AttributeError, TypeError, ValueError):
            raise RunError(f"the run {self.folder} is damaged: {_REPORT} has no valid sample ranges") from None

    def model(self) -> "keras.Model":
        """Load the trained Keras model, not compiled.

        Raises:
            RunError: The file is damaged, was changed after the training, or contains what is only loaded if the run
                was opened with ``trust=True``.
        """
        from stridednet.models.keras_file import load_keras_file

        if not self.trust and self._was_changed(_MODEL, sha256(self.model_file)):
            raise RunError(
                f"the run {self.folder} is damaged: {_MODEL} was changed after the training: its SHA-256 is not that "
                f"in {_REPORT}; copy the run again, or use the changed file: --trust {_MODEL}, or trust=True in Python"
            )
        try:
            self._load_own_layers()
            return load_keras_file(self.model_file, trust=self.trust)
        except UntrustedError as error:
            raise RunError(f"the run {self.folder} cannot be loaded: {error}") from None
        except ModelError as error:
            raise RunError(f"the run {self.folder} is damaged: {error}") from None

    def _load_own_layers(self) -> None:
        """Run the file of the user's own model, which defines the layers in it."""
        from stridednet.models.own_model import load_builder

        if self.trust and is_own_model(self.recipe.model.name):
            load_builder(self.recipe.model.name)

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

    def write_race(self, found: Mapping[str, Any]) -> None:
        """Write what was measured to choose the recipe."""
        self._write(_RACE, json.dumps(found, indent=2) + "\n")

    def write_data_hash(self, data_hash: str) -> None:
        """Write the hash of the data set, with which a resumed run is compared."""
        self._write(_DATA_HASH, data_hash + "\n")

    @property
    def data_hash(self) -> str | None:
        """The hash of the data set that the run was started with; None if the run ended before it was written."""
        return self._read(_DATA_HASH, str.strip) if (self.folder / _DATA_HASH).is_file() else None

    def write_labels(self, labels: Iterable[str]) -> None:
        """Write the names of the classes."""
        self._write(_LABELS, labels_text(labels))

    def write_split(self, rows: Iterable[SplitRow]) -> None:
        """Write the subset of each picture."""
        self._write(_SPLIT, split_text(rows))

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
    def recipe_file(self) -> Path:
        """The path of the recipe."""
        return self.folder / _RECIPE

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

    def finish(self, text: str, report: Mapping[str, Any]) -> dict[str, Any]:
        """Write the report as text and as JSON, with the hashes of the other files; it marks the run as finished.

        Returns:
            What was written as JSON.
        """
        self._write(_TEXT, text)
        files = [name for name in _HASHED if (self.folder / name).is_file()]
        complete = {**report, _HASHES_KEY: {name: sha256(self.folder / name) for name in files}}
        self._write(_REPORT, json.dumps(complete, indent=2) + "\n")
        return complete

    def save_epoch(self, checkpoint: Checkpoint) -> None:
        """Save the checkpoint and the history. The previous checkpoint stays intact if the process is killed.

        Raises:
            StorageError: There is no space left.
        """
        checkpoint.write(self.folder / _CHECKPOINT)
        self.write_history(checkpoint.history)

    def load_checkpoint(self) -> Checkpoint | None:
        """Read the checkpoint, or return None if no epoch was finished.

        Raises:
            RunError: The file is damaged.
        """
        path = self.folder / _CHECKPOINT
        return Checkpoint.read(path) if path.is_file() else None

    def _write(self, name: str | Path, text: str) -> None:
        write_text(self.folder / name, text)

    def _read(self, name: str | Path, parse: Callable[[str], T]) -> T:
        try:
            content = read_bytes(self.folder / name, MAX_TEXT_BYTES)
            parsed = parse(content.decode())
            if self._was_changed(name, hashlib.sha256(content).hexdigest()):
                raise LimitError(f"it was changed after the training: its SHA-256 is not the one in {_REPORT}")
            return parsed
        except (OSError, ValueError, csv.Error) as error:
            raise RunError(f"the run {self.folder} is damaged: {name} cannot be read ({error})") from None
        except MemoryError:
            raise RunError(f"the run {self.folder} needs more memory than there is: {name} cannot be read") from None

    def _was_changed(self, name: str | Path, digest: str) -> bool:
        """Return whether a file is another one than at the end of the training; False if that is not known."""
        if name not in _HASHED or not self.report_file.is_file():
            return False
        stored = self.report.get(_HASHES_KEY)  # not in runs of earlier versions
        return isinstance(stored, dict) and stored.get(name, digest) != digest
