"""What a `Conv2D` computes, tap by tap, on one image."""

import numpy as np
from numpy.typing import NDArray

from stridednet.conv2d.arithmetic import Conv2DFacts

Array = NDArray[np.float32]


def pad(image: Array, facts: Conv2DFacts) -> Array:
    """Put the layer's zeros around ``(height, width, channels)``."""
    top, bottom, left, right = facts.padding
    return np.pad(image, ((top, bottom), (left, right), (0, 0)))


def convolve(image: Array, kernels: Array, biases: Array, facts: Conv2DFacts) -> Array:
    """Compute the output of a layer, before any activation.

    Args:
        image: ``(height, width, channels)``, as `facts` has its input.
        kernels: ``(kernel height, kernel width, channels, filters)``; a filter that reads a part of the channels, as
            ``groups`` has it, has zeros for the others.
        biases: ``(filters,)``.
        facts: Where the windows lie.

    Returns:
        ``(output height, output width, filters)``.
    """
    padded = pad(image, facts)
    rows, columns = facts.rows, facts.columns
    result = np.zeros((rows.output, columns.output, kernels.shape[3]), np.float32)
    for row in range(rows.kernel):
        for column in range(columns.kernel):
            top, left = row * rows.dilation, column * columns.dilation
            below = padded[
                top : top + (rows.output - 1) * rows.stride + 1 : rows.stride,
                left : left + (columns.output - 1) * columns.stride + 1 : columns.stride,
            ]
            result += below @ kernels[row, column]
    return result + biases
