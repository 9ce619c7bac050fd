"""Where a kernel goes, on a grid that is small enough to see each cell."""

from collections.abc import Iterator

from stridednet.conv2d.arithmetic import Conv2DFacts, Pair, chain
from stridednet.conv2d.window import Windows

MAX_WINDOWS = 7  # along an axis
_CELLS = 18  # along an axis, where that shows two windows or more


def small_grid(facts: Conv2DFacts) -> Conv2DFacts:
    """Return the same layer on a smaller input that has the same padding and leaves the same edge unread.

    Both depend on the size's remainder by the stride alone, so whole strides are taken away.
    """
    height, width = (
        axis.size - axis.stride * max(0, axis.output - _windows_shown(axis)) for axis in (facts.rows, facts.columns)
    )
    return chain((height, width, facts.input_shape[2]), [facts.layer])[0]


def padded_size(facts: Conv2DFacts) -> Pair:
    """Return rows and columns of the input with its padding."""
    top, bottom, left, right = facts.padding
    return top + facts.rows.size + bottom, left + facts.columns.size + right


def all_windows(facts: Conv2DFacts) -> Iterator[Pair]:
    """Yield the output's places row by row, as a kernel goes."""
    for row in range(facts.rows.output):
        for column in range(facts.columns.output):
            yield row, column


def taps(facts: Conv2DFacts, window: Pair) -> list[Pair]:
    """Return the cells of the padded input that an output is computed from."""
    rows, columns = facts.rows, facts.columns
    top, left = corner(facts, window)
    return [
        (top + row * rows.dilation, left + column * columns.dilation)
        for row in range(rows.kernel)
        for column in range(columns.kernel)
    ]


def corner(facts: Conv2DFacts, window: Pair) -> Pair:
    """Return a window's first cell."""
    return window[0] * facts.rows.stride, window[1] * facts.columns.stride


def is_padding(facts: Conv2DFacts, cell: Pair) -> bool:
    """Say whether a cell of the padded input lies outside the picture."""
    row, column = cell[0] - facts.rows.before, cell[1] - facts.columns.before
    return not (0 <= row < facts.rows.size and 0 <= column < facts.columns.size)


def unread_cells(facts: Conv2DFacts) -> list[Pair]:
    """Return the cells of the picture that no window reads, as places in the padded input."""
    rows, columns = (set(axis) for axis in facts.unread)
    return [
        (row + facts.rows.before, column + facts.columns.before)
        for row in range(facts.rows.size)
        for column in range(facts.columns.size)
        if row in rows or column in columns
    ]


def _windows_shown(axis: Windows) -> int:
    return max(2, min(MAX_WINDOWS, 1 + (_CELLS - axis.extent) // axis.stride))
