"""A convolution, the batch normalization after it and a ReLU as one convolution, where nothing is learned.

The normalization by constant statistics is a factor and an offset for each channel, which become part of the kernel and
the bias. oneDNN applies the ReLU while it writes the output, so that each output is written once and not read again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import torch
import torch.nn.functional as nn

from stridednet.conv2d.window import windows
from stridednet.executor.block import can_normalize, has_float32_weights
from stridednet.executor.context import LayerContext, LayerFunction

Tensor = torch.Tensor


@dataclass(frozen=True)
class Folded:
    """What is computed together with a convolution.

    Args:
        normalization: The batch normalization after it.
        highest: Upper bound of the ReLU after that, None for no ReLU; infinity for a plain one.
    """

    normalization: Any
    highest: float | None = None


def can_fold(layer: Any, normalization: Any) -> bool:
    """Return whether a layer is a convolution that takes over the normalization of its output."""
    return (
        type(layer) in (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
        and layer.activation is keras.activations.linear
        and layer.data_format == "channels_last"
        and layer.padding in ("same", "valid")
        and has_float32_weights(layer)
        and not getattr(layer, "lora_enabled", False)
        and getattr(layer, "quantization_mode", None) is None
        and can_normalize(normalization)
    )


def bound_of_relu(layer: Any) -> float | None:
    """Return the upper bound of a ReLU's output, infinity for a plain one, or None for any other layer.

    >>> bound_of_relu(keras.layers.ReLU(6.0)), bound_of_relu(keras.layers.ReLU()), bound_of_relu(keras.layers.Flatten())
    (6.0, inf, None)
    """
    if type(layer) is keras.layers.Activation:
        known = {keras.activations.relu: float("inf"), keras.activations.relu6: 6.0}
        return known.get(layer.activation)
    if type(layer) is not keras.layers.ReLU or layer.negative_slope or layer.threshold:
        return None
    return float("inf") if layer.max_value is None else float(layer.max_value)


def build_folded(context: LayerContext, folded: Folded) -> LayerFunction:
    """Return the function of a convolution, one that `can_fold`, and of what follows it; the weights are read once."""
    layer, dtype = context.layer, context.backend.dtype
    kernel, bias = _folded_weights(context, folded.normalization)
    depthwise = type(layer) is keras.layers.DepthwiseConv2D
    groups = kernel.shape[2] if depthwise else layer.groups
    if depthwise:
        kernel = kernel.flatten(2)[:, :, None]
    filters = kernel.permute(3, 2, 0, 1).to(dtype).contiguous(memory_format=torch.channels_last)
    size, strides, dilation = tuple(filters.shape[2:]), tuple(layer.strides), tuple(layer.dilation_rate)
    convolve = _convolution(filters, bias.to(dtype), strides, dilation, groups, folded.highest)

    def compute(x: Tensor, _: Any) -> Tensor:
        image, margins = x.permute(0, 3, 1, 2), (0, 0)
        if layer.padding == "same":
            rows, columns = (
                windows(x.shape[axis + 1], size[axis], strides[axis], "same", dilation[axis]) for axis in (0, 1)
            )
            if rows.before == rows.after and columns.before == columns.after:
                margins = rows.before, columns.before
            else:
                image = nn.pad(image, (columns.before, columns.after, rows.before, rows.after))
        return convolve(image, margins).permute(0, 2, 3, 1)

    return compute


def _folded_weights(context: LayerContext, normalization: Any) -> tuple[Tensor, Tensor]:
    """Return the kernel as Keras lays it out, and the bias, both in float32."""
    layer, full = context.layer, context.weights.full
    kernel, mean = full(layer.kernel).detach(), full(normalization.moving_mean).detach()
    factor = torch.rsqrt(full(normalization.moving_variance).detach() + normalization.epsilon)
    if normalization.scale:
        factor = factor * full(normalization.gamma).detach()
    bias = full(layer.bias).detach() - mean if layer.use_bias else -mean
    bias = bias * factor
    if normalization.center:
        bias = bias + full(normalization.beta).detach()
    return kernel * factor.view(kernel.shape[2:] if type(layer) is keras.layers.DepthwiseConv2D else -1), bias


def _convolution(
    filters: Tensor,
    bias: Tensor,
    strides: tuple[int, ...],
    dilation: tuple[int, ...],
    groups: int,
    highest: float | None,
) -> Callable[[Tensor, tuple[int, int]], Tensor]:
    """Return the convolution of a channels-last image with given margins, with its ReLU."""
    operation = _fused_convolution()
    if filters.device.type == "cpu" and operation is not None:
        name, bounds = "none", []
        if highest is not None:
            name, bounds = ("relu", []) if highest == float("inf") else ("hardtanh", [0.0, highest])

        def fused(image: Tensor, margins: tuple[int, int]) -> Tensor:
            result: Tensor = operation(image, filters, bias, margins, strides, dilation, groups, name, bounds, "")
            return result

        return fused

    def plain(image: Tensor, margins: tuple[int, int]) -> Tensor:
        y = nn.conv2d(image, filters, bias, strides, margins, dilation, groups)
        return y if highest is None else y.clamp_(0.0, highest)

    return plain


def _fused_convolution() -> Any:
    """Return oneDNN's convolution with a ReLU, which PyTorch's own compiler uses; None where PyTorch has none."""
    available = torch.backends.mkldnn.is_available()
    return getattr(torch.ops.mkldnn, "_convolution_pointwise", None) if available else None
