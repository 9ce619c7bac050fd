from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stridednet.conv2d.arithmetic import Conv2DFacts, Conv2DLayer, chain
from stridednet.drawing.kernel_path import small_grid
from stridednet.drawing.layer_example import named_example
from stridednet.drawing.path_animation import _Grid, _Stage, animation_frames, write_animation

ORANGE = (230, 159, 0)


def _facts(*arguments: object, size: int = 28) -> Conv2DFacts:
    return chain((size, size, 3), [Conv2DLayer(1, *arguments)])[0]  # type: ignore[arg-type]


LAYERS = [
    _facts((7, 7), (2, 2), size=96),
    _facts((3, 3), (1, 1), "same"),
    _facts((3, 3), (2, 2), "same"),
    _facts((3, 3), (1, 1), "valid", (2, 2)),
    _facts((3, 3), (4, 4)),
    _facts((1, 1)),
    _facts((3, 5)),
]


@pytest.mark.parametrize("facts", LAYERS, ids=lambda facts: str(facts.layer))
def test_a_frame_for_each_window_in_a_small_file(tmp_path: Path, facts: Conv2DFacts) -> None:
    write_animation(named_example(facts, None, None), tmp_path / "path.gif")
    small = small_grid(facts)
    with Image.open(tmp_path / "path.gif") as gif:
        assert gif.format == "GIF"
        assert gif.n_frames == small.rows.output * small.columns.output > 1
        assert gif.n_frames <= 60
        assert gif.info["loop"] == 0
        assert max(gif.size) <= 1000
    assert (tmp_path / "path.gif").stat().st_size < 400_000


def test_the_window_moves_and_the_outputs_fill() -> None:
    facts = _facts((3, 3), (2, 2), "same", size=10)
    example = named_example(facts, None, "blur")
    stage = _Stage(example, example.maps[:, :, 0])
    frames = [np.asarray(frame.convert("RGB")) for frame in animation_frames(example)]
    assert len(frames) == 25
    assert example.maps[2, 2, 0] > 0.3 * example.maps.max()  # far from white
    for number, frame in enumerate(frames):
        window = divmod(number, 5)
        corner = (window[0] * 2, window[1] * 2)
        left, top, *_ = stage.input.box(corner)
        assert _near(frame[top - 1, left - 1 : left + stage.input.cell], ORANGE), number
        left, top, right, _ = stage.output.box(window)
        assert _near(frame[top + 1, left + 4 : right - 4], ORANGE), number
        filled = not _near(_corner_of(frame, stage.output, (2, 2)), (255, 255, 255))
        assert filled == (number >= 12), number


def test_the_input_is_the_picture() -> None:
    facts = _facts((3, 3), (4, 4), size=15)
    example = named_example(facts, None, None)
    stage = _Stage(example, example.maps[:, :, 0])
    frame = np.asarray(stage.frame(0, (0, 0)))
    for row, column in ((8, 8), (4, 5), (13, 6), (6, 9)):
        left, top, *_ = stage.input.box((row, column))
        assert frame[top + 2, left + 4].tolist() == example.picture[row, column].tolist()
    assert example.picture.max() > 100


def test_an_outputs_color_has_its_values_sign() -> None:
    facts = _facts((3, 3), size=9)
    example = named_example(facts, None, "edge")
    values = example.maps[:, :, 0]
    stage = _Stage(example, values)
    frame = np.asarray(stage.frame(48, (6, 6)))
    signs = 0
    for cell, value in np.ndenumerate(values):
        red, _, blue = _corner_of(frame, stage.output, cell).mean(axis=0)
        if abs(value) > 0.2 * np.abs(values).max() and cell != (6, 6):
            assert (red > blue) == (value > 0), cell
            signs |= 1 if value > 0 else 2
    assert signs == 3  # there were both


def _corner_of(frame: np.ndarray, grid: _Grid, cell: tuple[int, ...]) -> np.ndarray:
    """Return pixels of a cell next to its number."""
    left, top, *_ = grid.box((cell[0], cell[1]))
    return frame[top + 6, left + 6 : left + 12]


def _near(pixels: np.ndarray, color: tuple[int, int, int]) -> bool:
    return bool((np.abs(pixels.astype(int) - color) <= 12).all())  # one palette serves all frames
