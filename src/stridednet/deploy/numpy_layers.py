"""What each operation of a portable model computes, in NumPy and float32.

Arrays are laid out as in Keras, ``(batch, height, width, channels)``. Every function returns a new array or a view of
its input, and never changes its input.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from stridednet.conv2d.window import Windows, windows
from stridednet.deploy.numpy_activations import activated

Array = NDArray[np.float32]
Pair = Sequence[int]
_WIDEST_PANEL = 2**22  # float32 values of an unfolded input, 16 MiB; larger batches are computed in parts


def convolution(
    x: Array, kernel: Array, bias: Array | None, strides: Pair, padding: str, dilation: Pair, groups: int
) -> Array:
    """Return a convolution (a cross-correlation, as in Keras).

    Args:
        x: ``(batch, height, width, channels)``.
        kernel: ``(height, width, channels / groups, filters)``.
        bias: ``(filters,)``, or None.
        strides: Along rows and columns, as are the following pairs.
        padding: ``same`` or ``valid``.
        dilation: Step between kernel elements, in pixels.
        groups: Number of groups of channels, each with its own filters.
    """
    height, width, channels, filters = kernel.shape
    axes = _axes(x, (height, width), strides, padding, dilation)
    x = _padded(x, axes)
    each = filters // groups
    y = np.empty((len(x), axes[0].output, axes[1].output, filters), np.float32)
    images = max(1, _WIDEST_PANEL // max(1, y[0, ..., 0].size * height * width * channels))
    for group in range(groups):
        chosen = slice(group * each, (group + 1) * each)
        matrix = kernel[..., chosen].reshape(-1, each)
        for start in range(0, len(x), images):
            part = x[start : start + images, :, :, group * channels : (group + 1) * channels]
            panel = _unfolded(part, axes)
            y[start : start + images, ..., chosen] = (panel @ matrix).reshape(len(part), *y.shape[1:3], each)
    if bias is not None:
        y += bias
    return y


def depthwise_convolution(
    x: Array, kernel: Array, bias: Array | None, strides: Pair, padding: str, dilation: Pair
) -> Array:
    """Return a convolution of each channel with its own kernels, ``(height, width, channels, multiplier)``."""
    height, width, channels, multiplier = kernel.shape
    axes = _axes(x, (height, width), strides, padding, dilation)
    x = _padded(x, axes)
    y = np.zeros((len(x), axes[0].output, axes[1].output, channels, multiplier), np.float32)
    for row in range(height):
        for column in range(width):
            y += _tap(x, axes, row, column)[..., None] * kernel[row, column]
    merged: Array = y.reshape(*y.shape[:3], channels * multiplier)
    return merged if bias is None else merged + bias


def dense(x: Array, kernel: Array, bias: Array | None) -> Array:
    """Return ``x @ kernel + bias`` along the last axis."""
    y: Array = x @ kernel
    return y if bias is None else y + bias


def affine(x: Array, scale: Array, offset: Array) -> Array:
    """Return ``x * scale + offset``, broadcast: rescaling and every normalization with fixed statistics."""
    y: Array = x * scale
    y += offset
    return y


def max_pooling(x: Array, pool_size: Pair, strides: Pair, padding: str) -> Array:
    """Return the maximum of each window; padding is never a maximum."""
    axes = _axes(x, pool_size, strides, padding)
    x = _padded(x, axes, -np.inf)
    y = _tap(x, axes, 0, 0).copy()
    for row in range(pool_size[0]):
        for column in range(pool_size[1]):
            np.maximum(y, _tap(x, axes, row, column), out=y)
    return y


def average_pooling(x: Array, pool_size: Pair, strides: Pair, padding: str) -> Array:
    """Return the mean of each window.

    Padding does not count. Where it has to be asymmetric, Keras repeats the edge on PyTorch, and so does this function.
    """
    axes = _axes(x, pool_size, strides, padding)
    if any(axis.before != axis.after for axis in axes):
        rows, columns = axes
        x = np.pad(x, ((0, 0), (rows.before, rows.after), (columns.before, columns.after), (0, 0)), mode="edge")
        counts: Any = np.float32(pool_size[0] * pool_size[1])
    else:
        x = _padded(x, axes)
        vertical, horizontal = (
            np.array([len(axis.read([place])) for place in range(axis.output)], np.float32) for axis in axes
        )
        counts = (vertical[:, None] * horizontal)[..., None]
    y = np.zeros((len(x), axes[0].output, axes[1].output, x.shape[3]), np.float32)
    for row in range(pool_size[0]):
        for column in range(pool_size[1]):
            y += _tap(x, axes, row, column)
    y /= counts
    return y


def prelu(x: Array, alpha: Array) -> Array:
    """Return positive values as they are, and negative ones multiplied by learned slopes."""
    return np.where(x > 0, x, alpha * x)


def global_average(x: Array, keepdims: bool) -> Array:
    """Return the mean over all positions."""
    y: Array = x.mean((1, 2), keepdims=keepdims)
    return y


def global_maximum(x: Array, keepdims: bool) -> Array:
    """Return the maximum over all positions."""
    y: Array = x.max((1, 2), keepdims=keepdims)
    return y


def zero_padding(x: Array, rows: Pair, columns: Pair) -> Array:
    """Return the images with zeros around them: numbers of rows above and below, of columns left and right."""
    return np.pad(x, ((0, 0), (rows[0], rows[1]), (columns[0], columns[1]), (0, 0)))


def reshape(x: Array, shape: Sequence[int]) -> Array:
    """Return each image in another shape, of which one size may be -1."""
    return x.reshape(len(x), *shape)


def add(*parts: Array) -> Array:
    """Return the sum of several branches."""
    y: Array = parts[0] + parts[1]
    for part in parts[2:]:
        y += part
    return y


def concatenate(*parts: Array, axis: int) -> Array:
    """Return several branches, one after another along an axis."""
    y: Array = np.concatenate(parts, axis)
    return y


OPERATIONS: dict[str, Callable[..., Array]] = {
    function.__name__: function
    for function in (
        activated,
        add,
        affine,
        average_pooling,
        concatenate,
        convolution,
        dense,
        depthwise_convolution,
        global_average,
        global_maximum,
        max_pooling,
        prelu,
        reshape,
        zero_padding,
    )
}


def _axes(x: Array, kernel: Pair, strides: Pair, padding: str, dilation: Pair = (1, 1)) -> tuple[Windows, Windows]:
    """Return the windows along rows and columns."""
    rows, columns = (
        windows(
            x.shape[axis + 1], kernel[axis], strides[axis], "same" if padding == "same" else "valid", dilation[axis]
        )
        for axis in (0, 1)
    )
    return rows, columns


def _padded(x: Array, axes: tuple[Windows, Windows], value: float = 0.0) -> Array:
    """Return the images with a constant around them, as `numpy.pad` does in several times as long."""
    rows, columns = axes
    if not (rows.before or rows.after or columns.before or columns.after):
        return x
    batch, height, width, channels = x.shape
    shape = batch, rows.before + height + rows.after, columns.before + width + columns.after, channels
    padded = np.full(shape, value, np.float32)
    padded[:, rows.before : rows.before + height, columns.before : columns.before + width] = x
    return padded


def _unfolded(x: Array, axes: tuple[Windows, Windows]) -> Array:
    """Return what each window reads as one row: ``(batch * outputs, kernel height * kernel width * channels)``."""
    rows, columns = axes
    batch, row, column, channel = x.strides
    strides = (
        *(batch, row * rows.stride, column * columns.stride),
        *(row * rows.dilation, column * columns.dilation, channel),
    )
    shape = len(x), rows.output, columns.output, rows.kernel, columns.kernel, x.shape[3]
    read = as_strided(x, shape, strides, writeable=False)
    return np.ascontiguousarray(read).reshape(len(x) * rows.output * columns.output, -1)


def _tap(x: Array, axes: tuple[Windows, Windows], row: int, column: int) -> Array:
    """Return what one kernel element reads at every position: ``(batch, output rows, output columns, channels)``."""
    starts = row * axes[0].dilation, column * axes[1].dilation
    rows, columns = (
        slice(start, start + (axis.output - 1) * axis.stride + 1, axis.stride)
        for start, axis in zip(starts, axes, strict=True)
    )
    return x[:, rows, columns]
