"""A layer applied to a picture: the data for a figure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from stridednet.conv2d.arithmetic import Conv2DFacts, Shape
from stridednet.conv2d.convolution import Array, convolve
from stridednet.conv2d.named_kernels import KERNELS, LUMINANCE, named_kernel, over_channels
from stridednet.data.decode import Pixels, UnusablePictureError, decode
from stridednet.data.sources import SOURCES
from stridednet.errors import DataError, InputError

Values = TypeVar("Values", Pixels, Array)

MAX_SIDE = 1024  # pixels; a figure cannot show more
_LONGEST_NAME = 40
_DIGIT = "5/2521.png"  # of the 5,000 built-in digits: one with straight strokes, curves and a gap


@dataclass(frozen=True)
class Filter:
    """A filter of the layer; ``kernel`` has the shape ``(height, width, channels)``."""

    name: str
    kernel: Array
    bias: float = 0.0


@dataclass(frozen=True)
class LayerExample:
    """A layer, its input, and its filters."""

    facts: Conv2DFacts
    title: str
    origin: str  # of the picture
    picture: Pixels  # (height, width, 3), to be displayed
    values: Array  # (height, width, channels), the input of the layer
    filters: tuple[Filter, ...]
    about_filters: str  # one line

    @cached_property
    def maps(self) -> Array:
        """The outputs of the filters before the activation, of shape ``(height, width, filters)``."""
        kernels = np.stack([one.kernel for one in self.filters], axis=-1)
        return convolve(self.values, kernels, np.array([one.bias for one in self.filters], np.float32), self.facts)

    def on(self, facts: Conv2DFacts) -> "LayerExample":
        """Return the same layer on a smaller input; picture and values are resized by area averaging."""
        height, width, _ = facts.input_shape
        return replace(
            self, facts=facts, picture=shrink(self.picture, height, width), values=shrink(self.values, height, width)
        )


def named_example(facts: Conv2DFacts, image: Path | None, kernel: str | None) -> LayerExample:
    """Apply a layer with named kernels to a picture.

    The input values are in 0 to 1. Three channels are red, green and blue; one channel is the luminance.

    Args:
        facts: The layer and its input shape.
        image: File of the picture; None for a built-in digit.
        kernel: One of `KERNELS`; None for all of them, or for the identity if the kernel size is 1x1.

    Raises:
        InputError: The layer cannot be applied to a picture, or there is no such kernel.
        DataError: The file is not a readable image.
    """
    height, width, channels = facts.input_shape
    if channels not in (1, 3):
        raise InputError(f"only a layer with 1 or 3 input channels can be drawn. Received: {channels} channels")
    if facts.layer.groups > 1:
        raise InputError(f"only a layer with groups=1 can be drawn. Received: groups={facts.layer.groups}")
    size = facts.layer.kernel_size
    if kernel is None and size == (1, 1):
        filters: Sequence[Filter] = [Filter("identity", over_channels(np.ones((1, 1), np.float32), channels))]
    else:
        names = KERNELS if kernel is None else (kernel,)
        filters = [Filter(name, over_channels(named_kernel(name, size), channels)) for name in names]
    picture = load_picture(image, (height, width, channels))
    values = picture.astype(np.float32) / np.float32(255)
    if channels == 1:
        values = luminance(values)
        picture = np.repeat(np.rint(values * 255).astype(np.uint8), 3, axis=2)
    about = "weights and output of each filter, without bias, on the luminance of the picture (0 to 1)."
    return LayerExample(facts, title_of(facts), origin_of(image), picture, values, tuple(filters), about)


def title_of(facts: Conv2DFacts) -> str:
    """Return the layer's arguments and its input shape, without arguments that do not affect a figure."""
    plain = replace(facts.layer, kernel_initializer="glorot_uniform")
    return f"Conv2D {plain} on {'x'.join(map(str, facts.input_shape))}"


def luminance(values: NDArray[np.float32]) -> Array:
    """Convert RGB values of shape ``(height, width, 3)`` to luminance of shape ``(height, width, 1)``."""
    return np.asarray(values @ np.array(LUMINANCE, np.float32)[:, None], np.float32)


def origin_of(image: Path | None) -> str:
    """Return where the picture comes from."""
    return "a digit from the built-in data set" if image is None else drawable(image.name)


def drawable(name: str) -> str:
    """Return a name shortened to 40 characters, with characters that fonts may lack replaced by question marks."""
    text = "".join(character if character.isprintable() and ord(character) < 256 else "?" for character in name)
    return text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 3].rstrip()}..."


def load_picture(image: Path | None, shape: Shape) -> Pixels:
    """Read a picture and resize it to the input shape of a layer; the aspect ratio is not preserved.

    Args:
        image: File of the picture; None for a built-in digit.
        shape: ``(height, width, channels)`` of the layer's input.

    Returns:
        RGB pixels of shape ``(height, width, 3)``.

    Raises:
        InputError: The input is too large to draw.
        DataError: The file is not a readable image.
    """
    height, width = shape[:2]
    if max(height, width) > MAX_SIDE:
        raise InputError(f"only inputs of up to {MAX_SIDE}x{MAX_SIDE} pixels can be drawn. Received: {height}x{width}")
    file = SOURCES["digits"].fetch() / _DIGIT if image is None else image
    try:
        return _resized(decode(file, max(height, width)), height, width)
    except UnusablePictureError as error:
        raise DataError(f"image {file}: {error}") from None


def shrink(values: Values, height: int, width: int) -> Values:
    """Resize an array of shape ``(height, width, channels)`` to a smaller size by area averaging."""
    if values.shape[:2] == (height, width):
        return values
    channels = [np.ascontiguousarray(values[:, :, channel]) for channel in range(values.shape[2])]
    shrunk = [cv2.resize(one, (width, height), interpolation=cv2.INTER_AREA) for one in channels]
    return np.stack(shrunk, axis=2).astype(values.dtype)


def _resized(pixels: Pixels, height: int, width: int) -> Pixels:
    shrinks = height < pixels.shape[0] or width < pixels.shape[1]
    way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=way), np.uint8)
