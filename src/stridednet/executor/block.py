"""Batch normalisation and the cheap layers around it, as one kernel: ``dropout(relu(normalise(relu(x))))``."""

from dataclasses import dataclass
from typing import Any

import torch
from keras import layers

from stridednet.executor.compiled.normalization import can_compute, normalised, normalised_in_training
from stridednet.executor.context import Kernel, Setting
from stridednet.executor.normalization import ExactBatchNormalization

Tensor = torch.Tensor


@dataclass(frozen=True)
class Around:
    """What stands around a normalisation: a ReLU before it, one after it, and the rate of a dropout behind."""

    relu_before: bool = False
    relu_after: bool = False
    dropout: float = 0.0


def can_normalise(layer: Any) -> bool:
    """Say whether a layer is a batch normalisation that has a kernel here."""
    return (
        type(layer) is layers.BatchNormalization
        and layer.axis in (-1, layer.input_spec.ndim - 1)
        and not layer.renorm
        and not layer.synchronized
    )


def build_block(setting: Setting, around: Around) -> Kernel:
    """Return the function that computes a batch normalisation, one that `can_normalise`, and what is around it."""
    layer, mode = setting.layer, setting.mode
    # In float32 whatever the input is.
    moving = layer.moving_mean.value.data, layer.moving_variance.value.data
    scale = setting.weights.full(layer.gamma) if layer.scale else torch.ones_like(moving[0])
    offset = setting.weights.full(layer.beta) if layer.center else torch.zeros_like(moving[0])
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

    def compute(x: Tensor) -> Tensor:
        learning = mode.training and layer.trainable
        kept = mode.keep(x, around.dropout) if mode.training and around.dropout else None
        if not can_compute(x, scale) or (not learning and torch.is_grad_enabled()):
            return on_pytorch(x, learning, kept)
        if not learning:
            y = normalised(x, scale.detach(), offset.detach(), moving, layer.epsilon, **relus)
            return y if kept is None else dropped(y, kept, around.dropout)
        return normalised_in_training(
            x, scale, offset, moving, layer.epsilon, layer.momentum, **relus, kept=kept, rate=around.dropout
        )

    return compute


def dropped(x: Tensor, kept: Tensor, rate: float) -> Tensor:
    """Return a tensor without what is not kept, and the rest grown by ``1 / (1 - rate)``."""
    # The factor stays out of the mask, where bfloat16 would round it.
    return x * kept * (1 / (1 - rate))


def _batch_statistics(x: Tensor, scale: Tensor, offset: Tensor, epsilon: float) -> tuple[Tensor, Tensor, Tensor]:
    """Normalise by the statistics of the batch; return the result, the mean and the biased variance."""
    if x.dtype == torch.float32 and x.device.type == "cpu":
        return ExactBatchNormalization.of(x, scale, offset, epsilon)
    y, mean, inverse = _by_pytorch(x, scale, offset, epsilon, None)
    return y, mean, inverse.detach().pow(-2).sub_(epsilon)


def _by_pytorch(
    x: Tensor, scale: Tensor, offset: Tensor, epsilon: float, known: tuple[Tensor, Tensor] | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Return what PyTorch's own kernel gives: the result, the mean, and one over the standard deviation."""
    images = x.dim() == 4
    view = x.permute(0, 3, 1, 2) if images else x.reshape(-1, len(scale))
    mean, variance = known or (None, None)
    y, batch_mean, inverse = torch.native_batch_norm(view, scale, offset, mean, variance, known is None, 0.0, epsilon)
    return y.permute(0, 2, 3, 1) if images else y.reshape(x.shape), batch_mean, inverse
