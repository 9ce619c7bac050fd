"""What each operation of a portable model is in ONNX. The operations are those of `numpy_layers`, which define them.

Each function takes the graph, the names of the inputs and their shapes, and then what the operation takes in NumPy.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stridednet.conv2d.window import windows
from stridednet.deploy.export.onnx_activations import activated

if TYPE_CHECKING:
    from stridednet.deploy.export.onnx_graph import OnnxGraph

Array = NDArray[np.float32]
Pair = Sequence[int]
Shape = tuple[int, ...]  # of a value without the batch, channels last
_IMAGE = 3  # dimensions of such a shape


def _convolution(
    graph: "OnnxGraph",
    inputs: list[str],
    shapes: list[Shape],
    kernel: Array,
    bias: Array | None,
    strides: Pair,
    padding: str,
    dilation: Pair,
    groups: int,
) -> str:
    weights = [graph.constant(kernel.transpose(3, 2, 0, 1))]
    if bias is not None:
        weights.append(graph.constant(bias))
    return graph.node(
        "Conv",
        [*inputs, *weights],
        kernel_shape=list(kernel.shape[:2]),
        strides=list(strides),
        dilations=list(dilation),
        group=groups,
        pads=_pads(shapes[0], kernel.shape[:2], strides, padding, dilation),
    )


def _depthwise_convolution(
    graph: "OnnxGraph", inputs: list[str], shapes: list[Shape], kernel: Array, bias: Array | None, **window: Any
) -> str:
    height, width, channels, multiplier = kernel.shape
    merged = kernel.reshape(height, width, 1, channels * multiplier)  # one group per channel
    return _convolution(graph, inputs, shapes, merged, bias, groups=channels, **window)


def _dense(graph: "OnnxGraph", inputs: list[str], shapes: list[Shape], kernel: Array, bias: Array | None) -> str:
    (value,), (shape,) = inputs, shapes
    if len(shape) == 1:
        weights = [graph.constant(kernel)] if bias is None else [graph.constant(kernel), graph.constant(bias)]
        return graph.node("Gemm", [value, *weights])
    value = graph.channels_last(value) if len(shape) == _IMAGE else value
    value = graph.node("MatMul", [value, graph.constant(kernel)])
    if bias is not None:
        value = graph.node("Add", [value, graph.constant(bias)])
    return graph.channels_first(value) if len(shape) == _IMAGE else value


def _affine(graph: "OnnxGraph", inputs: list[str], shapes: list[Shape], scale: Array, offset: Array) -> str:
    scaled = graph.node("Mul", [*inputs, graph.constant(_placed(scale, shapes[0]))])
    return graph.node("Add", [scaled, graph.constant(_placed(offset, shapes[0]))]) if np.any(offset) else scaled


def _prelu(graph: "OnnxGraph", inputs: list[str], shapes: list[Shape], alpha: Array) -> str:
    return graph.node("PRelu", [*inputs, graph.constant(_placed(alpha, shapes[0]))])


def _placed(array: Array, shape: Shape) -> Array:
    """Return an array that is broadcast to channels last, as one that is broadcast to how the value is laid out."""
    if len(shape) != _IMAGE or array.ndim == 0:
        return array
    placed = array.reshape((1,) * (_IMAGE - array.ndim) + array.shape) if array.ndim < _IMAGE else array
    axes = (2, 0, 1) if placed.ndim == _IMAGE else (0, 3, 1, 2)
    return placed.transpose(axes)


def _max_pooling(
    graph: "OnnxGraph", inputs: list[str], shapes: list[Shape], pool_size: Pair, strides: Pair, padding: str
) -> str:
    pads = _pads(shapes[0], pool_size, strides, padding)
    return graph.node("MaxPool", inputs, kernel_shape=list(pool_size), strides=list(strides), pads=pads)


def _average_pooling(
    graph: "OnnxGraph", inputs: list[str], shapes: list[Shape], pool_size: Pair, strides: Pair, padding: str
) -> str:
    window = {"kernel_shape": list(pool_size), "strides": list(strides)}
    top, left, bottom, right = pads = _pads(shapes[0], pool_size, strides, padding)
    if (top, left) == (bottom, right):
        return graph.node("AveragePool", inputs, pads=pads, count_include_pad=0, **window)
    around = graph.constant([0, 0, top, left, 0, 0, bottom, right], np.int64)
    return graph.node("AveragePool", [graph.node("Pad", [*inputs, around], mode="edge")], **window)


def _global_average(graph: "OnnxGraph", inputs: list[str], _: list[Shape], keepdims: bool) -> str:
    return graph.node("ReduceMean", [*inputs, graph.constant([2, 3], np.int64)], keepdims=int(keepdims))


def _global_maximum(graph: "OnnxGraph", inputs: list[str], _: list[Shape], keepdims: bool) -> str:
    return graph.node("ReduceMax", [*inputs, graph.constant([2, 3], np.int64)], keepdims=int(keepdims))


def _zero_padding(graph: "OnnxGraph", inputs: list[str], _: list[Shape], rows: Pair, columns: Pair) -> str:
    around = graph.constant([0, 0, rows[0], columns[0], 0, 0, rows[1], columns[1]], np.int64)
    return graph.node("Pad", [*inputs, around], mode="constant")


def _reshape(graph: "OnnxGraph", inputs: list[str], shapes: list[Shape], shape: Sequence[int]) -> str:
    value = graph.channels_last(inputs[0]) if len(shapes[0]) == _IMAGE else inputs[0]
    value = graph.node("Reshape", [value, graph.constant([0, *shape], np.int64)])  # 0: the batch stays
    return graph.channels_first(value) if len(shape) == _IMAGE else value


def _add(graph: "OnnxGraph", inputs: list[str], _: list[Shape]) -> str:
    total = inputs[0]
    for part in inputs[1:]:
        total = graph.node("Add", [total, part])
    return total


def _concatenate(graph: "OnnxGraph", inputs: list[str], shapes: list[Shape], axis: int) -> str:
    return graph.node("Concat", inputs, axis=axis_in_onnx(axis, shapes[0]))


def _activated(graph: "OnnxGraph", inputs: list[str], shapes: list[Shape], name: str, **options: Any) -> str:
    if name == "softmax":
        return graph.node("Softmax", inputs, axis=axis_in_onnx(options.get("axis", -1), shapes[0]))
    return activated(graph, inputs[0], name, **options)


def axis_in_onnx(axis: int, shape: Shape) -> int:
    """Return where an axis of a value, counted with the batch and channels last, is in ONNX.

    >>> axis_in_onnx(-1, (8, 8, 3)), axis_in_onnx(1, (8, 8, 3)), axis_in_onnx(-1, (10,))
    (1, 2, 1)
    """
    axis %= len(shape) + 1
    return (0, 2, 3, 1)[axis] if len(shape) == _IMAGE else axis


def _pads(shape: Shape, kernel: Pair, strides: Pair, padding: str, dilation: Pair = (1, 1)) -> list[int]:
    rows, columns = (
        windows(shape[axis], kernel[axis], strides[axis], "same" if padding == "same" else "valid", dilation[axis])
        for axis in (0, 1)
    )
    return [rows.before, columns.before, rows.after, columns.after]


TRANSLATORS: dict[str, Callable[..., str]] = {
    "activated": _activated,
    "add": _add,
    "affine": _affine,
    "average_pooling": _average_pooling,
    "concatenate": _concatenate,
    "convolution": _convolution,
    "dense": _dense,
    "depthwise_convolution": _depthwise_convolution,
    "global_average": _global_average,
    "global_maximum": _global_maximum,
    "max_pooling": _max_pooling,
    "prelu": _prelu,
    "reshape": _reshape,
    "zero_padding": _zero_padding,
}
