"""The history of a training: losses, accuracies, learning rate, images and seconds of each epoch."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from stridednet.executor.scores import Scores
from stridednet.limits import parse_csv


@dataclass(frozen=True)
class EpochRow:
    """One row of ``history.csv``.

    ``loss`` and ``accuracy`` are means over the training steps of the epoch, as in Keras' ``fit``; the loss is weighted
    if the recipe has class weights. ``val_loss`` and ``val_accuracy``, which are never weighted, are measured at the
    end of the epoch on the subset `Split.curve`; None if it was not validated.
    ``learning_rate`` is that of the next step. ``seconds`` is the time of the training steps, ``val_seconds`` that of
    the validation. ``threads`` is the mean number of PyTorch's threads over the steps; None if it is unknown.
    """

    epoch: int
    loss: float
    accuracy: float
    val_loss: float | None
    val_accuracy: float | None
    learning_rate: float
    steps: int
    images: int
    seconds: float
    val_seconds: float
    threads: float | None = None


History = list[EpochRow]


def validations(history: Iterable[EpochRow]) -> list[tuple[int, Scores]]:
    """Return the epoch number and the scores of each validation."""
    return [
        (row.epoch, Scores(row.val_loss, row.val_accuracy))
        for row in history
        if row.val_loss is not None and row.val_accuracy is not None
    ]


def to_csv(history: Sequence[EpochRow]) -> str:
    """Return the history as CSV. Numbers are written with full precision, None as an empty cell."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(EpochRow)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in history)
    return text.getvalue()


def from_csv(text: str) -> History:
    """Return the history that `to_csv` wrote.

    Raises:
        ValueError, csv.Error: The text is another one, or has too many values.
    """
    names, kinds = zip(*((field.name, field.type) for field in fields(EpochRow)), strict=True)
    rows = parse_csv(text, names, names[:-1])  # without the threads in runs of version 0.1
    return [EpochRow(*map(_number, row, kinds)) for row in rows]


def _number(text: str, kind: Any) -> Any:
    if not text and kind not in (int, float):
        return None
    return int(text) if kind is int else float(text)
