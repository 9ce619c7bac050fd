"""What `Run.predict` accepts -> images of the model's size, prepared as in training."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stridednet.data.decode import UnusablePictureError, decode, read_image, resize
from stridednet.data.samples import Ranges
from stridednet.data.tree import shown
from stridednet.errors import InputError
from stridednet.storage import user_path

Pixels = NDArray[np.uint8]
# One image: a path, an image of Pillow, or an array `(height, width, 3)`; an array `(n, height, width, 3)` is n images.
Given = str | os.PathLike[str] | Image.Image | NDArray[np.uint8]

_EXPECTED = (
    "a path, a PIL image, a uint8 array of shape (height, width, 3) or (n, height, width, 3), or a list of these"
)


def is_several(given: Any) -> bool:
    """Return whether a list of predictions is the answer: for a list, a tuple, or an array of four dimensions."""
    return isinstance(given, (list, tuple)) or (isinstance(given, np.ndarray) and given.ndim == 4)


def prepared(given: Given | Sequence[Given], size: int, ranges: Ranges) -> Pixels:
    """Return images ``(n, size, size, 3)``, RGB, decoded and resized as in training.

    Args:
        given: One image or several.
        size: Height and width of the result, in pixels.
        ranges: Which samples of more than 8 bits become 0 and 255.

    Raises:
        InputError: An image has another type, shape or range, or its file is not a readable picture.
    """
    if is_several(given):
        images = [_one(item, size, ranges, f"image[{number}]") for number, item in enumerate(given)]  # type: ignore[arg-type]
        return np.stack(images) if images else np.empty((0, size, size, 3), np.uint8)
    return _one(given, size, ranges, "image")[None]


def _one(given: Any, size: int, ranges: Ranges, argument: str) -> Pixels:
    if isinstance(given, np.ndarray):
        return resize(_checked(given, argument), size)
    try:
        if isinstance(given, Image.Image):
            return resize(read_image(given, ranges), size)
        if isinstance(given, (str, os.PathLike)):
            path = user_path(given, argument)
            if not path.is_file():
                what = "is a folder; pass a list of its files" if path.is_dir() else "no such file"
                raise InputError(f"{argument}: {what}. Received: {shown(str(path))!r}")
            return decode(path, size, ranges)
    except UnusablePictureError as error:
        where = f"{shown(os.fsdecode(given))}: " if isinstance(given, (str, os.PathLike)) else ""
        raise InputError(f"{argument}: {where}{error}") from None
    raise InputError(f"{argument}: expected {_EXPECTED}. Received: {type(given).__name__}")


def _checked(array: NDArray[Any], argument: str) -> Pixels:
    if array.dtype != np.uint8:
        reason = "expected an array of uint8, RGB from 0 to 255"
        if array.dtype.kind == "f":
            reason += (
                "; the model rescales images itself, and values from 0 to 1 would look black to it. Convert those with "
                "(image * 255).round().astype('uint8')"
            )
        raise InputError(f"{argument}: {reason}. Received: {array.dtype}")
    if array.ndim != 3 or array.shape[2] != 3:
        reason = "expected an array of shape (height, width, 3), RGB"
        if array.ndim == 2 or array.shape[-1] in (1, 4):
            reason += "; for gray or transparent images, pass Image.fromarray(image)"
        raise InputError(f"{argument}: {reason}. Received: {array.shape}")
    if not array.size:
        raise InputError(f"{argument}: the image is empty. Received: {array.shape}")
    return np.ascontiguousarray(array)
