"""Draw the architecture of a network as a diagram."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path as Line

from stridednet.conv2d.network import Network
from stridednet.drawing.diagram_boxes import Box, Boxes, Kind, boxes_of
from stridednet.drawing.diagram_geometry import (
    GAP,
    HEADLINE,
    LINE_HEIGHT,
    MARGIN,
    NOTE_SPACE,
    SMALL,
    Point,
    Rectangle,
    measure,
    note_line,
    note_lines,
    text_width,
)
from stridednet.drawing.diagram_layout import lay_out
from stridednet.errors import InputError
from stridednet.storage import written_whole

FORMATS = (".png", ".svg")

# Tints of the colors of Okabe and Ito 2008, "Color Universal Design": distinguishable with any color vision.
_FILLS = {
    Kind.INPUT: "#DFE3E7",
    Kind.CONVOLUTION: "#BBDDF3",
    Kind.STRIDED: "#F5BD5A",
    Kind.POOLING: "#9FDBC6",
    Kind.DENSE: "#E8BFD8",
    Kind.MERGE: "#F6EF9B",
    Kind.OTHER: "#FFFFFF",
}
_INK, _FAINT, _LINE, _TURN = "#1B1F23", "#4A5258", "#5B646C", "#0B5C8F"
_NAME = 15.0  # points
_TOP, _TURN_SPACE = 1.05, 0.3  # inches above the first row; the second is added if there are several columns
_LEGEND_ROW, _SWATCH, _LEGEND_SPACE = 0.27, 0.2, 0.2


def check_diagram(out: Path) -> None:
    """Check the name of the output file of `draw_diagram`.

    Raises:
        InputError: The suffix is not ``.png`` or ``.svg``, or ``out`` is a folder.
    """
    if out.suffix.lower() not in FORMATS:
        raise InputError(f"output file {out}: the name must end in {' or '.join(FORMATS)}")
    if out.is_dir():
        raise InputError(f"output file {out} is a folder; choose another name")


def draw_diagram(network: Network, out: Path) -> None:
    """Write the diagram of a network to a file.

    Args:
        network: The network, as returned by `stridednet.models.describe`.
        out: Output file. Its suffix determines the format: ``.png`` or ``.svg``.

    Raises:
        InputError: The suffix is not one of these, or ``out`` is a folder.
        StorageError: The file cannot be written; a previous file is left unchanged.
    """
    check_diagram(out)
    suffix = out.suffix.lower()
    figure = diagram(network)
    # Without date and random ids, so that the same network gives the same file.
    with written_whole(out) as temporary, rc_context({"svg.hashsalt": "stridednet"}):
        figure.savefig(temporary, format=suffix[1:], metadata={"Date": None} if suffix == ".svg" else None)


def diagram(network: Network) -> Figure:
    """Draw a network: boxes from top to bottom, branches side by side, long networks in several columns.

    Args:
        network: The network, as returned by `stridednet.models.describe`.
    """
    boxes = boxes_of(network)
    subtitle = _subtitle(network)
    title_width = max(text_width(network.name, _NAME, bold=True), text_width(subtitle, HEADLINE))
    layout = lay_out(boxes)
    top = _TOP + (_TURN_SPACE if layout.columns > 1 else 0)
    geometry = measure(boxes, layout, top, title_width + 2 * MARGIN)
    legend = _legend_rows(boxes, geometry.width - 2 * MARGIN)
    height = geometry.bottom + GAP + len(legend) * _LEGEND_ROW + MARGIN
    figure, axes = _sheet(geometry.width, height)
    _write(axes, (MARGIN, 0.38), network.name, _NAME, weight="bold")
    _write(axes, (MARGIN, 0.68), subtitle, HEADLINE, color=_FAINT)
    for points in geometry.arrows:
        _draw_arrow(axes, points, _LINE, 1.1)
    for points in geometry.turns:
        _draw_arrow(axes, points, _TURN, 2.0)
    for box, rectangle in zip(boxes.boxes, geometry.rectangles, strict=True):
        _draw_box(axes, box, rectangle, note_line(box) if geometry.notes_inside else None)
        if not geometry.notes_inside:
            _draw_note(axes, box, rectangle)
    for number, row in enumerate(legend):
        _draw_legend(axes, row, geometry.bottom + GAP + (number + 0.5) * _LEGEND_ROW)
    return figure


def _sheet(width: float, height: float) -> tuple[Figure, Axes]:
    """Return a figure whose axes are in inches, with the origin in the upper left corner."""
    figure = Figure(figsize=(width, height), dpi=150, facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.axis("off")
    return figure, axes


def _subtitle(network: Network) -> str:
    size = "x".join(str(size) for size in network.input_shape)
    if network.multiply_adds is not None:
        adds = f"{network.multiply_adds:,}"
    else:
        adds = f"at least {network.least_multiply_adds:,}" if network.least_multiply_adds else "?"
    return f"input {size}   ·   {network.parameters:,} parameters   ·   {adds} multiply-adds"


def _draw_box(axes: Axes, box: Box, place: Rectangle, note: str | None) -> None:
    axes.add_patch(_rounded(place.left, place.top, place.width, place.height, _FILLS[box.kind]))
    lines = [(box.headline, HEADLINE, {"weight": "bold"})]
    if box.details:
        lines.append((", ".join(box.details), SMALL, {}))
    if note is not None:
        lines.append((note, SMALL, {"color": _FAINT}))
    first = place.top + (place.height - (len(lines) - 1) * LINE_HEIGHT) / 2
    for number, (text, points, style) in enumerate(lines):
        _write(axes, (place.center, first + number * LINE_HEIGHT), text, points, ha="center", **style)


def _draw_note(axes: Axes, box: Box, place: Rectangle) -> None:
    shape, *parameters = note_lines(box)
    left, middle = place.left + place.width + NOTE_SPACE, place.top + place.height / 2
    _write(axes, (left, middle - (0.08 if parameters else 0)), shape, SMALL)
    for line in parameters:
        _write(axes, (left, middle + 0.08), line, SMALL, color=_FAINT)


def _rounded(left: float, top: float, width: float, height: float, fill: str) -> FancyBboxPatch:
    style = "round,pad=0,rounding_size=0.05"
    return FancyBboxPatch((left, top), width, height, boxstyle=style, facecolor=fill, edgecolor=_LINE, linewidth=0.9)


def _draw_arrow(axes: Axes, points: Sequence[Point], color: str, thickness: float) -> None:
    arrow = FancyArrowPatch(
        path=Line(points),
        arrowstyle="-|>",
        mutation_scale=9 + 2 * thickness,
        color=color,
        linewidth=thickness,
        joinstyle="round",
        shrinkA=0,
        shrinkB=0,
        fill=True,
    )
    axes.add_patch(arrow)


def _write(axes: Axes, where: Point, text: str, points: float, **style: str) -> None:
    style = {"color": _INK, "ha": "left", "va": "center"} | style
    axes.text(*where, text, fontsize=points, parse_math=False, **style)  # type: ignore[arg-type]


def _legend_rows(boxes: Boxes, width: float) -> list[list[tuple[float, Kind]]]:
    """Distribute the legend entries over rows; return each with its distance from the left, in inches."""
    rows: list[list[tuple[float, Kind]]] = [[]]
    left = 0.0
    for kind in [kind for kind in Kind if any(box.kind is kind for box in boxes.boxes)]:
        needed = _SWATCH + 0.07 + text_width(kind, SMALL)
        if rows[-1] and left + needed > width:
            rows.append([])
            left = 0.0
        rows[-1].append((left, kind))
        left += needed + _LEGEND_SPACE
    return rows


def _draw_legend(axes: Axes, row: Sequence[tuple[float, Kind]], middle: float) -> None:
    for left, kind in row:
        axes.add_patch(_rounded(MARGIN + left, middle - 0.07, _SWATCH, 0.14, _FILLS[kind]))
        _write(axes, (MARGIN + left + _SWATCH + 0.07, middle), kind, SMALL)
