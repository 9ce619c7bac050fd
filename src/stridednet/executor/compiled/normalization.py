"""Batch normalization with the layers fused around it, in two passes over memory forward and two backward."""

import math
from typing import Any, NamedTuple

import torch

from stridednet.executor.compiled.library import Library, address

Tensor = torch.Tensor


class _Numbers(NamedTuple):
    """The scalar arguments of the C functions, in their order. A ReLU is a floor of 0; no ReLU is one of -infinity."""

    epsilon: float
    momentum: float
    floor_before: float
    floor_after: float
    factor: float  # by which dropout scales what it keeps


class CompiledNormalization(torch.autograd.Function):
    """``dropout(relu(batch_normalization(relu(x))))``, each ReLU and the dropout being optional."""

    @staticmethod
    def forward(  # noqa: D102
        context: Any,
        library: Library,
        x: Tensor,
        scale: Tensor,
        offset: Tensor,
        moving: tuple[Tensor, Tensor],
        kept: Tensor | None,
        numbers: _Numbers,
    ) -> Tensor:
        x = x.contiguous()
        statistics = torch.empty_like(scale), torch.empty_like(scale)
        y = _forward(library, x, kept, (scale, offset, *statistics), moving, numbers)
        context.save_for_backward(x, kept, scale, offset, *statistics)
        context.library, context.numbers = library, numbers
        return y

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: D102
        x, kept, *of_channels = context.saved_tensors
        gradient = gradients[0].contiguous()
        of_x, of_scale, of_offset = (torch.empty_like(tensor) for tensor in (x, *of_channels[:2]))
        channels = len(of_scale)
        _call(
            context.library, "backward", x.dtype, *_of_images(x, gradient, x), _of_mask(x, kept), *_of_images(x, of_x),
            *_of_channels(channels, of_scale, of_offset), x.numel() // channels, channels,
            *_of_channels(channels, *of_channels), *context.numbers[2:],
        )  # fmt: skip
        return None, of_x, of_scale, of_offset, None, None, None


def normalized_in_training(
    library: Library,
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
    """Normalize by the statistics of the batch, and update the moving ones as Keras does, with the biased variance.

    Args:
        library: The compiled functions.
        x: ``(..., channels)``, float32 or bfloat16, on the CPU, not empty.
        scale: ``(channels,)``, float32, as are all that follow.
        offset: ``(channels,)``.
        moving: The moving mean and variance, which are changed in place.
        epsilon: Added to the variance.
        momentum: Share of the moving statistics that is kept.
        relu_before: Whether to apply a ReLU to ``x`` first.
        relu_after: Whether to apply one to the result.
        kept: The dropout mask, uint8, of the shape of ``x``: 1 for what is kept, else 0.
        rate: The dropout rate; what is kept is multiplied by ``1 / (1 - rate)``.
    """
    numbers = _Numbers(epsilon, momentum, _floor(relu_before), _floor(relu_after), 1 / (1 - rate))
    y: Tensor = CompiledNormalization.apply(  # type: ignore[no-untyped-call]
        library, x, scale, offset, moving, kept, numbers
    )
    return y


def normalized(
    library: Library,
    x: Tensor,
    scale: Tensor,
    offset: Tensor,
    moving: tuple[Tensor, Tensor],
    epsilon: float,
    *,
    relu_before: bool,
    relu_after: bool,
) -> Tensor:
    """Normalize by the moving statistics; arguments as for `normalized_in_training`. Not differentiable."""
    inverse = torch.rsqrt(moving[1] + epsilon)
    numbers = _Numbers(epsilon, 1.0, _floor(relu_before), _floor(relu_after), 1.0)
    return _forward(library, x.contiguous(), None, (scale, offset, moving[0], inverse), None, numbers)


_NAMES = {torch.float32: "float32", torch.bfloat16: "bfloat16"}


def _forward(
    library: Library,
    x: Tensor,
    kept: Tensor | None,
    of_channels: tuple[Tensor, Tensor, Tensor, Tensor],
    moving: tuple[Tensor, Tensor] | None,
    numbers: _Numbers,
) -> Tensor:
    """Call ``forward`` with scale, offset, mean and inverse deviation; the last two are results with ``moving``."""
    y = torch.empty_like(x)
    channels = x.shape[-1]
    _call(
        library, "forward", x.dtype, *_of_images(x, x, y), _of_mask(x, kept), x.numel() // channels, channels,
        *_of_channels(channels, *of_channels, *(moving or (None, None))), *numbers, moving is not None,
    )  # fmt: skip
    return y


def _call(library: Library, name: str, dtype: torch.dtype, *arguments: float | None) -> None:
    if getattr(library, f"{name}_{_NAMES[dtype]}")(*arguments):
        raise MemoryError


def _of_images(x: Tensor, *tensors: Tensor) -> list[int]:
    return [address(tensor, x.dtype, x.shape) for tensor in tensors]


def _of_mask(x: Tensor, kept: Tensor | None) -> int | None:
    return None if kept is None else address(kept, torch.uint8, x.shape)


def _of_channels(channels: int, *tensors: Tensor | None) -> list[int | None]:
    return [None if tensor is None else address(tensor, torch.float32, (channels,)) for tensor in tensors]


def _floor(relu: bool) -> float:
    """Return the value that nothing falls below."""
    return 0.0 if relu else -math.inf
