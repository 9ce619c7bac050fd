"""The input, the filters and the outputs of a layer, as panels of a figure."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import SubFigure
from numpy.typing import NDArray

from stridednet.conv2d.arithmetic import Pair
from stridednet.conv2d.convolution import Array
from stridednet.drawing.layer_example import Filter, LayerExample, shrink

BEFORE, AFTER = "RdBu_r", "magma"  # a diverging colormap before the ReLU, a sequential one after it
_PADDING = "#56B4E9"
_NUMBERS_UP_TO = 5  # taps along an axis
_COLUMNS = 8


def draw_picture(axes: Axes, example: LayerExample) -> None:
    """Draw the picture at the size of the layer's input, with the padding in blue."""
    facts = example.facts
    top, bottom, left, right = facts.padding
    height, width, channels = facts.input_shape
    picture = shrink(example.picture, height, width) / 255
    framed = np.empty((height + top + bottom, width + left + right, 3))
    framed[:] = to_rgb(_PADDING)
    framed[top : top + height, left : left + width] = picture
    _show(axes, framed)
    axes.set_anchor("NW")
    axes.set_title(f"input: {height}x{width}x{channels}", fontsize=11, loc="left")
    where = f"zero padding (blue): {top} top, {bottom} bottom, {left} left, {right} right"
    axes.text(0, -0.03, where if any(facts.padding) else "no padding", transform=axes.transAxes, va="top", fontsize=9)


def maps_height(example: LayerExample, width: float) -> float:
    """Return the height that `draw_maps` needs, in the unit of ``width``; panels are about square."""
    rows, columns = _layout(example)
    return rows * (min(0.92 * width / columns, 2.4) + 0.45)


def draw_maps(figure: SubFigure, example: LayerExample) -> None:
    """Draw the weights of each filter and its output before and after the ReLU; filters are side by side."""
    rows, columns = _layout(example)
    panels = figure.subplots(rows, columns, squeeze=False)
    for panel in panels.flat:
        panel.axis("off")
    small = _small(example)
    for number, one in enumerate(example.filters):
        block, column = divmod(number, _COLUMNS)
        kernel, before, after = panels[0] if rows == 1 else panels[3 * block : 3 * block + 3, column]
        _draw_kernel(kernel, one, small)
        _draw_map(before, example.maps[:, :, number], "before ReLU", small)
        _draw_map(after, np.maximum(example.maps[:, :, number], 0), "after ReLU", small)


def zero_color(example: LayerExample) -> str:
    """Return the color of a weight of 0 in `draw_maps`."""
    return "gray" if _small(example) and example.facts.input_shape[2] == 3 else "white"


def _small(example: LayerExample) -> bool:
    return _layout(example)[1] > 3


def _layout(example: LayerExample) -> Pair:
    """Return the numbers of rows and columns of panels."""
    count = len(example.filters)
    if count == 1:
        return 1, 3
    return 3 * -(-count // _COLUMNS), max(3, min(count, _COLUMNS))


def _show(axes: Axes, values: NDArray[np.floating[Any]], **colors: Any) -> None:
    axes.imshow(values, interpolation="nearest", **colors)
    axes.axis("on")
    axes.set_xticks([])
    axes.set_yticks([])


def _draw_kernel(axes: Axes, one: Filter, small: bool) -> None:
    height, width, channels = one.kernel.shape
    strongest = float(np.abs(one.kernel).max()) or 1.0
    if small and channels == 3:
        _show(axes, 0.5 + one.kernel / strongest / 2)
    else:
        weights = one.kernel.sum(axis=2)
        strongest = float(np.abs(weights).max()) or 1.0
        _show(axes, weights, cmap=BEFORE, vmin=-strongest, vmax=strongest)
        if not small and max(height, width) <= _NUMBERS_UP_TO:
            for (row, column), weight in np.ndenumerate(weights):
                dark = abs(weight) > 0.6 * strongest
                axes.text(
                    column,
                    row,
                    f"{weight:z.2f}",
                    ha="center",
                    va="center",
                    fontsize=8,
                    color="white" if dark else "black",
                )
    axes.set_title(one.name, fontsize=9 if small else 12, fontweight="bold")


def _draw_map(axes: Axes, values: Array, title: str, small: bool) -> None:
    strongest = float(np.abs(values).max()) or 1.0
    signed = title.startswith("before")
    colors = BEFORE if signed else AFTER
    _show(axes, values, cmap=colors, vmin=-strongest if signed else 0, vmax=strongest)
    spread = f"{values.min():z.2f} to {values.max():z.2f}"
    if small:
        axes.set_title(f"{title}\n{spread}", fontsize=7)
    else:
        axes.set_title(f"{title}: {values.shape[0]}x{values.shape[1]}, {spread}", fontsize=10)
