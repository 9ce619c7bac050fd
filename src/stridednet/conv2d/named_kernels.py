"""Named kernels of any size: edge detection, blur and sharpening."""

import numpy as np
from numpy.typing import NDArray

from stridednet.conv2d.arithmetic import Pair
from stridednet.errors import InputError

Kernel = NDArray[np.float32]

KERNELS = ("edge", "blur", "sharpen")
LUMINANCE = (0.299, 0.587, 0.114)  # weights of red, green and blue, ITU-R BT.601


def named_kernel(name: str, size: Pair) -> Kernel:
    """Return a named kernel.

    ``edge`` generalizes the Sobel operator: it smooths along a vertical edge and takes the difference across it. The
    response is 1 from black to white and -1 from white to black. A kernel of one column detects horizontal edges.
    ``blur`` is a Gaussian. ``sharpen`` is twice the pixel minus the blur. The weights of ``blur`` and ``sharpen`` sum
    to 1 and those of ``edge`` to 0.

    >>> named_kernel("edge", (2, 2)).tolist()
    [[-0.5, 0.5], [-0.5, 0.5]]

    Args:
        name: One of `KERNELS`.
        size: Height and width of the kernel.

    Returns:
        The weights, of shape ``(height, width)``, in float32.

    Raises:
        InputError: The name is unknown, or the kernel is 1x1.
    """
    if name not in KERNELS:
        raise InputError(f"the kernel's name must be {', '.join(KERNELS[:-1])} or {KERNELS[-1]}. Received: {name!r}")
    if size == (1, 1):
        raise InputError(
            f"a 1x1 kernel reads a single pixel and cannot {'detect edges' if name == 'edge' else name}; "
            "use a larger kernel_size, or omit kernel"
        )
    height, width = size
    blur = np.outer(_gaussian(height), _gaussian(width))
    if name == "edge":
        kernel = np.outer(_gaussian(height), _slope(width)) if width > 1 else _slope(height)[:, None]
    elif name == "blur":
        kernel = blur
    else:
        kernel = -blur
        kernel[(height - 1) // 2, (width - 1) // 2] += 2  # with padding `same`, the tap at the output's own pixel
    return kernel.astype(np.float32)


def over_channels(kernel: Kernel, channels: int) -> Kernel:
    """Return a filter that applies a kernel to the luminance.

    Args:
        kernel: Weights of shape ``(height, width)``.
        channels: 3 for RGB, or 1.

    Returns:
        The weights, of shape ``(height, width, channels)``.
    """
    weights = np.array(LUMINANCE if channels == 3 else (1.0,), np.float32)
    return np.asarray(kernel[:, :, None] * weights, np.float32)


def _offsets(taps: int) -> NDArray[np.float64]:
    return np.asarray(np.arange(taps) - (taps - 1) / 2, np.float64)


def _gaussian(taps: int) -> NDArray[np.float64]:
    """Return Gaussian weights that sum to 1, with the standard deviation of OpenCV's ``getGaussianKernel``."""
    deviation = 0.3 * ((taps - 1) / 2 - 1) + 0.8
    weights = np.exp(-((_offsets(taps) / deviation) ** 2) / 2)
    return np.asarray(weights / weights.sum(), np.float64)


def _slope(taps: int) -> NDArray[np.float64]:
    """Return antisymmetric weights whose negative half sums to -1 and whose positive half sums to 1."""
    weights = _offsets(taps) * _gaussian(taps)
    return np.asarray(weights / weights[weights > 0].sum(), np.float64)
