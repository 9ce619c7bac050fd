"""Kernels with a name, of any size: what a filter would be if one wrote it by hand."""

import numpy as np
from numpy.typing import NDArray

from stridednet.conv2d.arithmetic import Pair
from stridednet.errors import InputError

Kernel = NDArray[np.float32]

KERNELS = ("edge", "blur", "sharpen")
LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601: how bright red, green and blue look


def named_kernel(name: str, size: Pair) -> Kernel:
    """Build one of `KERNELS`, ``(height, width)``.

    ``edge`` is Sobel's idea at any size: smooth along an edge, subtract across it. It answers to upright edges, with 1
    from black to white and -1 from white to black; one column wide, it answers to level ones. ``blur`` is a Gaussian.
    ``sharpen`` is twice the pixel less the blur. Blur and sharpen keep an even area as it is, edge makes it 0.

    Raises:
        InputError: There is no such name, or the kernel is 1x1 and has no neighbour to compare with.
    """
    if name not in KERNELS:
        raise InputError(f"--kernel is {', '.join(KERNELS[:-1])} or {KERNELS[-1]}. Received: {name!r}")
    if size == (1, 1):
        raise InputError(
            f"a 1x1 kernel sees one pixel at a time and cannot {'find an edge' if name == 'edge' else name}; "
            "take a larger --kernel-size, or leave --kernel away"
        )
    height, width = size
    blur = np.outer(_gaussian(height), _gaussian(width))
    if name == "edge":
        kernel = np.outer(_gaussian(height), _slope(width)) if width > 1 else _slope(height)[:, None]
    elif name == "blur":
        kernel = blur
    else:
        kernel = -blur
        kernel[(height - 1) // 2, (width - 1) // 2] += 2  # the tap above the output's own pixel, with padding `same`
    return kernel.astype(np.float32)


def over_channels(kernel: Kernel, channels: int) -> Kernel:
    """Spread ``(height, width)`` over 1 or 3 channels, so that the filter answers to the luminance."""
    weights = np.array(LUMINANCE if channels == 3 else (1.0,), np.float32)
    return np.asarray(kernel[:, :, None] * weights, np.float32)


def _offsets(taps: int) -> NDArray[np.float64]:
    return np.asarray(np.arange(taps) - (taps - 1) / 2, np.float64)


def _gaussian(taps: int) -> NDArray[np.float64]:
    """Return weights that sum to 1, spread as OpenCV spreads them where nobody says how wide."""
    deviation = 0.3 * ((taps - 1) / 2 - 1) + 0.8
    weights = np.exp(-((_offsets(taps) / deviation) ** 2) / 2)
    return np.asarray(weights / weights.sum(), np.float64)


def _slope(taps: int) -> NDArray[np.float64]:
    """Return weights of which those on either side sum to 1 and -1."""
    weights = _offsets(taps) * _gaussian(taps)
    return np.asarray(weights / weights[weights > 0].sum(), np.float64)
