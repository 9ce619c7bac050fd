"""Samples of more than 8 bits: 16-bit and floating-point pictures, and how they become 8 bits.

One range is used for all pictures of a data set, so that they stay comparable. With a fixed range, the 10 or 12 bits of
a camera in a 16-bit file would be nearly black, and measured values would be clipped.
"""

import io
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin, UnidentifiedImageError

from stridednet.limits import MAX_PIXELS

Samples = NDArray[Any]
Kind = Literal["integer", "float"]

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_MAY_BE_DEEP = (b"\x89PNG", *_TIFF, b"P2", b"P3", b"P5", b"P6", b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51")
_PNG_BIT_DEPTH = 24  # offset in the file
_BITS_PER_SAMPLE = 258  # tag of TIFF 6.0
_BLOCK = 2**20  # samples
_IMAGE_WIDTH, _IMAGE_LENGTH = 256, 257
_USUAL_BITS = (8, 10, 12, 14, 16)


class TooManyPixelsError(Image.DecompressionBombError):
    """A picture has more pixels than it may have."""

    def __init__(self, most: int) -> None:
        super().__init__(f"more than {most:,} pixels")
        self.most = most


@dataclass(frozen=True)
class SampleRange:
    """The values that become 0 and 255."""

    low: float
    high: float

    def eight_bits(self, samples: Samples) -> NDArray[np.uint8]:
        """Scale samples to 8 bits; infinite values are clipped and NaN becomes the lowest value."""
        values = np.nan_to_num(samples.astype(np.float64), nan=self.low)
        scale = 255 / ((self.high - self.low) or 1)
        return np.clip(np.rint((values - self.low) * scale), 0, 255).astype(np.uint8)


Ranges = Mapping[Kind, SampleRange]


def kind_of_samples(samples: Samples) -> Kind:
    """Return whether samples are integers or floating-point numbers."""
    return "float" if samples.dtype.kind == "f" else "integer"


def extremes(samples: Samples) -> tuple[float, float]:
    """Return the lowest and the highest finite value, or twice 0 if there is none."""
    lows, highs = [], []
    for rows in blocks_of_rows(samples):
        block = samples[rows]
        finite = block[np.isfinite(block)] if samples.dtype.kind == "f" else block
        if finite.size:
            lows.append(float(finite.min()))
            highs.append(float(finite.max()))
    return (min(lows), max(highs)) if lows else (0.0, 0.0)


def blocks_of_rows(samples: Samples) -> Iterator[slice]:
    """Yield the rows of an image, a few at a time, so that computing with them needs little memory."""
    count = max(1, _BLOCK // max(1, samples[:1].size))
    for start in range(0, len(samples), count):
        yield slice(start, start + count)


def usual_range(kind: Kind, found: Iterable[tuple[float, float]]) -> SampleRange:
    """Return the range for samples with the given extremes.

    It is that of the smallest usual number of bits (8, 10, 12, 14 or 16), or 0 to 1 for floating-point numbers, and the
    extremes themselves for values that do not fit.

    >>> usual_range("integer", [(3, 900), (0, 1000)])
    SampleRange(low=0.0, high=1023.0)
    >>> usual_range("float", [(-1000, 1000)])
    SampleRange(low=-1000, high=1000)
    """
    lows, highs = zip(*found, strict=True)
    low, high = min(lows), max(highs)
    tops = [2.0**bits - 1 for bits in _USUAL_BITS] if kind == "integer" else [1.0, 255.0]
    top = next((top for top in tops if high <= top), None)
    return SampleRange(low, high) if top is None or low < 0 else SampleRange(0.0, top)


def may_have_deep_samples(head: bytes) -> bool:
    """Return whether the first bytes of a file are those of a format whose samples can have more than 8 bits."""
    if not head.startswith(_MAY_BE_DEEP):
        return False
    return not head.startswith(b"\x89PNG") or head[_PNG_BIT_DEPTH : _PNG_BIT_DEPTH + 1] == b"\x10"


def deep_samples(content: bytes) -> Samples | None:
    """Return the samples of a picture if they have more than 8 bits, as they are stored; None if they have not.

    Returns:
        Array of shape ``(height, width)``, or ``(height, width, channels)`` with RGB or RGBA.

    Raises:
        OSError: The file is damaged (as the errors of Pillow in general).
        Image.DecompressionBombError: It has too many pixels.
    """
    if not may_have_deep_samples(content[:32]):
        return None
    try:
        with Image.open(io.BytesIO(content)) as picture:
            gray = picture.mode == "F" or picture.mode.startswith("I")
            if not gray and not _has_deep_colors(picture):
                return None
            _check_size(*picture.size, channels=1 if gray else 3)
            picture.load()  # detects truncation, which OpenCV does not
            if gray:
                return np.asarray(picture)
    except UnidentifiedImageError:
        size = _size_of_tiff(content)
        if size is None:
            raise
        _check_size(*size, channels=3)
    decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None or decoded.dtype == np.uint8:
        return None
    if decoded.ndim == 3:
        if decoded.shape[2] == 4:
            decoded[:, :, :3] = decoded[:, :, 2::-1]
        elif decoded.shape[2] == 3:
            decoded = decoded[:, :, ::-1]
    return np.asarray(decoded)


def _check_size(width: int, height: int, channels: int) -> None:
    """Raise an error for more pixels than `MAX_PIXELS`; half of it for colors, which need several times the memory."""
    most = MAX_PIXELS // (2 if channels > 1 else 1)
    if width * height > most:
        raise TooManyPixelsError(most)


def _size_of_tiff(content: bytes) -> tuple[int, int] | None:
    """Return width and height of a TIFF that Pillow cannot identify; None if it is damaged, or no TIFF."""
    file = io.BytesIO(content)
    is_big = content.startswith((b"II+\0", b"MM\0+"))
    try:
        tags = TiffImagePlugin.ImageFileDirectory_v2(file.read(16 if is_big else 8))
        file.seek(tags.next)
        tags.load(file)
        return int(tags[_IMAGE_WIDTH]), int(tags[_IMAGE_LENGTH])
    except (OSError, SyntaxError, ValueError, LookupError, TypeError, struct.error):
        return None


def _has_deep_colors(picture: Image.Image) -> bool:
    """Return whether Pillow would drop the lower bits of a color picture."""
    if picture.format == "PNG":
        return True  # of 16 bits, otherwise it is not opened here
    bits = getattr(picture, "tag_v2", {}).get(_BITS_PER_SAMPLE, (8,))
    return picture.format == "TIFF" and max(bits if isinstance(bits, tuple) else (bits,)) > 8
