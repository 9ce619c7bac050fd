"""A convolution, the frozen batch normalization after it and a ReLU as one convolution.

The normalization by constant statistics is a factor and an offset for each channel, which become part of the kernel and
the bias. Where nothing is learned, oneDNN applies the ReLU while it writes the output.
"""

import math
from dataclasses import dataclass
from typing import Any

import keras
import torch
import torch.nn.functional as nn

from stridednet.conv2d.window import windows
from stridednet.executor.block import can_normalize, has_float32_weights
from stridednet.executor.context import LayerContext, LayerFunction
from stridednet.executor.depthwise import DepthwiseConvolution, can_differentiate

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
        known = {keras.activations.relu: math.inf, keras.activations.relu6: 6.0}
        return known.get(layer.activation)
    if type(layer) is not keras.layers.ReLU or layer.negative_slope or layer.threshold:
        return None
    return math.inf if layer.max_value is None else float(layer.max_value)


def build_folded(context: LayerContext, folded: Folded, *, constant: bool) -> LayerFunction:
    """Return the function of a convolution, one that `can_fold`, and of what follows it.

    Args:
        context: The convolution and its surroundings.
        folded: What follows it; the normalization is frozen unless all weights are constant.
        constant: Whether the weights never change, so that they are read once.
    """
    layer = context.layer
    weights = _Weights(context, folded.normalization)
    fixed = weights.read() if constant else None

    def compute(x: Tensor, _: Any) -> Tensor:
        filters, bias = fixed or weights.read()
        size = filters.shape[2:]
        image, margins = x.permute(0, 3, 1, 2), (0, 0)
        if layer.padding == "same":
            rows, columns = (
                windows(x.shape[axis + 1], size[axis], layer.strides[axis], "same", layer.dilation_rate[axis])
                for axis in (0, 1)
            )
            if rows.before == rows.after and columns.before == columns.after:
                margins = rows.before, columns.before
            else:
                image = nn.pad(image, (columns.before, columns.after, rows.before, rows.after))
        groups = image.shape[1] // filters.shape[1]
        arguments = image, filters, bias, margins, layer.strides, layer.dilation_rate, groups
        return _convolved(*arguments, folded.highest).permute(0, 2, 3, 1)

    return compute


@dataclass(frozen=True)
class _Weights:
    """The filters and the bias of a convolution that includes the normalization after it."""

    context: LayerContext
    normalization: Any

    def read(self) -> tuple[Tensor, Tensor]:
        """Return filters ``(filters, channels, height, width)`` and bias as they are now, in the backend's precision.

        They can be differentiated by the convolution's own weights.
        """
        layer, weights, dtype = self.context.layer, self.context.weights, self.context.backend.dtype
        full, normalization = weights.full, self.normalization
        factor = torch.rsqrt(full(normalization.moving_variance).detach() + normalization.epsilon)
        if normalization.scale:
            factor = factor * full(normalization.gamma).detach()
        bias = -full(normalization.moving_mean).detach()
        if layer.use_bias:
            bias = bias + weights.tensor(layer.bias).float()
        bias = bias * factor
        if normalization.center:
            bias = bias + full(normalization.beta).detach()
        kernel = weights.tensor(layer.kernel).float()
        if type(layer) is keras.layers.DepthwiseConv2D:
            kernel = kernel.flatten(2)[:, :, None]
        filters = (kernel * factor).permute(3, 2, 0, 1).to(dtype)
        return filters.contiguous(memory_format=torch.channels_last), bias.to(dtype)


def _convolved(
    image: Tensor,
    filters: Tensor,
    bias: Tensor,
    margins: tuple[int, int],
    strides: tuple[int, int],
    dilation: tuple[int, int],
    groups: int,
    highest: float | None,
) -> Tensor:
    """Return the convolution of a channels-last image, with its ReLU."""
    learns = torch.is_grad_enabled() and (image.requires_grad or filters.requires_grad)
    operation = None if learns or image.device.type != "cpu" or not image.numel() else _fused_convolution()
    if operation is not None:
        name, bounds = _RELUS.get(highest, ("hardtanh", [0.0, highest]))
        result: Tensor = operation(image, filters, bias, margins, strides, dilation, groups, name, bounds, "")
        return result
    if learns and can_differentiate(image, filters, dilation):
        arguments = image, filters, bias, strides, margins
        y: Tensor = DepthwiseConvolution.apply(*arguments)  # type: ignore[no-untyped-call]
    else:
        y = nn.conv2d(image, filters, bias, strides, margins, dilation, groups)
    if highest is None:
        return y
    return torch.relu_(y) if highest == math.inf else nn.hardtanh_(y, 0.0, highest)


# oneDNN's names of a ReLU by its highest value, with its arguments.
_RELUS: dict[float | None, tuple[str, list[float]]] = {None: ("none", []), math.inf: ("relu", [])}


def _fused_convolution() -> Any:
    """Return oneDNN's convolution with a ReLU, which PyTorch's own compiler uses; None where PyTorch has none."""
    available = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return getattr(torch.ops.mkldnn, "_convolution_pointwise", None) if available else None
