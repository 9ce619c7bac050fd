"""The sliding kernel as panels of a figure: the first windows, the last one, and their outputs."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from stridednet.conv2d.arithmetic import Conv2DFacts, Pair
from stridednet.drawing import kernel_path

# Okabe and Ito 2008, "Color Universal Design": distinguishable with any color vision.
COLORS = ("#E69F00", "#0072B2", "#009E73", "#CC79A7")
PADDING_FILL, PADDING_LINES = "#E4E9EE", "#A9B4BF"
UNREAD_FILL, UNREAD_MARK = "#F8DCD6", "#B5311B"
_EDGE = "#C8C8C8"


def chosen_windows(facts: Conv2DFacts) -> list[Pair]:
    """Return the first window, the next ones to the right and below, and the last one, without duplicates."""
    last = facts.rows.output - 1, facts.columns.output - 1
    wanted = [(0, 0), (0, min(1, last[1])), (min(1, last[0]), 0), last]
    return list(dict.fromkeys(wanted))


def draw_input(axes: Axes, facts: Conv2DFacts) -> None:
    """Draw the cells of the padded input: padding hatched, unread pixels crossed out, windows outlined, taps filled."""
    rows, columns = kernel_path.padded_size(facts)
    unread = set(kernel_path.unread_cells(facts))
    for row in range(rows):
        for column in range(columns):
            padding = kernel_path.is_padding(facts, (row, column))
            fill = PADDING_FILL if padding else UNREAD_FILL if (row, column) in unread else "white"
            edge = PADDING_LINES if padding else _EDGE
            axes.add_patch(
                Rectangle(
                    (column, row),
                    1,
                    1,
                    facecolor=fill,
                    edgecolor=edge,
                    linewidth=0.6,
                    hatch="////" if padding else None,
                )
            )
    windows = chosen_windows(facts)
    _fill_taps(axes, facts, windows)
    if unread:
        size = 0.28
        for row, column in unread:
            for slope in (size, -size):
                axes.plot(
                    [column + 0.5 - size, column + 0.5 + size],
                    [row + 0.5 - slope, row + 0.5 + slope],
                    color=UNREAD_MARK,
                    linewidth=0.9,
                )
    _outline(axes, facts, windows)
    top, bottom, left, right = facts.padding
    axes.add_patch(
        Rectangle((left, top), columns - left - right, rows - top - bottom, fill=False, edgecolor="black", linewidth=1)
    )
    _frame(axes, rows, columns)
    axes.set_title(f"sliding kernel over {facts.rows.size}x{facts.columns.size} pixels", fontsize=11, loc="left")


def draw_output(axes: Axes, facts: Conv2DFacts) -> None:
    """Draw the cells of the output, with the outputs of the drawn windows in the colors of the windows."""
    rows, columns = facts.rows.output, facts.columns.output
    color_of = dict(zip(chosen_windows(facts), COLORS, strict=False))
    for row, column in kernel_path.all_windows(facts):
        fill = color_of.get((row, column), "white")
        axes.add_patch(Rectangle((column, row), 1, 1, facecolor=fill, edgecolor=_EDGE, linewidth=0.6))
    axes.add_patch(Rectangle((0, 0), columns, rows, fill=False, edgecolor="black", linewidth=1))
    _frame(axes, rows, columns)
    axes.set_title(f"output: {rows}x{columns}", fontsize=11, loc="left")


def _fill_taps(axes: Axes, facts: Conv2DFacts, windows: Sequence[Pair]) -> None:
    readers: dict[Pair, list[str]] = {}
    for window, color in zip(windows, COLORS, strict=False):
        for cell in kernel_path.taps(facts, window):
            readers.setdefault(cell, []).append(color)
    for (row, column), colors in readers.items():
        for place, color in enumerate(colors):  # a cell that several windows read is divided among them
            width = 0.76 / len(colors)
            axes.add_patch(
                Rectangle(
                    (column + 0.12 + place * width, row + 0.12), width, 0.76, color=color, alpha=0.75, linewidth=0
                )
            )


def _outline(axes: Axes, facts: Conv2DFacts, windows: Sequence[Pair]) -> None:
    for place, (window, color) in enumerate(zip(windows, COLORS, strict=False)):
        row, column = kernel_path.corner(facts, window)
        inset = 0.05 * place - 0.02  # so that no outline hides another
        axes.add_patch(
            Rectangle(
                (column + inset, row + inset),
                facts.columns.extent - 2 * inset,
                facts.rows.extent - 2 * inset,
                fill=False,
                edgecolor=color,
                linewidth=2.2,
                zorder=3,
            )
        )


def _frame(axes: Axes, rows: int, columns: int) -> None:
    axes.set_xlim(-0.2, columns + 0.2)
    axes.set_ylim(rows + 0.2, -0.2)
    axes.set_aspect("equal")
    axes.set_anchor("NW")
    axes.axis("off")
