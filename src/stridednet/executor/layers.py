"""Keras layers -> functions on PyTorch tensors, with Keras' meaning of every parameter.

Tensors are laid out as in Keras, ``(batch, height, width, channels)`` and contiguous. A permuted view of that is what
PyTorch calls channels last, the layout of its fastest CPU convolutions, so that no layout is ever converted.
"""

import functools
from collections.abc import Callable
from typing import Any

import keras
import torch
import torch.nn.functional as nn
from keras import layers

from stridednet.conv2d.window import windows
from stridednet.executor.block import Around, build_block, can_normalize, dropped, has_float32_weights
from stridednet.executor.chains import is_dropout
from stridednet.executor.context import ForwardPass, LayerContext, LayerFunction
from stridednet.executor.folded import bound_of_relu

Tensor = torch.Tensor
TensorFunction = Callable[[Tensor], Tensor]
Merge = Callable[[tuple[Tensor, ...]], Tensor]


def build_function(context: LayerContext) -> LayerFunction | None:
    """Return the function that computes a layer, or None if there is none, so that Keras has to compute it."""
    layer = context.layer
    if getattr(layer, "data_format", "channels_last") != "channels_last" or not has_float32_weights(layer):
        return None
    if type(layer) is layers.BatchNormalization:
        return build_block(context, Around()) if can_normalize(layer) else None
    if is_dropout(layer):
        return _dropout(context)
    builder = _BUILDERS.get(type(layer))
    function = builder(context) if builder else None
    if function is None:
        return None
    return lambda x, _: function(x)  # the same in training and in inference


def build_merge(layer: Any) -> Merge | None:
    """Return the function that merges the tensors of several branches, or None if Keras has to compute it."""
    if type(layer) is layers.Add:
        return lambda tensors: functools.reduce(torch.add, tensors)
    if type(layer) is layers.Concatenate:
        return lambda tensors: torch.cat(tensors, dim=layer.axis)
    return None


def _dropout(context: LayerContext) -> LayerFunction:
    rate = context.layer.rate

    def compute(x: Tensor, forward: ForwardPass) -> Tensor:
        kept = forward.dropout_mask(x, rate)
        return x if kept is None else dropped(x, kept, rate)

    return compute


def _padded(
    x: Tensor, layer: Any, kernel: Any, value: float = 0.0, mode: str = "constant"
) -> tuple[Tensor, tuple[int, int]]:
    """Apply the padding that the convolution cannot apply itself, and return the padding that is left for it."""
    if layer.padding == "valid":
        return x, (0, 0)
    dilations = getattr(layer, "dilation_rate", (1, 1))
    rows, columns = (
        windows(x.shape[axis + 2], kernel[axis], layer.strides[axis], "same", dilations[axis]) for axis in (0, 1)
    )
    if rows.before == rows.after and columns.before == columns.after and value == 0.0:
        return x, (rows.before, columns.before)
    return nn.pad(x, (columns.before, columns.after, rows.before, rows.after), mode, value), (0, 0)


def _image_activation(context: LayerContext) -> TensorFunction:
    """Return the function from a convolution's channels-last view to its activated, contiguous output."""
    function = context.activation
    if function is keras.activations.linear:
        return lambda y: y.permute(0, 2, 3, 1)
    if function is keras.activations.relu:
        return lambda y: torch.relu_(y).permute(0, 2, 3, 1)  # in place: nothing else has a reference to y
    return lambda y: function(y.permute(0, 2, 3, 1))


def _convolution(context: LayerContext) -> TensorFunction | None:
    layer = context.layer
    if layer.padding not in ("same", "valid") or layer.lora_enabled:
        return None
    kernel = context.weights.tensor(layer.kernel)
    bias = context.bias()
    activated = _image_activation(context)

    def compute(x: Tensor) -> Tensor:
        image, padding = _padded(x.permute(0, 3, 1, 2), layer, layer.kernel_size)
        filters = kernel.permute(3, 2, 0, 1)
        strides = _strides_that_count(image, padding, layer)
        return activated(nn.conv2d(image, filters, bias, strides, padding, layer.dilation_rate, layer.groups))

    def compute_pointwise(x: Tensor) -> Tensor:
        rows, columns = layer.strides
        read = x[:, ::rows, ::columns].permute(0, 3, 1, 2)
        return activated(nn.conv2d(read, kernel.permute(3, 2, 0, 1), bias, groups=layer.groups))

    # A 1x1 kernel with strides reads only some of the pixels, and needs no padding. The strides are applied here,
    # since oneDNN writes past its memory in the backward pass of such a layer with few channels, and crashes or gives
    # wrong gradients (https://github.com/uxlfoundation/oneDNN/issues/6035).
    strided_pointwise = layer.kernel_size == (1, 1) and layer.strides != (1, 1)
    return compute_pointwise if strided_pointwise else compute


def _strides_that_count(image: Tensor, padding: tuple[int, int], layer: Any) -> list[int]:
    """Return a convolution's strides, with 1 along an axis that has a single window.

    In bfloat16, oneDNN leaves parts of the kernel's gradient unwritten if the stride is wider than the image.
    """
    sizes = zip(image.shape[2:], padding, layer.kernel_size, layer.dilation_rate, layer.strides, strict=True)
    return [
        1 if size + 2 * margin == (kernel - 1) * dilation + 1 else stride
        for size, margin, kernel, dilation, stride in sizes
    ]


