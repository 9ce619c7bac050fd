"""A run's figures."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.style import context
from matplotlib.ticker import MaxNLocator

from stridednet.errors import InputError
from stridednet.training.history import EpochRow, validations


def figure_formats() -> list[str]:
    """Return the suffixes that a figure's file may have."""
    return sorted(f".{suffix}" for suffix in FigureCanvasAgg.get_supported_filetypes())


def check_figure(path: Path) -> None:
    """Make sure before the work that a figure can be written in the end.

    Raises:
        InputError: The file's suffix is no format of figures, or a folder is in the way.
    """
    if path.suffix.lower() not in figure_formats():
        raise InputError(f"--plot {path}: the name must end in one of {', '.join(figure_formats())}")
    if path.is_dir():
        raise InputError(f"--plot {path} is a folder; name a file")


def plot_history(history: Sequence[EpochRow], curve: str, path: Path) -> None:
    """Draw the tutorial's figure: losses and accuracies of training and validation, epoch by epoch.

    Args:
        history: One row or more.
        curve: The subset that the validation is measured on; the figure says so.
        path: The file to write.
    """
    epochs = [row.epoch for row in history]
    marker = "o" if len(history) == 1 else None  # a single point draws no line
    validated = validations(history)
    val_epochs = [epoch for epoch, _ in validated]
    when = "each epoch" if val_epochs == epochs else "some epochs"
    val_marker = "o" if len(validated) < len(history) else marker  # shows which epochs those are
    with context("ggplot"):
        figure = Figure(figsize=(8, 6))
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
            f"val = {curve} subset, measured after {when}; it chooses nothing",
            ha="right",
            va="bottom",
            fontsize=8,
            color="#555555",
        )
        figure.set_layout_engine("constrained", rect=(0, 0.03, 1, 0.97))
        figure.savefig(path, dpi=120)
