"""Batch normalisation with exact float32 statistics.

PyTorch's own CPU kernel adds up tens of thousands of channels-last rows one by one, which costs four digits of a
float32 statistic. In bfloat16, which has three digits anyway, it is right to use; in float32 it would not match Keras.
"""

from typing import Any

import torch

Tensor = torch.Tensor


class ExactBatchNormalization(torch.autograd.Function):
    """Normalise rows ``(n, channels)`` by the mean and the biased variance of each channel.

    Returns the result, and the mean and variance ``(channels,)``, which are not differentiated.
    """

    @staticmethod
    def forward(
        context: Any, x: Tensor, scale: Tensor, offset: Tensor, epsilon: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Compute ``(x - mean) / sqrt(variance + epsilon) * scale + offset``."""
        mean = x.sum(0).div_(len(x))
        centred = x - mean
        variance = (centred * centred).sum(0).div_(len(x))  # torch.var_mean takes ten times as long over rows
        inverse = torch.rsqrt(variance + epsilon)
        slope = scale * inverse
        context.save_for_backward(centred, inverse, slope)
        context.mark_non_differentiable(mean, variance)
        return torch.addcmul(offset, centred, slope), mean, variance

    @classmethod
    def of(cls, x: Tensor, scale: Tensor, offset: Tensor, epsilon: float) -> tuple[Tensor, Tensor, Tensor]:
        """Apply it; PyTorch leaves ``apply`` without types."""
        result: tuple[Tensor, Tensor, Tensor] = cls.apply(x, scale, offset, epsilon)  # type: ignore[no-untyped-call]
        return result

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        """Ioffe and Szegedy 2015, arXiv:1502.03167, section 3, with the sums over rows taken once."""
        centred, inverse, slope = context.saved_tensors
        gradient = gradients[0]
        of_offset = gradient.sum(0)
        of_scale = (gradient * centred).sum(0) * inverse
        pull = slope * inverse * of_scale / len(centred)
        of_x = torch.addcmul(-slope * of_offset / len(centred), gradient, slope).addcmul_(centred, pull, value=-1)
        return of_x, of_scale, of_offset, None