def _depthwise(x: Tensor, kernel: Tensor, bias: Tensor | None, layer: Any) -> Tensor:
    height, width, channels, multiplier = kernel.shape
    filters = kernel.permute(2, 3, 0, 1).reshape(channels * multiplier, 1, height, width)
    image, padding = _padded(x.permute(0, 3, 1, 2), layer, (height, width))
    return nn.conv2d(image, filters, bias, layer.strides, padding, layer.dilation_rate, channels)


def _depthwise_convolution(context: LayerContext) -> TensorFunction | None:
    layer = context.layer
    kernel = context.weights.tensor(layer.kernel)
    bias = context.bias()
    activated = _image_activation(context)
    return lambda x: activated(_depthwise(x, kernel, bias, layer))


def _separable_convolution(context: LayerContext) -> TensorFunction | None:
    layer = context.layer
    depthwise, pointwise = (
        context.weights.tensor(layer.depthwise_kernel),
        context.weights.tensor(layer.pointwise_kernel),
    )
    bias = context.bias()
    activated = _image_activation(context)

    def compute(x: Tensor) -> Tensor:
        return activated(nn.conv2d(_depthwise(x, depthwise, None, layer), pointwise.permute(3, 2, 0, 1), bias))

    return compute


def _dense(context: LayerContext) -> TensorFunction | None:
    layer = context.layer
    if layer.lora_enabled or layer.quantization_mode is not None:
        return None
    kernel = context.weights.tensor(layer.kernel)
    bias = context.bias()
    function = context.activation
    activation = torch.relu_ if function is keras.activations.relu else function

    def compute(x: Tensor) -> Tensor:
        product = x @ kernel
        return activation(product if bias is None else product + bias)

    return compute


def _max_pooling(context: LayerContext) -> TensorFunction | None:
    layer = context.layer

    def compute(x: Tensor) -> Tensor:
        image, _ = _padded(x.permute(0, 3, 1, 2), layer, layer.pool_size, value=float("-inf"))
        return nn.max_pool2d(image, layer.pool_size, layer.strides).permute(0, 2, 3, 1)

    return compute


def _average_pooling(context: LayerContext) -> TensorFunction | None:
    layer = context.layer

    def compute(x: Tensor) -> Tensor:
        # Where the padding has to be asymmetric, Keras repeats the edge on PyTorch, unlike on its other backends.
        image, padding = _padded(x.permute(0, 3, 1, 2), layer, layer.pool_size, mode="replicate")
        pooled = nn.avg_pool2d(image, layer.pool_size, layer.strides, padding, count_include_pad=False)
        return pooled.permute(0, 2, 3, 1)

    return compute


def _global_average(context: LayerContext) -> TensorFunction | None:
    layer = context.layer
    return lambda x: x.mean((1, 2), keepdim=layer.keepdims)


def _global_maximum(context: LayerContext) -> TensorFunction | None:
    layer = context.layer
    return lambda x: x.amax((1, 2), keepdim=layer.keepdims)


def _flatten(_: LayerContext) -> TensorFunction | None:
    return lambda x: x.flatten(1)


def _activation_layer(context: LayerContext) -> TensorFunction | None:
    activation: TensorFunction = context.layer.activation
    return torch.relu if activation is keras.activations.relu else activation


def _relu_layer(context: LayerContext) -> TensorFunction | None:
    highest = bound_of_relu(context.layer)
    if highest == 6.0:
        return nn.relu6
    return torch.relu if highest == float("inf") else None


def _rescaling(context: LayerContext) -> TensorFunction | None:
    layer = context.layer
    if not isinstance(layer.scale, (int, float)) or not isinstance(layer.offset, (int, float)):
        return None
    return lambda x: x * layer.scale + layer.offset if layer.offset else x * layer.scale


def _normalization(context: LayerContext) -> TensorFunction | None:
    layer = context.layer
    if layer.invert or layer.mean is None:
        return None

    def compute(x: Tensor) -> Tensor:
        # Read in each call: `adapt` gives the layer new tensors.
        deviation = layer.variance.detach().sqrt().clamp(min=keras.config.epsilon())
        offset = (-layer.mean.detach() / deviation).to(x.dtype)
        return torch.addcmul(offset, x, (1 / deviation).to(x.dtype))

    return compute


def _zero_padding(context: LayerContext) -> TensorFunction | None:
    layer = context.layer
    rows, columns = layer.padding
    return lambda x: nn.pad(x, (0, 0, *columns, *rows))


_BUILDERS: dict[type, Callable[[LayerContext], TensorFunction | None]] = {
    layers.Activation: _activation_layer,
    layers.AveragePooling2D: _average_pooling,
    layers.Conv2D: _convolution,
    layers.Dense: _dense,
    layers.DepthwiseConv2D: _depthwise_convolution,
    layers.Flatten: _flatten,
    layers.GlobalAveragePooling2D: _global_average,
    layers.GlobalMaxPooling2D: _global_maximum,
    layers.MaxPooling2D: _max_pooling,
    layers.Normalization: _normalization,
    layers.ReLU: _relu_layer,
    layers.Rescaling: _rescaling,
    layers.SeparableConv2D: _separable_convolution,
    layers.ZeroPadding2D: _zero_padding,
}
