"""Images that a user passes to a function: a path, an image of Pillow or an array -> pixels, as in training."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stridednet.data.decode import Pixels, UnusablePictureError, read_content, read_image, read_picture, resize
from stridednet.data.samples import Ranges
from stridednet.data.tree import shown
from stridednet.errors import InputError
from stridednet.settings import ResizeRule
from stridednet.storage import user_path

# One image: a path, an image of Pillow, or an array `(height, width, 3)`.
Given = str | os.PathLike[str] | Image.Image | NDArray[np.uint8]

_EXPECTED = "a path, a Pillow image or a uint8 array of shape (height, width, 3)"


class GivenImage:
    """One image, which can be decoded at several sizes."""

    def __init__(self, given: Given, ranges: Ranges, argument: str = "image") -> None:
        """Check the type and read the file.

        Args:
            given: The image.
            ranges: Which samples of more than 8 bits become 0 and 255.
            argument: Name of the argument, for messages.

        Raises:
            InputError: The image has another type, shape or range, or its file cannot be read.
        """
        self._name = argument
        self._decode = self._decoder(given, ranges)

    def decoded(self, size: int) -> Pixels:
        """Return pixels ``(height, width, 3)``, RGB; a large JPEG file is reduced to no less than ``size``.

        Raises:
            InputError: The image is damaged, or of a kind that is not read.
        """
        with self._named():
            return self._decode(size)

    def resized(self, size: int, rule: ResizeRule) -> Pixels:
        """Return the image as a model sees it, ``(size, size, 3)``; errors are those of `decoded`."""
        return resize(self.decoded(size), size, rule)

    def _decoder(self, given: Any, ranges: Ranges) -> Callable[[int], Pixels]:
        if isinstance(given, np.ndarray):
            pixels = _checked(given, self._name)
            return lambda _: pixels
        if isinstance(given, Image.Image):
            return lambda _: read_image(given, ranges)
        if not isinstance(given, (str, os.PathLike)):
            raise InputError(f"{self._name}: expected {_EXPECTED}. Received: {type(given).__name__}")
        path = user_path(given, self._name)
        if not path.is_file():
            what = "is a folder; pass a list of its files" if path.is_dir() else "no such file"
            raise InputError(f"{self._name}: {what}. Received: {shown(str(path))!r}")
        self._name += f": {shown(str(path))}"
        with self._named():
            content = read_content(path)
        return lambda size: read_picture(content, size, ranges)

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except UnusablePictureError as error:
            raise InputError(f"{self._name}: {error}") from None


def is_several(given: object) -> bool:
    """Return whether the images are several: a list, a tuple, or an array of four dimensions."""
    return isinstance(given, (list, tuple)) or (isinstance(given, np.ndarray) and given.ndim == 4)


def resized(given: Given | Sequence[Given], size: int, ranges: Ranges, rule: ResizeRule) -> Pixels:
    """Return images ``(n, size, size, 3)``, RGB, decoded and resized as in training.

    Args:
        given: One image or several.
        size: Height and width of the result, in pixels.
        ranges: Which samples of more than 8 bits become 0 and 255.
        rule: How an image becomes a square; see `stridednet.data.decode.resize`.

    Raises:
        InputError: An image has another type, shape or range, or its file is not a readable picture.
    """
    if not is_several(given):
        return GivenImage(given, ranges).resized(size, rule)[None]  # type: ignore[arg-type]
    images = [
        GivenImage(item, ranges, f"image[{number}]").resized(size, rule)
        for number, item in enumerate(given)  # type: ignore[arg-type]
    ]
    return np.stack(images) if images else np.empty((0, size, size, 3), np.uint8)


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
