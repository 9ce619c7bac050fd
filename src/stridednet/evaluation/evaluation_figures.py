"""The figures of an evaluation: the confusion matrix, the reliability diagram and the worst mistakes."""

import math
from pathlib import Path
from typing import Protocol

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from stridednet.data.tree import shown
from stridednet.evaluation.predictions import Predictions
from stridednet.evaluation.reliability import Reliability
from stridednet.evaluation.scores import Scores

_MOST_NUMBERS = 25  # classes up to which the cells of the matrix have their numbers
_WORST, _COLUMNS = 24, 6  # mistakes that are drawn, and how many of them in a row
_LONGEST = 22  # characters of a name
_DPI = 120


class Drawn(Protocol):
    """What the figures need of an evaluation."""

    @property
    def predictions(self) -> Predictions:
        """What the model says."""

    @property
    def scores(self) -> Scores:
        """The scores."""

    @property
    def reliability(self) -> Reliability:
        """Confidence and accuracy."""

    @property
    def subset(self) -> str:
        """Which pictures these are."""

    def image(self, row: int) -> NDArray[np.uint8]:
        """Return a picture, ``(height, width, 3)``."""


def plot_confusion(evaluation: Drawn, path: Path) -> None:
    """Draw the confusion matrix: rows are true classes, columns predicted ones, colors fractions of the row.

    Args:
        evaluation: The evaluation.
        path: Output file. Its suffix determines the format.
    """
    counts, labels = evaluation.scores.confusion, [_short(label) for label in evaluation.predictions.labels]
    n = len(labels)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.where(totals > 0, counts / np.maximum(totals, 1), 0.0)
    side = min(max(4.0, 0.5 * n), 18.0)
    size = min(10.0, max(3.5, 72 * 0.62 * side / n))  # points, so that names fit beside their rows
    figure = Figure(figsize=(side + 2, side + 1.5), layout="constrained")
    axes = figure.add_subplot()
    picture = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(n), labels, rotation=90 if n > 6 else 45, fontsize=size, ha="center" if n > 6 else "right")
    if n <= 6:
        for text in axes.get_xticklabels():
            text.set_rotation_mode("anchor")
    axes.set_yticks(range(n), labels, fontsize=size)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    axes.set_title(f"Pictures by true and predicted class ({evaluation.subset})")
    if n <= _MOST_NUMBERS:
        for row, column in np.argwhere(counts):
            color = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, f"{counts[row, column]:,}", ha="center", va="center", color=color, fontsize=size)
    bar = figure.colorbar(picture, ax=axes, fraction=0.04, pad=0.02, format=lambda value, _: f"{value:.0%}")
    bar.set_label("fraction of the true class")
    figure.savefig(path, dpi=_DPI)


def plot_reliability(evaluation: Drawn, path: Path) -> None:
    """Draw the accuracy of the pictures in each range of confidence, with 95% intervals and numbers of pictures.

    Args:
        evaluation: The evaluation.
        path: Output file. Its suffix determines the format.
    """
    found = evaluation.reliability
    figure = Figure(figsize=(6.5, 6), layout="constrained")
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    axes.plot([0, 1], [0, 1], linestyle="--", color="#888888", label="confidence = accuracy")
    bins = [one for one in found.bins if one.accuracy is not None and one.interval is not None]
    x = [one.confidence for one in bins]
    y = np.array([one.accuracy for one in bins])
    low, high = np.array([one.interval for one in bins], float).T
    # Where all pictures are right, rounding must not make a distance negative.
    errors = np.maximum([y - low, high - y], 0)
    axes.errorbar(x, y, errors, fmt="o", capsize=3, color="#1f5a99", label="pictures, with 95% interval")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.set_ylabel("accuracy")
    axes.set_title(f"Reliability ({evaluation.subset}), expected calibration error {found.error:.3f}")
    axes.legend(loc="upper left")
    axes.grid(alpha=0.3)
    most = max(one.pictures for one in found.bins)
    for one in found.bins:
        below.bar((one.low + one.high) / 2, one.pictures, width=0.94 * (one.high - one.low), color="#9dbbdc")
        below.text((one.low + one.high) / 2, one.pictures + 0.04 * most, f"{one.pictures:,}", ha="center", fontsize=8)
    below.set_ylim(0, 1.3 * most)
    below.set_xlabel("confidence: probability of the predicted class")
    below.set_ylabel("pictures")
    figure.savefig(path, dpi=_DPI)


def plot_mistakes(evaluation: Drawn, path: Path) -> None:
    """Draw the misclassified pictures about which the model is the most confident, as it sees them.

    Args:
        evaluation: The evaluation.
        path: Output file. Its suffix determines the format.
    """
    predictions = evaluation.predictions
    rows = predictions.wrong[:_WORST]
    columns = min(_COLUMNS, max(3, len(rows)))
    lines = max(1, math.ceil(len(rows) / columns))
    figure = Figure(figsize=(1.9 * columns, 2.35 * lines + 0.5), layout="constrained")
    total = len(predictions.wrong)
    if not total:
        figure.text(0.5, 0.5, f"no mistakes in {len(predictions.truth):,} pictures", ha="center", va="center")
    else:
        which = "all mistakes" if total == len(rows) else f"{len(rows)} of {total:,} mistakes"
        figure.suptitle(f"{which} in {len(predictions.truth):,} pictures ({evaluation.subset}), most confident first")
    for axes in (places := figure.subplots(lines, columns, squeeze=False).ravel()):
        axes.set_axis_off()
    for row, axes in zip(rows, places, strict=False):
        axes.imshow(evaluation.image(int(row)), interpolation="nearest")
        said, truth = (_short(predictions.labels[one[row]]) for one in (predictions.guess, predictions.truth))
        axes.set_title(f"{said} {predictions.confidence[row]:.0%}\ntrue: {truth}", fontsize=8)
    figure.savefig(path, dpi=_DPI)


def _short(label: str) -> str:
    """Return a name for a figure: printable, not too long, and without Matplotlib's mathematical text."""
    text = shown(label)
    text = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    return text.replace("$", r"\$")
