"""The figures of a run."""

import os
from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.style import context
from matplotlib.ticker import MaxNLocator

from stridednet.errors import InputError
from stridednet.evaluation.notebook import DisplayedFigure
from stridednet.storage import check_writable, user_path
from stridednet.training.history import EpochRow, validations

DPI = 120  # of figures that are saved as pixels


def figure_formats() -> list[str]:
    """Return the file suffixes that are supported for figures."""
    return sorted(f".{suffix}" for suffix in FigureCanvasAgg.get_supported_filetypes())


def check_figure(plot: str | os.PathLike[str]) -> Path:
    """Return the path of a figure, after checking that it can be written.

    Args:
        plot: Output file.

    Raises:
        InputError: The suffix is not a supported format, or ``plot`` is a folder.
        StorageError: The folder of the file cannot be written.
    """
    path = user_path(plot, "plot")
    if path.suffix.lower() not in figure_formats():
        raise InputError(f"plot: {path}: the file name must end in one of {', '.join(figure_formats())}")
    if path.is_dir():
        raise InputError(f"plot: {path} is a folder; choose another file name")
    check_writable(path.parent, "choose another file with `plot`")
    return path


def plot_history(history: Sequence[EpochRow], curve: str, path: Path) -> None:
    """Write the figure that `history_figure` draws.

    Args:
        history: The history of a run, with at least one row.
        curve: Name of the subset used for validation.
        path: Output file. Its suffix determines the format.
    """
    history_figure(history, curve).savefig(path, dpi=DPI)


def history_figure(history: Sequence[EpochRow], curve: str) -> DisplayedFigure:
    """Draw the tutorial's figure: training and validation loss and accuracy per epoch.

    Args:
        history: The history of a run, with at least one row.
        curve: Name of the subset used for validation, which is stated in the figure.
    """
    epochs = [row.epoch for row in history]
    marker = "o" if len(history) == 1 else None  # a line through a single point is invisible
    validated = validations(history)
    val_epochs = [epoch for epoch, _ in validated]
    when = "each epoch" if val_epochs == epochs else "some epochs"
    val_marker = "o" if len(validated) < len(history) else marker  # marks the validated epochs
    with context("ggplot"):
        figure = DisplayedFigure(figsize=(8, 6))
        axes = figure.add_subplot()
        axes.plot(epochs, [row.loss for row in history], label="train_loss", marker=marker)
        axes.plot(val_epochs, [val.loss for _, val in validated], label="val_loss", marker=val_marker, markersize=4)
        axes.plot(epochs, [row.accuracy for row in history], label="train_acc", marker=marker)
        axes.plot(val_epochs, [val.accuracy for _, val in validated], label="val_acc", marker=val_marker, markersize=4)
        axes.set_title("Training Loss and Accuracy on Dataset")
        axes.set_xlabel("Epoch #")
        axes.set_ylabel("Loss/Accuracy")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_ylim(bottom=0)
        axes.legend(loc="lower left")
        figure.text(
            0.99,
            0.01,
            f"val = {curve} subset, evaluated after {when}; not used for model selection",
            ha="right",
            va="bottom",
            fontsize=8,
            color="#555555",
        )
        figure.set_layout_engine("constrained", rect=(0, 0.03, 1, 0.97))
        figure.draw_without_rendering()  # makes the ticks, which take their style from the context
    return figure
