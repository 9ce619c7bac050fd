"""What each epoch was: losses, accuracies, learning rate, images seen, seconds."""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields


@dataclass(frozen=True)
class EpochRow:
    """One row of ``history.csv``.

    ``loss`` and ``accuracy`` are means over the epoch's training steps, while the model changes; ``val_loss`` and
    ``val_accuracy`` are measured after it, on the subset that `Split.curve` names. ``learning_rate`` is that of the
    step to come. ``seconds`` is the time of the training steps, ``val_seconds`` that of the validation.
    """

    epoch: int
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    learning_rate: float
    steps: int
    images: int
    seconds: float
    val_seconds: float


History = list[EpochRow]


def to_csv(history: Sequence[EpochRow]) -> str:
    """Return the rows as CSV; numbers are written so that they read back exactly."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(EpochRow)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in history)
    return text.getvalue()


def from_csv(text: str) -> History:
    """Read back what `to_csv` wrote."""
    return [
        EpochRow(**{field.name: field.type(row[field.name]) for field in fields(EpochRow)})  # type: ignore[operator]
        for row in csv.DictReader(io.StringIO(text))
    ]
