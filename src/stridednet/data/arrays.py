"""Images in memory, as the models take them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stridednet.data.decode import resize
from stridednet.errors import ArrayError

_SHAPES = "(n, height, width), (n, height, width, 1) or (n, height, width, 3)"


def checked_images(images: Any) -> NDArray[np.uint8]:
    """Return images as an array of uint8.

    Args:
        images: RGB images ``(n, height, width, 3)``, or gray ones ``(n, height, width, 1)`` or ``(n, height, width)``;
            integers from 0 to 255.

    Returns:
        ``(n, height, width, 1)`` or ``(n, height, width, 3)``; a view if possible.

    Raises:
        ArrayError: The array has another shape, another type, or values out of range.
    """
    array = np.asarray(images)
    if array.dtype.kind not in "ui":
        raise ArrayError(
            "X: images are arrays of integers from 0 to 255; convert others, such as 255 * X if X is from 0 to 1, with "
            f"astype('uint8'). Received: an array of {array.dtype}"
        )
    if array.ndim not in (3, 4) or (array.ndim == 4 and array.shape[3] not in (1, 3)):
        advice = "; reshape rows of pixels with X.reshape(n, height, width)" if array.ndim == 2 else ""
        raise ArrayError(f"X: images are arrays of shape {_SHAPES}{advice}. Received: shape {array.shape}")
    if 0 in array.shape:
        raise ArrayError(f"X: there are no images or no pixels. Received: shape {array.shape}")
    if array.dtype != np.uint8:
        low, high = int(array.min()), int(array.max())
        if low < 0 or high > 255:
            raise ArrayError(f"X: the values of images are from 0 to 255. Received: values from {low} to {high}")
        array = array.astype(np.uint8)
    return array[..., None] if array.ndim == 3 else array


def rgb_of_size(images: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Return images as RGB of one size, resized as the pictures of a data set are.

    Args:
        images: ``(n, height, width, 1)`` or ``(n, height, width, 3)``.
        size: Height and width of the result, in pixels.

    Returns:
        ``(n, size, size, 3)``.
    """
    resized = np.empty((len(images), size, size, 3), np.uint8)
    for image, place in zip(images, resized, strict=True):
        # OpenCV drops a last axis of length 1; broadcasting would then mistake columns for channels.
        place[...] = resize(np.ascontiguousarray(image), size).reshape(size, size, -1)
    return resized
