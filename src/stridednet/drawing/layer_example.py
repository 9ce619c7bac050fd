"""One layer on one picture: all that a drawing of it needs."""

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

MAX_SIDE = 1024  # pixels; a drawing shows no more of a larger input
_LONGEST_NAME = 40
_DIGIT = "5/2521.png"  # of the built-in 5,000: straight and bent strokes, and a gap


@dataclass(frozen=True)
class Filter:
    """One filter of the layer; ``kernel`` is ``(height, width, channels)``."""

    name: str
    kernel: Array
    bias: float = 0.0


@dataclass(frozen=True)
class LayerExample:
    """A layer, what it is shown on, and filters for it."""

    facts: Conv2DFacts
    title: str
    origin: str  # of the picture
    picture: Pixels  # (height, width, 3): for the eye
    values: Array  # (height, width, channels): what the layer reads
    filters: tuple[Filter, ...]
    about_filters: str  # one line

    @cached_property
    def maps(self) -> Array:
        """The filters' outputs before the activation, ``(height, width, filters)``."""
        kernels = np.stack([one.kernel for one in self.filters], axis=-1)
        return convolve(self.values, kernels, np.array([one.bias for one in self.filters], np.float32), self.facts)

    def on(self, facts: Conv2DFacts) -> "LayerExample":
        """Return the same layer on a smaller input, with picture and values averaged over areas."""
        height, width, _ = facts.input_shape
        return replace(
            self, facts=facts, picture=shrink(self.picture, height, width), values=shrink(self.values, height, width)
        )


def named_example(facts: Conv2DFacts, image: Path | None, kernel: str | None) -> LayerExample:
    """Show a layer with kernels that have a name.

    The layer reads the picture with values from 0 to 1: three channels are red, green and blue, one is the luminance.

    Args:
        facts: The layer and its input.
        image: The picture's file; None for a digit.
        kernel: One of `KERNELS`; None for all of them, or for a 1x1 kernel the one that leaves the picture as it is.

    Raises:
        InputError: The layer reads no picture, or the file is none.
    """
    height, width, channels = facts.input_shape
    if channels not in (1, 3):
        raise InputError(f"--show draws on a picture, which has 1 or 3 channels. Received: {channels} channels")
    if facts.layer.groups > 1:
        raise InputError("--show draws kernels that read all channels: leave --groups away")
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
    about = "one filter each, without bias, on the luminance of the picture in 0 to 1: its weights and its output."
    return LayerExample(facts, title_of(facts), origin_of(image), picture, values, tuple(filters), about)


def title_of(facts: Conv2DFacts) -> str:
    """Name a layer and its input, without what makes no difference to a drawing."""
    plain = replace(facts.layer, kernel_initializer="glorot_uniform")
    return f"Conv2D {plain} on {'x'.join(map(str, facts.input_shape))}"


def luminance(values: NDArray[np.float32]) -> Array:
    """Make ``(height, width, 3)`` one channel."""
    return np.asarray(values @ np.array(LUMINANCE, np.float32)[:, None], np.float32)


def origin_of(image: Path | None) -> str:
    """Say where the picture is from."""
    return "a digit of the built-in data set" if image is None else drawable(image.name)


def drawable(name: str) -> str:
    """Write a file's name with characters that every font has, and not too long."""
    text = "".join(character if character.isprintable() and ord(character) < 256 else "?" for character in name)
    return text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 3].rstrip()}..."


def load_picture(image: Path | None, shape: Shape) -> Pixels:
    """Read a picture and resize it to a layer's input, without keeping its aspect ratio.

    Returns:
        ``(height, width, 3)``.

    Raises:
        InputError: The input is too large to draw.
        DataError: The file is no readable picture.
    """
    height, width = shape[:2]
    if max(height, width) > MAX_SIDE:
        raise InputError(f"--show draws inputs of up to {MAX_SIDE}x{MAX_SIDE} pixels. Received: {height}x{width}")
    file = SOURCES["digits"].fetch() / _DIGIT if image is None else image
    try:
        return _resized(decode(file, max(height, width)), height, width)
    except UnusablePictureError as error:
        raise DataError(f"--image {file}: {error}") from None


def shrink(values: Values, height: int, width: int) -> Values:
    """Average ``(height, width, channels)`` over areas to a smaller size."""
    if values.shape[:2] == (height, width):
        return values
    channels = [np.ascontiguousarray(values[:, :, channel]) for channel in range(values.shape[2])]
    shrunk = [cv2.resize(one, (width, height), interpolation=cv2.INTER_AREA) for one in channels]
    return np.stack(shrunk, axis=2).astype(values.dtype)


def _resized(pixels: Pixels, height: int, width: int) -> Pixels:
    shrinks = height < pixels.shape[0] or width < pixels.shape[1]
    way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=way), np.uint8)
