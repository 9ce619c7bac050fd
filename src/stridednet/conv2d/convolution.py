"""`Conv2D` on one image, computed in NumPy."""

import numpy as np
from numpy.typing import NDArray

from stridednet.conv2d.arithmetic import Conv2DFacts

Array = NDArray[np.float32]


def pad(image: Array, facts: Conv2DFacts) -> Array:
    """Return an image of shape ``(height, width, channels)`` with the layer's zero padding added."""
    top, bottom, left, right = facts.padding
    return np.pad(image, ((top, bottom), (left, right), (0, 0)))


def convolve(image: Array, kernels: Array, biases: Array, facts: Conv2DFacts) -> Array:
    """Return the output of a `Conv2D` layer for one image, before any activation.

    >>> import numpy as np
    >>> from stridednet.conv2d import Conv2DLayer, chain
    >>> (facts,) = chain((3, 3, 1), [Conv2DLayer(filters=1, kernel_size=(2, 2))])
    >>> image = np.arange(9, dtype=np.float32).reshape(3, 3, 1)
    >>> output = convolve(image, np.ones((2, 2, 1, 1), np.float32), np.zeros(1, np.float32), facts)
    >>> output.shape
    (2, 2, 1)
    >>> output[:, :, 0].tolist()
    [[8.0, 12.0], [20.0, 24.0]]

    Args:
        image: Input of shape ``facts.input_shape``, ``(height, width, channels)``.
        kernels: Weights of shape ``(kernel height, kernel width, channels, filters)``. With ``groups``, the weights of
            the channels that a filter does not read must be 0.
        biases: Biases of shape ``(filters,)``.
        facts: The layer and its input shape, from `chain`.

    Returns:
        The output, of shape ``(output height, output width, filters)``, in float32.

    Raises:
        ValueError: The shapes of ``image``, ``kernels`` and ``biases`` do not match.
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
