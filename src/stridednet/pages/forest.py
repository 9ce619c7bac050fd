"""All measurements as a forest chart for a terminal: effect on accuracy with its interval, and training time.

`docs/forest_plot.py` draws the same rows as a figure.
"""

import math
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.text import Text

from stridednet.conv2d.measured import Effect, MeasuredClaim, Measurement, importance, read_measured
from stridednet.pages.sentences import wordings

MARKERS = {"four classes": "●", "clothing": "◆", "101 classes": "▲"}
_COLORS: dict[Effect, str] = {"higher": "green", "lower": "red", "same": "blue", "undecided": "yellow"}
_NARROWEST = 24  # columns of the chart itself
_NUMBERS = 14  # columns of the numbers behind it


@dataclass(frozen=True)
class ForestRow:
    """A variant with its measurements, at most one for each data set."""

    label: str
    claim: MeasuredClaim
    measurements: tuple[Measurement, ...]


def forest_rows(claims: Sequence[MeasuredClaim] | None = None) -> list[ForestRow]:
    """Return all variants that were measured, the one that matters most first.

    Args:
        claims: What was measured; None for the package's measurements.
    """
    rows = []
    for claim in read_measured() if claims is None else claims:
        wording = wordings()[claim.name]
        for variant in dict.fromkeys(row.variant for row in claim.measurements):
            found = tuple(row for row in claim.measurements if row.variant == variant)
            rows.append(ForestRow(wording.phrase([variant]), claim, found))
    return sorted(rows, key=lambda row: importance(row.measurements))


def limits(rows: Sequence[ForestRow]) -> tuple[float, float]:
    """Return the ends of an axis that shows all differences; intervals that are much wider than these are cut off."""
    found = [one for row in rows for one in row.measurements]
    reach = max(0.02, 1.3 * max(abs(one.difference) for one in found))
    low = max(-reach, min(one.low for one in found))
    high = min(reach, max(one.high for one in found))
    return min(low, -0.015), max(high, 0.015)


def chart(width: int, rows: Sequence[ForestRow] | None = None) -> Iterator[Text]:
    """Yield the lines of the chart.

    Args:
        width: Width of the terminal, in characters.
        rows: What to show; None for all measurements.
    """
    shown = forest_rows() if rows is None else rows
    if not shown:
        yield Text("Nothing has been measured yet.")
        return
    for_labels = min(max(len(row.label) for row in shown), max(16, (width - _NUMBERS) * 9 // 20))
    columns = max(_NARROWEST, width - for_labels - _NUMBERS - 2)
    low, high = limits(shown)
    present = dict.fromkeys(one.data for row in shown for one in row.measurements)
    yield _legend(present)
    yield Text(f"{'':{for_labels}} {'accuracy':^{columns}} {'points':>6} {'time':>6}", style="bold")
    for row in shown:
        names = textwrap.wrap(row.label, for_labels)
        for place in range(max(len(names), len(row.measurements))):
            name = names[place] if place < len(names) else ""
            line = Text(f"{name:{for_labels}} ")
            if place < len(row.measurements):
                _append(line, row.measurements[place], low, high, columns, row.claim.margin)
            line.rstrip()
            yield line
    yield _axis(for_labels, columns, low, high)


def _legend(present: dict[str, None]) -> Text:
    line = Text()
    for data in present:
        line.append(f"{_marker(data)} {data}   ")
    for name, color in _COLORS.items():
        line.append(f"{name}  ", style=color)
    line.rstrip()
    return line


def _append(line: Text, found: Measurement, low: float, high: float, columns: int, margin: float) -> None:
    def column(value: float) -> int:
        return round((columns - 1) * (value - low) / (high - low))

    color = _COLORS[found.effect]
    cells = [(" ", "")] * columns
    for value, sign in ((-margin, "┊"), (margin, "┊"), (0.0, "│")):
        if 0 <= column(value) < columns:
            cells[column(value)] = (sign, "dim")
    first, last, zero = column(found.low), column(found.high), column(0.0)
    for place in range(max(first, 0), min(last, columns - 1) + 1):
        cells[place] = ("━", color)
    if first <= zero <= last:
        cells[zero] = ("┿", color)
    if first < 0:
        cells[0] = ("◀", color)
    if last >= columns:
        cells[-1] = ("▶", color)
    cells[min(max(column(found.difference), 0), columns - 1)] = (_marker(found.data), f"bold {color}")
    for sign, style in cells:
        line.append(sign, style=style)
    time = f"x{found.time_ratio:.2f}" if found.time_ratio else ""
    line.append(f" {100 * found.difference:+6.1f}", style=color)
    line.append(f" {time:>6}")


def _axis(for_labels: int, columns: int, low: float, high: float) -> Text:
    signs = [" "] * (columns + 4)
    step = _step(100 * (high - low))
    for number in range(math.ceil(100 * low / step), math.floor(100 * high / step) + 1):
        text = f"{number * step:+g}" if number else "0"
        middle = round((columns - 1) * (number * step / 100 - low) / (high - low))
        start = max(0, middle - len(text) // 2)
        signs[start : start + len(text)] = text
    return Text(f"{'':{for_labels}} {''.join(signs)}".rstrip(), style="dim")


def _step(span: float) -> int:
    """Return the distance of about five ticks, in points."""
    return next((step for step in (1, 2, 5, 10, 20) if span / step <= 6), 50)


def _marker(data: str) -> str:
    return MARKERS.get(data, "■")
