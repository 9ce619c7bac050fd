"""Batch normalisation with what stands around it, in two passes over memory each way."""

import math
from typing import Any, NamedTuple

import torch

from stridednet.executor.compiled.library import library

Tensor = torch.Tensor


class _Numbers(NamedTuple):
    """What the kernels are told besides tensors, in their order; a ReLU is a floor of 0, none is one of -infinity."""

    epsilon: float
    momentum: float
    floor_before: float
    floor_after: float
    factor: float  # of what dropout keeps


class CompiledNormalization(torch.autograd.Function):
    """``dropout(relu(batch_normalization(relu(x))))``, each ReLU and the dropout being optional."""

    @staticmethod
    def forward(  # noqa: D102
        context: Any,
        x: Tensor,
        scale: Tensor,
        offset: Tensor,
        moving: tuple[Tensor, Tensor],
        kept: Tensor | None,
        numbers: _Numbers,
    ) -> Tensor:
        x = x.contiguous()
        statistics = torch.empty_like(scale), torch.empty_like(scale)
        y = _forward(x, kept, (scale, offset, *statistics), moving, numbers)
        context.save_for_backward(x, kept, scale, offset, *statistics)
        context.numbers = numbers
        return y

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: D102
        x, kept, *of_channels = context.saved_tensors
        gradient = gradients[0].contiguous()
        of_x, of_scale, of_offset = (torch.empty_like(tensor) for tensor in (x, *of_channels[:2]))
        channels = len(of_scale)
        _call(
            "backward", x.dtype, *_places(gradient, x, kept, of_x, of_scale, of_offset), x.numel() // channels,
            channels, *_places(*of_channels), *context.numbers[2:],
        )  # fmt: skip
        return of_x, of_scale, of_offset, None, None, None


def normalised_in_training(
    x: Tensor,
    scale: Tensor,
    offset: Tensor,
    moving: tuple[Tensor, Tensor],
    epsilon: float,
    momentum: float,
    *,
    relu_before: bool,
    relu_after: bool,
    kept: Tensor | None,
    rate: float,
) -> Tensor:
    """Normalise by the statistics of the batch, and move the moving ones as Keras does, with the biased variance.

    Args:
        x: ``(..., channels)``, float32 or bfloat16, on the processor.
        scale: ``(channels,)``, float32, as all that follow.
        offset: ``(channels,)``.
        moving: The moving mean and variance, which are changed.
        epsilon: Added to the variance.
        momentum: Share of the moving statistics that stays.
        relu_before: Whether to take the ReLU of ``x`` first.
        relu_after: Whether to take it of the result.
        kept: For dropout, a byte for each element: 1 where it is kept, else 0.
        rate: Of dropout; what is kept grows by ``1 / (1 - rate)``.
    """
    numbers = _Numbers(epsilon, momentum, _floor(relu_before), _floor(relu_after), 1 / (1 - rate))
    y: Tensor = CompiledNormalization.apply(x, scale, offset, moving, kept, numbers)  # type: ignore[no-untyped-call]
    return y


def normalised(
    x: Tensor,
    scale: Tensor,
    offset: Tensor,
    moving: tuple[Tensor, Tensor],
    epsilon: float,
    *,
    relu_before: bool,
    relu_after: bool,
) -> Tensor:
    """Normalise by the moving statistics; arguments as above. Not differentiable."""
    inverse = torch.rsqrt(moving[1] + epsilon)
    numbers = _Numbers(epsilon, 1.0, _floor(relu_before), _floor(relu_after), 1.0)
    return _forward(x.contiguous(), None, (scale, offset, moving[0], inverse), None, numbers)


def can_compute(x: Tensor, scale: Tensor) -> bool:
    """Say whether ``x`` ``(..., channels)`` can be normalised here, with a scale ``(channels,)``."""
    on_processor = x.device.type == scale.device.type == "cpu"
    return on_processor and x.numel() > 0 and x.dtype in _NAMES and library() is not None


_NAMES = {torch.float32: "float32", torch.bfloat16: "bfloat16"}


def _forward(
    x: Tensor,
    kept: Tensor | None,
    of_channels: tuple[Tensor, Tensor, Tensor, Tensor],
    moving: tuple[Tensor, Tensor] | None,
    numbers: _Numbers,
) -> Tensor:
    """Compute it from scale, offset, mean and one over the deviation; with moving statistics, these two are results."""
    y = torch.empty_like(x)
    channels = len(of_channels[0])
    _call(
        "forward", x.dtype, *_places(x, y, kept), x.numel() // channels, channels,
        *_places(*of_channels, *(moving or (None, None))), *numbers, moving is not None,
    )  # fmt: skip
    return y


def _call(name: str, dtype: torch.dtype, *arguments: float | None) -> None:
    if getattr(library(), f"{name}_{_NAMES[dtype]}")(*arguments):
        raise MemoryError


def _places(*tensors: Tensor | None) -> list[int | None]:
    return [None if tensor is None else tensor.data_ptr() for tensor in tensors]


def _floor(relu: bool) -> float:
    """Return the value that nothing falls below."""
    return 0.0 if relu else -math.inf
