"""The sliding kernel as an animation: a window moves over a small picture and the output fills cell by cell."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from PIL import Image, ImageDraw, ImageFont

from stridednet.conv2d.arithmetic import Pair
from stridednet.conv2d.convolution import Array
from stridednet.drawing import kernel_path
from stridednet.drawing.layer_example import LayerExample

Color = tuple[int, int, int]

_MILLISECONDS, _LAST = 300, 2500
_MARGIN, _LEFT, _RIGHT, _LINE = 24, 480, 320, 24  # pixels
_WINDOW: Color = (230, 159, 0)
_PADDING: Color = (214, 222, 230)
_PADDING_LINE: Color = (160, 172, 184)
_UNREAD: Color = (200, 40, 20)
_GRID: Color = (205, 205, 205)
_EMPTY: Color = (255, 255, 255)
_TEXT: Color = (20, 20, 20)


def write_animation(example: LayerExample, path: Path) -> None:
    """Write a GIF with one frame per window, for the first filter on a reduced picture."""
    frames = animation_frames(example)
    durations = [_MILLISECONDS] * (len(frames) - 1) + [_LAST]
    frames[0].save(path, format="GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0)


def animation_frames(example: LayerExample) -> list[Image.Image]:
    """Draw the frames, one per window of the reduced input."""
    small = example.on(kernel_path.small_grid(example.facts))
    stage = _Stage(small, small.maps[:, :, 0])
    frames = [stage.frame(number, window) for number, window in enumerate(kernel_path.all_windows(small.facts))]
    # One palette for all frames: that of the last frame, which contains every color.
    palette = frames[-1].quantize(colors=255, dither=Image.Dither.NONE)
    return [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]


@dataclass(frozen=True)
class _Grid:
    """Position and size of a grid of cells on a frame, in pixels."""

    left: int
    top: int
    cell: int
    rows: int
    columns: int

    def box(self, cell: Pair) -> tuple[int, int, int, int]:
        """Return the left, top, right and bottom pixel of a cell."""
        left, top = self.left + cell[1] * self.cell, self.top + cell[0] * self.cell
        return left, top, left + self.cell, top + self.cell

    def center(self, cell: Pair) -> tuple[float, float]:
        """Return the center of a cell."""
        left, top, right, bottom = self.box(cell)
        return (left + right) / 2, (top + bottom) / 2

    @property
    def bottom(self) -> int:
        """The pixel below the last row."""
        return self.top + self.rows * self.cell


class _Stage:
    """What all frames share: the positions of the grids, and the values of the output."""

    def __init__(self, example: LayerExample, values: Array) -> None:
        self.example, self.facts, self.values = example, example.facts, values
        self.title = f"{example.title}, applied to {example.origin}"
        self.weights = example.filters[0].kernel.sum(axis=2)
        rows, columns = kernel_path.padded_size(self.facts)
        top = _MARGIN + 3 * _LINE
        cell = max(4, min(40, _LEFT // max(rows, columns)))
        self.input = _Grid(_MARGIN, top, cell, rows, columns)
        right = 2 * _MARGIN + max(columns * cell, 260)
        rows, columns = values.shape
        self.output = _Grid(right, top, min(46, _RIGHT // max(rows, columns)), rows, columns)
        rows, columns = self.weights.shape
        cell = max(3, min(40, 210 // max(rows, columns)))
        self.kernel = _Grid(right, self.output.bottom + _MARGIN + _LINE, cell, rows, columns)
        self.size = (
            max(right + _RIGHT, _MARGIN + int(_font(17).getlength(self.title))) + _MARGIN,
            max(self.input.bottom + 2 * _LINE, self.kernel.bottom) + _MARGIN,
        )

    def frame(self, number: int, window: Pair) -> Image.Image:
        """Draw one window, and the outputs up to that of the window."""
        image = Image.new("RGB", self.size, "white")
        draw = ImageDraw.Draw(image)
        self._draw_texts(draw, window)
        self._draw_input(draw, window)
        self._draw_output(draw, number, window)
        self._draw_kernel(draw)
        return image

    def _draw_texts(self, draw: ImageDraw.ImageDraw, window: Pair) -> None:
        cells = kernel_path.taps(self.facts, window)
        zeros = sum(kernel_path.is_padding(self.facts, cell) for cell in cells)
        products = f"{len(cells)} taps" + (f" ({zeros} on padding)" if zeros else "")
        draw.text((_MARGIN, _MARGIN - 8), self.title, _TEXT, _font(17))
        draw.text(
            (_MARGIN, _MARGIN + _LINE - 6),
            f"output row {window[0]}, column {window[1]}: {products}, value {_number(self.values[window])}",
            _TEXT,
            _font(15),
        )
        summed = ", summed over the channels" if self.facts.input_shape[2] > 1 else ""
        for grid, text in (
            (self.input, f"input, {self.facts.rows.size}x{self.facts.columns.size} pixels"),
            (self.output, f"output {self.output.rows}x{self.output.columns}, before the activation"),
            (self.kernel, f"kernel: {self.example.filters[0].name}{summed}"),
        ):
            draw.text((grid.left, grid.top - _LINE + 2), text, _TEXT, _font(14))
        signs = ["hatched: zero padding"] if any(self.facts.padding) else []
        signs += ["crossed out: read by no window"] if any(self.facts.unread) else []
        draw.text((_MARGIN, self.input.bottom + 8), "\n".join(signs), _TEXT, _font(13))

    def _draw_input(self, draw: ImageDraw.ImageDraw, window: Pair) -> None:
        grid, facts = self.input, self.facts
        for row in range(grid.rows):
            for column in range(grid.columns):
                box = grid.box((row, column))
                if kernel_path.is_padding(facts, (row, column)):
                    draw.rectangle(box, fill=_PADDING, outline=_PADDING_LINE)
                    draw.line((box[0], box[3], box[2], box[1]), fill=_PADDING_LINE)
                else:
                    pixel = self.example.picture[row - facts.rows.before, column - facts.columns.before]
                    draw.rectangle(box, fill=tuple(map(int, pixel)), outline=_GRID)
        for cell in kernel_path.unread_cells(facts):
            left, top, right, bottom = _inner(grid.box(cell), grid.cell // 4)
            draw.line((left, top, right, bottom), fill=_UNREAD, width=2)
            draw.line((left, bottom, right, top), fill=_UNREAD, width=2)
        for cell in kernel_path.taps(facts, window):
            draw.rectangle(_inner(grid.box(cell), 1), outline=_WINDOW, width=2)
        row, column = kernel_path.corner(facts, window)
        first, last = (
            grid.box((row, column)),
            grid.box((row + facts.rows.extent - 1, column + facts.columns.extent - 1)),
        )
        draw.rectangle((first[0] - 2, first[1] - 2, last[2] + 2, last[3] + 2), outline=_WINDOW, width=4)

    def _draw_output(self, draw: ImageDraw.ImageDraw, number: int, window: Pair) -> None:
        strongest = float(np.abs(self.values).max()) or 1.0
        for place, cell in enumerate(kernel_path.all_windows(self.facts)):
            box, value = self.output.box(cell), float(self.values[cell])
            fill = _signed(value / strongest) if place <= number else _EMPTY
            draw.rectangle(box, fill=fill, outline=_GRID)
            if place <= number:
                _write(draw, self.output, cell, value, fill)
        draw.rectangle(self.output.box(window), outline=_WINDOW, width=4)

    def _draw_kernel(self, draw: ImageDraw.ImageDraw) -> None:
        strongest = float(np.abs(self.weights).max()) or 1.0
        for cell, weight in np.ndenumerate(self.weights):
            fill = _signed(weight / strongest)
            draw.rectangle(self.kernel.box(cell), fill=fill, outline=_GRID)
            _write(draw, self.kernel, cell, float(weight), fill)


def _write(draw: ImageDraw.ImageDraw, grid: _Grid, cell: Pair, value: float, fill: Color) -> None:
    if grid.cell >= 28:
        dark = sum(fill) < 3 * 120
        draw.text(grid.center(cell), _number(value), "white" if dark else _TEXT, _font(grid.cell // 3), anchor="mm")


def _number(value: float) -> str:
    return f"{value:z.2f}"


def _signed(share: float) -> Color:
    red, green, blue, _ = colormaps["RdBu_r"]((share + 1) / 2, bytes=True)
    return int(red), int(green), int(blue)


def _inner(box: tuple[int, int, int, int], by: int) -> tuple[int, int, int, int]:
    return box[0] + by, box[1] + by, box[2] - by, box[3] - by


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
