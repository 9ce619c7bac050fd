"""The curves of loss and accuracy."""

from dataclasses import dataclass

from stridednet.evaluation.page.chart import Axis, Plane, Point, nice_axis
from stridednet.evaluation.page.evaluated import Material
from stridednet.training.history import EpochRow, validations

_MOST_ROWS = 200  # of the table; of more epochs, the last ones


@dataclass(frozen=True)
class Line:
    """One line of a chart; ``style`` is ``first`` or ``second``."""

    name: str
    style: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Curve:
    """A chart with one line for training pictures and one for the others."""

    name: str
    about: str
    plane: Plane
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Curves:
    """The curves; ``measured_on`` is the subset of the second line, ``rows`` are the epochs of the table."""

    measured_on: str
    charts: tuple[Curve, ...]
    rows: tuple[EpochRow, ...]


def curves(material: Material) -> Curves:
    """Return the curves of a training."""
    history = material.history
    on = material.report.get("curve_on", "val")
    validated = validations(history)
    losses = _curve(
        "Loss",
        on,
        [(row.epoch, row.loss) for row in history],
        [(epoch, scores.loss) for epoch, scores in validated],
        None,
    )
    accuracies = _curve(
        "Accuracy",
        on,
        [(row.epoch, row.accuracy) for row in history],
        [(epoch, scores.accuracy) for epoch, scores in validated],
        1.0,
    )
    return Curves(on, (losses, accuracies), tuple(history[-_MOST_ROWS:]))


def _curve(name: str, on: str, train: list[Point], other: list[Point], highest: float | None) -> Curve:
    values = [y for _, y in (*train, *other)]
    epochs = [x for x, _ in train]
    # The loss from 0, so that halves look like halves; the accuracy from the lowest one, since its end matters.
    low = 0.0 if highest is None else max(0.0, min(values) - 0.05)
    across = nice_axis(epochs[0], epochs[-1], 6, whole=True)
    if len(epochs) == 1:
        across = Axis(epochs[0] - 1, epochs[0] + 1, (epochs[0],))
    plane = Plane(across, nice_axis(low, highest or 1.04 * max(values)))
    ends = "; ".join(
        f"{what} {line[0][1]:.3g} to {line[-1][1]:.3g}" for what, line in (("train", train), (on, other)) if line
    )
    about = f"{name} per epoch, epochs {epochs[0]:g} to {epochs[-1]:g}: {ends}"
    return Curve(name, about, plane, (Line("train", "first", tuple(train)), Line(on, "second", tuple(other))))
