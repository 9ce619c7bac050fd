"""A strided convolution of few channels as one without strides of more channels: the same sums, in better order.

Matrix units want many channels, and a network's first layer has three. Where a kernel goes in strides of ``s``, each
square of ``s`` by ``s`` pixels can be taken for one pixel of ``s * s`` times the channels; the kernel is cut the same
way, with zeros added up to a multiple of ``s`` (space to depth; Shi et al. 2016, arXiv:1609.05158, have the inverse).
"""

import torch
import torch.nn.functional as nn

Tensor = torch.Tensor

_FEW_CHANNELS = 4


def gains(channels: int, kernel_size: tuple[int, int], strides: tuple[int, int]) -> bool:
    """Say whether a convolution is worth doing this way."""
    stride = strides[0]
    return channels <= _FEW_CHANNELS and strides[0] == strides[1] >= 2 and min(kernel_size) > stride


def convolve(image: Tensor, kernel: Tensor, bias: Tensor | None, stride: int) -> Tensor:
    """Convolve without padding.

    Args:
        image: ``(batch, height, width, channels)``.
        kernel: ``(height, width, channels, filters)``.
        bias: ``(filters,)``, or None.
        stride: In both directions.

    Returns:
        ``(batch, filters, rows, columns)``, lying in memory with channels last.
    """
    squares = [-(-size // stride) for size in kernel.shape[:2]]  # that the kernel covers, as far as they go
    outputs = [(image.shape[axis + 1] - kernel.shape[axis]) // stride + 1 for axis in (0, 1)]
    rows, columns = ((count + size - 1) * stride for count, size in zip(outputs, squares, strict=True))
    image = nn.pad(image, (0, 0, 0, columns - image.shape[2], 0, rows - image.shape[1]))  # below zero it cuts
    pairs = image.reshape(len(image), rows // stride, stride, columns // stride, -1)
    deep = torch.cat(pairs.unbind(2), dim=-1)  # channels: row in the square, column in it, channel

    channels, filters = kernel.shape[2:]
    missing = [size * stride - length for size, length in zip(squares, kernel.shape[:2], strict=True)]
    whole = nn.pad(kernel, (0, 0, 0, 0, 0, missing[1], 0, missing[0]))
    cut = whole.reshape(squares[0], stride, squares[1], stride, channels, filters).permute(5, 1, 3, 4, 0, 2)
    weights = cut.reshape(filters, stride * stride * channels, *squares).contiguous(memory_format=torch.channels_last)
    return nn.conv2d(deep.permute(0, 3, 1, 2), weights, bias)
