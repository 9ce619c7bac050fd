"""The shapes of all values of a portable model: what is wrong or too large is found before it is computed.

A ``predict.npz`` may come from somebody else, so nothing in it is taken for granted. For what the operations do, see
`numpy_layers`.
"""

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from stridednet.conv2d.window import windows
from stridednet.deploy.numpy_activations import ACTIVATIONS
from stridednet.limits import MAX_LAYER_VALUES, LimitError

Shape = tuple[int, ...]  # of one image's value, so without the batch
_MAX_TAPS = 4096  # of a pool, unless its input is larger: they are read one after another
_MAX_VALUES = 4 * MAX_LAYER_VALUES  # of all steps together


def result_shapes(steps: Sequence[Any], weights: Mapping[str, Any], input_shape: Shape) -> dict[int, Shape]:
    """Return the shape of the images and of each step's result, by its place.

    Args:
        steps: Of `portable_file.Step`, not checked yet.
        weights: Arrays by their key.
        input_shape: ``(height, width, channels)``.

    Raises:
        LimitError: A result, or what a step needs for it, is too large for one image.
        ValueError, TypeError, LookupError, AttributeError: A step cannot be computed.
    """
    shapes: dict[int, Shape] = {0: tuple(_whole(size, 1) for size in input_shape)}
    total = 0
    for step in steps:
        arrays = {name: None if key is None else weights[key].shape for name, key in step.weights.items()}
        inputs = [shapes[place] for place in step.inputs]
        if _whole(step.output, 1) in shapes:
            raise ValueError(f"two results in the place {step.output}")
        shape = _SHAPES[step.operation](*inputs, **arrays, **step.parameters)
        _limited(math.prod(shape))
        total += math.prod(shape)
        shapes[step.output] = shape
    if total > _MAX_VALUES:
        raise LimitError(f"its results have {total:,} numbers per image")
    return shapes


def _activated(x: Shape, *, name: str, **options: Any) -> Shape:
    inspect.signature(ACTIVATIONS[name]).bind(x, **options)
    if not all(value is None or isinstance(value, (int, float)) for value in options.values()):
        raise TypeError(f"an option of {name} is not a number")
    if not -len(x) <= _whole(options.get("axis", -1), -len(x)) <= len(x):
        raise ValueError("an axis that is not there")
    return x


def _add(first: Shape, second: Shape, *others: Shape) -> Shape:
    return _broadcast(first, *((1, *shape) for shape in (second, *others)))


def _affine(x: Shape, *, scale: Shape, offset: Shape) -> Shape:
    return _broadcast(x, scale, offset)


def _prelu(x: Shape, *, alpha: Shape) -> Shape:
    return _broadcast(x, alpha)


def _dense(x: Shape, *, kernel: Shape, bias: Shape | None) -> Shape:
    inputs, units = kernel
    _same(x[-1], inputs)
    _check_bias(bias, units)
    return (*x[:-1], units)


def _convolution(
    x: Shape, *, kernel: Shape, bias: Shape | None, strides: Any, padding: str, dilation: Any, groups: int
) -> Shape:
    height, width, channels, filters = kernel
    _same(x[2], channels * _whole(groups, 1))
    _same(filters % groups, 0)
    _check_bias(bias, filters)
    rows, columns = _window_counts(x, (height, width), strides, padding, dilation)
    _limited(rows * columns * height * width * channels)
    return rows, columns, filters


def _depthwise_convolution(
    x: Shape, *, kernel: Shape, bias: Shape | None, strides: Any, padding: str, dilation: Any
) -> Shape:
    height, width, channels, multiplier = kernel
    _same(x[2], channels)
    _check_bias(bias, channels * multiplier)
    return (*_window_counts(x, (height, width), strides, padding, dilation), channels * multiplier)


def _pooling(x: Shape, *, pool_size: Any, strides: Any, padding: str) -> Shape:
    rows, columns = _window_counts(x, pool_size, strides, padding, (1, 1))
    if math.prod(_pair(pool_size, 1)) > max(_MAX_TAPS, math.prod(x[:2])):
        raise LimitError("a large pool for a small input")
    return rows, columns, x[2]


def _global(x: Shape, *, keepdims: bool) -> Shape:
    _, _, channels = x
    return (1, 1, channels) if keepdims else (channels,)


def _zero_padding(x: Shape, *, rows: Any, columns: Any) -> Shape:
    height, width, channels = x
    return height + sum(_pair(rows, 0)), width + sum(_pair(columns, 0)), channels


def _reshape(x: Shape, *, shape: Sequence[int]) -> Shape:
    sizes = [_whole(size, -1) for size in shape]
    known = math.prod(size for size in sizes if size != -1)
    result = tuple(math.prod(x) // known if size == -1 else size for size in sizes)
    _same(math.prod(result), math.prod(x))
    return result


def _concatenate(first: Shape, *others: Shape, axis: int) -> Shape:
    place = _whole(axis, -len(first)) - (axis > 0)  # without the batch
    if axis == 0:
        raise ValueError("images are not joined")
    joined = list(first)
    for other in others:
        _same(_without(other, place), _without(first, place))
        joined[place] += other[place]
    return tuple(joined)


def _without(shape: Shape, place: int) -> list[int]:
    rest = list(shape)
    del rest[place]
    return rest


_SHAPES: dict[str, Callable[..., Shape]] = {
    "activated": _activated,
    "add": _add,
    "affine": _affine,
    "average_pooling": _pooling,
    "concatenate": _concatenate,
    "convolution": _convolution,
    "dense": _dense,
    "depthwise_convolution": _depthwise_convolution,
    "global_average": _global,
    "global_maximum": _global,
    "max_pooling": _pooling,
    "prelu": _prelu,
    "reshape": _reshape,
    "zero_padding": _zero_padding,
}


def _window_counts(x: Shape, kernel: Any, strides: Any, padding: str, dilation: Any) -> tuple[int, int]:
    """Return the numbers of rows and columns of windows; the padded input may not be too large either."""
    if padding not in ("same", "valid"):
        raise ValueError("an unknown padding")
    _, _, channels = x
    rows, columns = (
        windows(size, taps, step, "same" if padding == "same" else "valid", gap)
        for size, taps, step, gap in zip(x[:2], _pair(kernel, 1), _pair(strides, 1), _pair(dilation, 1), strict=True)
    )
    if not rows.output or not columns.output:
        raise ValueError("a kernel that does not fit into its input")
    _limited(math.prod(axis.before + axis.size + axis.after for axis in (rows, columns)) * channels)
    return rows.output, columns.output


def _broadcast(x: Shape, *others: Shape) -> Shape:
    shape = np.broadcast_shapes((1, *x), *others)
    if shape[0] != 1 or len(shape) != len(x) + 1:
        raise ValueError("an array for another number of images")
    return shape[1:]


def _check_bias(bias: Shape | None, units: int) -> None:
    if bias is not None:
        _same(bias, (units,))


def _same(found: Any, expected: Any) -> None:
    if found != expected:
        raise ValueError(f"{found} where {expected} was expected")


def _pair(value: Any, least: int) -> tuple[int, int]:
    first, second = (_whole(number, least) for number in value)
    return first, second


def _whole(number: Any, least: int) -> int:
    if type(number) is not int or not least <= number <= MAX_LAYER_VALUES:
        raise ValueError(f"{number!r} where a whole number from {least} was expected")
    return number


def _limited(count: int) -> None:
    if count > MAX_LAYER_VALUES:
        raise LimitError(f"a step needs {count:,} numbers per image")
