"""The geometry of charts: scales, ticks and paths of inline SVG, whose colors are those of the page."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 400, 230  # user units; text is 12.5 high, and the chart at most 520 pixels wide
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 18, 10, 38

Point = tuple[float, float]


@dataclass(frozen=True)
class Axis:
    """One axis: its range, and the values that are labeled."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def share(self, value: float) -> float:
        """Return where on the axis a value is, from 0 to 1."""
        return (value - self.low) / (self.high - self.low)


@dataclass(frozen=True)
class Plane:
    """Two axes and the area between them."""

    x: Axis
    y: Axis

    left, right, top, bottom = _LEFT, WIDTH - _RIGHT, _TOP, HEIGHT - _BOTTOM
    width, height = WIDTH, HEIGHT

    def across(self, value: float) -> float:
        """Return the horizontal position of a value."""
        return round(self.left + (self.right - self.left) * self.x.share(value), 1)

    def up(self, value: float) -> float:
        """Return the vertical position of a value, from the top."""
        return round(self.bottom - (self.bottom - self.top) * self.y.share(value), 1)

    def place(self, points: Sequence[Point]) -> list[Point]:
        """Return the positions of points."""
        return [(self.across(x), self.up(y)) for x, y in points]

    def path(self, points: Sequence[Point]) -> str:
        """Return a line through points as the ``d`` of an SVG path."""
        return "M" + " L".join(f"{x:g},{y:g}" for x, y in self.place(points)) if points else ""


def nice_axis(low: float, high: float, most: int = 5, *, whole: bool = False) -> Axis:
    """Return an axis from ``low`` to ``high`` with ticks at round values.

    >>> nice_axis(0, 1.13).ticks
    (0.0, 0.5, 1.0)
    >>> nice_axis(1, 4, whole=True).ticks
    (1, 2, 3, 4)

    Args:
        low: The lowest value.
        high: The highest value.
        most: The number of ticks at most.
        whole: Whether ticks are integers only.
    """
    if high <= low:
        high = low + 1
    rough = (high - low) / most
    scale = 10 ** math.floor(math.log10(rough))
    step = next(scale * factor for factor in (1, 2, 5, 10) if scale * factor >= rough * (1 - 1e-9))
    if whole:
        step = max(1, round(step))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    ticks = tuple(number * step if whole else round(number * step, 10) for number in range(first, last + 1))
    return Axis(low, high, ticks)
