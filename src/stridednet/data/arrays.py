"""Images and their classes in memory, as the models take them."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from stridednet.data.decode import resize
from stridednet.errors import ArrayError
from stridednet.settings import ResizeRule

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
    if issparse(images):
        raise ArrayError("X: sparse arrays are not images; use X.toarray() and reshape the rows of pixels")
    try:
        array = np.asarray(images)
    except ValueError:
        raise ArrayError("X: the images have different sizes; resize them first, or train on a folder") from None
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


def rgb_of_size(images: NDArray[np.uint8], size: int, rule: ResizeRule) -> NDArray[np.uint8]:
    """Return images as RGB of one size, resized as the pictures of a data set are.

    Args:
        images: ``(n, height, width, 1)`` or ``(n, height, width, 3)``.
        size: Height and width of the result, in pixels.
        rule: How an image becomes a square; see `stridednet.data.decode.resize`.

    Returns:
        ``(n, size, size, 3)``.
    """
    resized = np.empty((len(images), size, size, 3), np.uint8)
    for image, place in zip(images, resized, strict=True):
        # OpenCV drops a last axis of length 1; broadcasting would then mistake columns for channels.
        place[...] = resize(np.ascontiguousarray(image), size, rule).reshape(size, size, -1)
    return resized


def checked_classes(classes: Any, count: int) -> NDArray[Any]:
    """Return the classes of images as an array ``(n,)`` of numbers or strings.

    Args:
        classes: One class per image: integers, whole numbers, booleans or strings.
        count: Number of images.

    Raises:
        ArrayError: There are not as many as images, they are missing or of different types, or there is only one class.
        ValueError: scikit-learn's own error: they have several columns, or are continuous numbers.
    """
    if classes is None:
        raise ArrayError("y: a Classifier requires y to be passed, but the target y is None")
    labels: NDArray[Any] = column_or_1d(classes, warn=True)
    if len(labels) != count:
        raise ArrayError(f"y: one class per image is needed. Received: {len(labels)} for {count} images")
    missing = [index for index, label in enumerate(labels.tolist()) if _is_missing(label)]
    if missing:
        raise ArrayError(f"y: every image needs a class. Received: {labels[missing[0]]} for image {missing[0]}")
    types = {type(label).__name__ for label in labels.tolist()}
    if labels.dtype == object and len(types) > 1:
        raise ArrayError(f"y: classes are all strings or all numbers. Received: {' and '.join(sorted(types))}")
    check_classification_targets(labels)
    if (labels == labels[0]).all():
        raise ArrayError(f"y: a Classifier needs more than one class. Received: only {labels[:1].tolist()[0]!r}")
    return labels


def _is_missing(label: Any) -> bool:
    return label is None or (isinstance(label, float) and not math.isfinite(label))
