"""Batch normalization and the cheap layers around it as one function: ``dropout(relu(normalize(relu(x))))``."""

from dataclasses import dataclass
from typing import Any

import torch
from keras import layers

from stridednet.executor.compiled.normalization import normalized, normalized_in_training
from stridednet.executor.context import ForwardPass, LayerContext, LayerFunction
from stridednet.executor.normalization import ExactBatchNormalization

Tensor = torch.Tensor


@dataclass(frozen=True)
class Around:
    """The layers fused with a batch normalization: a ReLU before it, a ReLU after it, and a dropout at the end."""

    relu_before: bool = False
    relu_after: bool = False
    dropout: float = 0.0


def has_float32_weights(layer: Any) -> bool:
    """Return whether a layer's variables are float32, as everything here expects; other layers are left to Keras."""
    return str(layer.variable_dtype) == "float32"


def can_normalize(layer: Any) -> bool:
    """Return whether a layer is a batch normalization that is computed here."""
    return (
        type(layer) is layers.BatchNormalization
        and has_float32_weights(layer)
        and layer.axis in (-1, layer.input_spec.ndim - 1)
        and not layer.renorm
        and not layer.synchronized
    )


def build_block(context: LayerContext, around: Around) -> LayerFunction:
    """Return the function of a batch normalization, one that `can_normalize`, and of the layers around it."""
    layer, library = context.layer, context.backend.library
    full = context.weights.full  # statistics are float32 in either precision
    moving = full(layer.moving_mean), full(layer.moving_variance)
    scale = full(layer.gamma) if layer.scale else torch.ones_like(moving[0])
    offset = full(layer.beta) if layer.center else torch.zeros_like(moving[0])
    relus = {"relu_before": around.relu_before, "relu_after": around.relu_after}

    def on_pytorch(x: Tensor, learning: bool, kept: Tensor | None) -> Tensor:
        x = torch.relu(x) if around.relu_before else x
        if learning:
            y, mean, variance = _batch_statistics(x, scale, offset, layer.epsilon)
            with torch.no_grad():  # Keras averages the biased variance, PyTorch would average the unbiased one
                moving[0].lerp_(mean, 1 - layer.momentum)
                moving[1].lerp_(variance, 1 - layer.momentum)
        else:
            y = _by_pytorch(x, scale, offset, layer.epsilon, moving)[0]
        y = torch.relu(y) if around.relu_after else y
        return y if kept is None else dropped(y, kept, around.dropout)

    def compute(x: Tensor, forward: ForwardPass) -> Tensor:
        learning = forward.training and layer.trainable
        kept = forward.dropout_mask(x, around.dropout)
        differentiable_inference = not learning and torch.is_grad_enabled()
        if library is None or differentiable_inference or not x.numel():
            return on_pytorch(x, learning, kept)
        if not learning:
            y = normalized(library, x, scale.detach(), offset.detach(), moving, layer.epsilon, **relus)
            return y if kept is None else dropped(y, kept, around.dropout)
        return normalized_in_training(
            library, x, scale, offset, moving, layer.epsilon, layer.momentum, **relus, kept=kept, rate=around.dropout
        )

    return compute


def dropped(x: Tensor, kept: Tensor, rate: float) -> Tensor:
    """Return a tensor with zeros where ``kept`` is 0, and the rest multiplied by ``1 / (1 - rate)``."""
    # The factor is applied separately, since bfloat16 would round it inside the mask.
    return x * kept * (1 / (1 - rate))


def _batch_statistics(x: Tensor, scale: Tensor, offset: Tensor, epsilon: float) -> tuple[Tensor, Tensor, Tensor]:
    """Normalize by the statistics of the batch; return the result, the mean and the biased variance."""
    if x.dtype == torch.float32 and x.device.type == "cpu":
        return ExactBatchNormalization.of(x, scale, offset, epsilon)
    y, mean, inverse = _by_pytorch(x, scale, offset, epsilon, None)
    return y, mean, inverse.detach().pow(-2).sub_(epsilon)


def _by_pytorch(
    x: Tensor, scale: Tensor, offset: Tensor, epsilon: float, known: tuple[Tensor, Tensor] | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the results of PyTorch's own function: output, mean, and inverse standard deviation."""
    images = x.dim() == 4
    view = x.permute(0, 3, 1, 2) if images else x.reshape(-1, len(scale))
    mean, variance = known or (None, None)
    y, batch_mean, inverse = torch.native_batch_norm(view, scale, offset, mean, variance, known is None, 0.0, epsilon)
    return y.permute(0, 2, 3, 1) if images else y.reshape(x.shape), batch_mean, inverse
