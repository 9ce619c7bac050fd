import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from numpy.typing import NDArray

from stridednet.conv2d.arithmetic import Conv2DFacts, Conv2DLayer, Pair, chain
from stridednet.drawing.kernel_path import is_padding, padded_size, taps, unread_cells
from stridednet.drawing.path_panels import (
    COLORS,
    PADDING_LINES,
    UNREAD_FILL,
    UNREAD_MARK,
    chosen_windows,
    draw_input,
    draw_output,
)


class _Drawn:
    """The pixels of a panel, and the positions of its cells."""

    def __init__(self, draw: object, facts: Conv2DFacts) -> None:
        figure = Figure(figsize=(8, 8))
        canvas = FigureCanvasAgg(figure)
        self.axes = figure.add_subplot()
        draw(self.axes, facts)  # type: ignore[operator]
        canvas.draw()
        self.pixels = np.asarray(canvas.buffer_rgba())[:, :, :3] / 255

    def cell(self, cell: Pair) -> NDArray[np.float64]:
        x, y = self.axes.transData.transform([(cell[1], cell[0]), (cell[1] + 1, cell[0] + 1)]).T
        height = self.pixels.shape[0]
        rows = sorted(round(height - edge) for edge in y)
        columns = sorted(round(edge) for edge in x)
        return self.pixels[rows[0] + 1 : rows[1] - 1, columns[0] + 1 : columns[1] - 1]

    def share(self, cell: Pair, color: str, tolerance: float = 0.02) -> float:
        return float((np.abs(self.cell(cell) - to_rgb(color)).max(axis=2) < tolerance).mean())


def _facts(size: int, *arguments: object) -> Conv2DFacts:
    return chain((size, size, 3), [Conv2DLayer(1, *arguments)])[0]  # type: ignore[arg-type]


def _faded(color: str) -> str:
    return str(to_hex(0.75 * np.array(to_rgb(color)) + 0.25))


def test_only_unread_cells_are_crossed_out() -> None:
    facts = _facts(11, (3, 3), (4, 4))
    drawn, unread = _Drawn(draw_input, facts), set(unread_cells(facts))
    assert len(unread) == 11 * 11 - 9 * 9
    for row in range(11):
        for column in range(11):
            marked = drawn.share((row, column), UNREAD_MARK, 0.1) > 0.01
            assert marked == ((row, column) in unread), (row, column)
            assert (drawn.share((row, column), UNREAD_FILL) > 0.4) == marked, (row, column)


def test_padding_is_hatched() -> None:
    facts = _facts(7, (3, 3), (2, 2), "same")
    drawn, free = _Drawn(draw_input, facts), {cell for window in chosen_windows(facts) for cell in taps(facts, window)}
    rows, columns = padded_size(facts)
    cells = {(row, column) for row in range(rows) for column in range(columns)} - free
    assert {cell for cell in cells if drawn.share(cell, PADDING_LINES, 0.1) > 0.02} == {
        cell for cell in cells if is_padding(facts, cell)
    }


@pytest.mark.parametrize("dilation", [1, 2])
def test_taps_are_filled_and_gaps_are_not(dilation: int) -> None:
    facts = _facts(12, (3, 3), (1, 1), "valid", (dilation, dilation))
    drawn = _Drawn(draw_input, facts)
    last, color = chosen_windows(facts)[-1], COLORS[3]
    assert last == (facts.rows.output - 1, facts.columns.output - 1)
    filled = {
        (row, column) for row in range(12) for column in range(12) if drawn.share((row, column), _faded(color)) > 0.3
    }
    assert filled == set(taps(facts, last))


def test_a_cell_of_several_windows_has_the_color_of_each() -> None:
    facts = _facts(12, (3, 3))
    drawn = _Drawn(draw_input, facts)
    shares = [drawn.share((1, 1), _faded(color)) for color in COLORS]  # the first three windows read it
    assert min(shares[:3]) > 0.08
    assert shares[3] == 0
    assert drawn.share((0, 0), _faded(COLORS[0])) > 0.3


def test_outputs_have_their_windows_colors() -> None:
    facts = _facts(9, (3, 3), (2, 2))
    drawn = _Drawn(draw_output, facts)
    colored = {(0, 0): COLORS[0], (0, 1): COLORS[1], (1, 0): COLORS[2], (3, 3): COLORS[3]}
    for row in range(4):
        for column in range(4):
            assert drawn.share((row, column), colored.get((row, column), "#FFFFFF")) > 0.9, (row, column)


def test_a_single_window_is_drawn_once() -> None:
    assert chosen_windows(_facts(3, (3, 3))) == [(0, 0)]
