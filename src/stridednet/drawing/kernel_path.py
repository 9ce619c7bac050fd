"""The positions of a sliding kernel, on a grid small enough to see each cell."""

from collections.abc import Iterator

from stridednet.conv2d.arithmetic import Conv2DFacts, Pair, chain
from stridednet.conv2d.window import Windows

MAX_WINDOWS = 7  # along an axis
_CELLS = 18  # along an axis, unless two windows need more


def small_grid(facts: Conv2DFacts) -> Conv2DFacts:
    """Return the same layer on a smaller input with the same padding and the same unread edge.

    Both depend only on the remainder of the size divided by the stride, so the size is reduced by whole strides.
    """
    height, width = (
        axis.size - axis.stride * max(0, axis.output - _windows_shown(axis)) for axis in (facts.rows, facts.columns)
    )
    return chain((height, width, facts.input_shape[2]), [facts.layer])[0]


def padded_size(facts: Conv2DFacts) -> Pair:
    """Return height and width of the padded input."""
    top, bottom, left, right = facts.padding
    return top + facts.rows.size + bottom, left + facts.columns.size + right


def all_windows(facts: Conv2DFacts) -> Iterator[Pair]:
    """Yield row and column of each output, in row-major order."""
    for row in range(facts.rows.output):
        for column in range(facts.columns.output):
            yield row, column


def taps(facts: Conv2DFacts, window: Pair) -> list[Pair]:
    """Return the cells of the padded input that the output at ``window`` is computed from."""
    rows, columns = facts.rows, facts.columns
    top, left = corner(facts, window)
    return [
        (top + row * rows.dilation, left + column * columns.dilation)
        for row in range(rows.kernel)
        for column in range(columns.kernel)
    ]


def corner(facts: Conv2DFacts, window: Pair) -> Pair:
    """Return the upper left cell of a window in the padded input."""
    return window[0] * facts.rows.stride, window[1] * facts.columns.stride


def is_padding(facts: Conv2DFacts, cell: Pair) -> bool:
    """Return whether a cell of the padded input is padding."""
    row, column = cell[0] - facts.rows.before, cell[1] - facts.columns.before
    return not (0 <= row < facts.rows.size and 0 <= column < facts.columns.size)


def unread_cells(facts: Conv2DFacts) -> list[Pair]:
    """Return the cells of the input that no window reads, in coordinates of the padded input."""
    rows, columns = (set(axis) for axis in facts.unread)
    return [
        (row + facts.rows.before, column + facts.columns.before)
        for row in range(facts.rows.size)
        for column in range(facts.columns.size)
        if row in rows or column in columns
    ]


def _windows_shown(axis: Windows) -> int:
    return max(2, min(MAX_WINDOWS, 1 + (_CELLS - axis.extent) // axis.stride))
