import itertools

import pytest

from stridednet.conv2d.arithmetic import Conv2DFacts, Conv2DLayer, Pair, chain
from stridednet.drawing.kernel_path import (
    all_windows,
    corner,
    is_padding,
    padded_size,
    small_grid,
    taps,
    unread_cells,
)


def _facts(size: Pair, *arguments: object) -> Conv2DFacts:
    return chain((*size, 1), [Conv2DLayer(1, *arguments)])[0]  # type: ignore[arg-type]


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_the_small_grid_has_the_layers_padding_and_unread_edge(padding: str) -> None:
    smaller = 0
    for kernel, stride, size in itertools.product(range(1, 8), range(1, 6), range(40, 50)):
        facts = _facts((size, 200), (kernel, 3), (stride, 1), padding)
        small = small_grid(facts)
        assert small.layer == facts.layer
        assert small.padding == facts.padding
        unread, unread_small = ([place - f.rows.size for place in f.unread[0]] for f in (facts, small))
        assert unread_small == unread[len(unread) - len(unread_small) :]  # counted from the end
        assert 2 <= small.rows.output <= 7
        assert small.columns.output == 7
        smaller += small.rows.size < size
    assert smaller > 100


def test_a_small_input_stays_as_it_is() -> None:
    facts = _facts((5, 4), (3, 3), (2, 2), "same")
    assert small_grid(facts) == facts


def test_large_strides_still_show_two_windows() -> None:
    small = small_grid(_facts((224, 224), (11, 11), (16, 16)))
    assert (small.rows.size, small.rows.output) == (11 + 16 + (224 - 11) % 16, 2)


def test_windows_and_taps_by_hand() -> None:
    facts = _facts((7, 7), (2, 3), (1, 1), "valid", (2, 3))
    assert list(all_windows(facts)) == [(row, 0) for row in range(5)]
    assert taps(facts, (1, 0)) == [(1, 0), (1, 3), (1, 6), (3, 0), (3, 3), (3, 6)]
    strided = _facts((7, 7), (3, 3), (2, 2))
    assert list(all_windows(strided))[:4] == [(0, 0), (0, 1), (0, 2), (1, 0)]
    assert corner(strided, (1, 2)) == (2, 4)


def test_padding_by_hand() -> None:
    facts = _facts((4, 4), (3, 3), (2, 2), "same")  # one row below, one column on the right
    assert padded_size(facts) == (5, 5)
    cells = itertools.product(range(5), range(5))
    assert {cell for cell in cells if is_padding(facts, cell)} == {cell for i in range(5) for cell in ((i, 4), (4, i))}


def test_unread_cells_by_hand() -> None:
    facts = _facts((6, 3), (2, 2), (3, 3))  # rows 2 and 5, column 2
    rows = {(row, column) for row in (2, 5) for column in range(3)}
    assert set(unread_cells(facts)) == rows | {(row, 2) for row in range(6)}
    assert unread_cells(_facts((7, 7), (3, 3), (1, 1), "same")) == []
    # Under padding the cells are counted from the padded corner: dilated taps jump over the only column.
    padded = _facts((2, 1), (2, 2), (1, 1), "same", (1, 2))
    assert padded.padding == (0, 1, 1, 1)
    assert unread_cells(padded) == [(0, 1), (1, 1)]
