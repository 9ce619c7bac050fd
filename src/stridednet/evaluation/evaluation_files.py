"""The files of an evaluation: numbers, figures, the table of the mistakes and the page."""

import itertools
import json
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from stridednet.data.archive import dataset_name
from stridednet.data.scan import results_inside
from stridednet.data.tree import printable, shown
from stridednet.errors import InputError
from stridednet.evaluation.evaluate import Evaluation
from stridednet.evaluation.evaluation_figures import plot_confusion, plot_mistakes, plot_reliability
from stridednet.evaluation.labeled_pictures import NEW_DATA
from stridednet.evaluation.page.evaluated import Material
from stridednet.evaluation.page.report_page import report_page
from stridednet.run_directory import RunDirectory
from stridednet.storage import check_writable, csv_text, storage_errors, write_text, written_whole

NUMBERS, MISTAKES = "evaluation.json", "mistakes.csv"
CONFUSION, RELIABILITY, WORST, PAGE = "confusion.png", "reliability.png", "mistakes.png", "report.html"
FILES = (NUMBERS, CONFUSION, RELIABILITY, MISTAKES, WORST, PAGE)


_EVALUATIONS = "evaluations"  # folder of a run


def check_place(run: RunDirectory, dataset: str, out: Path | None) -> None:
    """Check, before anything is computed, that the files can be written.

    Args:
        run: The run.
        dataset: The data set.
        out: The folder; None for one of the run.

    Raises:
        InputError: The folder is inside the data set, not a folder, or has other files in it.
        StorageError: The folder cannot be written.
    """
    folder = run.folder if out is None else out
    if results_inside(dataset, folder) is not None:
        raise InputError(
            f"out: {shown(str(folder))} is inside the data set, which is never changed; choose another folder"
        )
    if folder.exists() and not folder.is_dir():
        raise InputError(f"out: {shown(str(folder))} is a file; name a folder")
    if out is not None and out.is_dir() and {entry.name for entry in out.iterdir()} - set(FILES):
        raise InputError(f"out: {shown(str(out))} contains other files; name a new folder")
    check_writable(folder, "choose another folder with `out`")


def write_evaluation(evaluation: Evaluation, out: Path | None = None, **more: Mapping[str, Any]) -> list[Path]:
    """Write the files of an evaluation, each whole or not at all, and return their paths.

    Args:
        evaluation: The evaluation.
        out: The folder; None for that of the run, or for new data a new one below its ``evaluations``.
        more: What else belongs into ``evaluation.json``, by name.

    Raises:
        RunError: Another process is writing to the run.
        StorageError: A file cannot be written.
    """
    run = evaluation.run
    folder = _new_folder(evaluation) if out is None and evaluation.subset == NEW_DATA else out or run.folder
    with run.locked() if folder == run.folder else nullcontext():
        write_text(folder / NUMBERS, json.dumps(evaluation.as_dict() | more, indent=2) + "\n")
        write_text(folder / MISTAKES, mistakes_csv(evaluation))
        for name, plot in ((CONFUSION, plot_confusion), (RELIABILITY, plot_reliability), (WORST, plot_mistakes)):
            with written_whole(folder / name) as beside:
                plot(evaluation, beside)
        material = Material(run.recipe, run.history, run.split, run.report, evaluation.model, evaluation)
        write_text(folder / PAGE, report_page(material))
    return [folder / name for name in FILES]


def _new_folder(evaluation: Evaluation) -> Path:
    name = printable(dataset_name(evaluation.pictures.dataset))
    parent = evaluation.run.folder / _EVALUATIONS
    with storage_errors(parent):
        parent.mkdir(exist_ok=True)
        for number in itertools.count(1):
            folder = parent / (name if number == 1 else f"{name}-{number}")
            try:
                folder.mkdir()
                return folder
            except FileExistsError:
                continue
    raise AssertionError


def mistakes_csv(evaluation: Evaluation) -> str:
    """Return the misclassified pictures as CSV, the most confident mistake first."""
    predictions = evaluation.predictions
    rows = [
        (
            predictions.paths[row],
            predictions.labels[predictions.truth[row]],
            predictions.labels[predictions.guess[row]],
            f"{predictions.confidence[row]:.6f}",
        )
        for row in predictions.wrong
    ]
    return csv_text(("path", "truth", "prediction", "confidence"), rows)
