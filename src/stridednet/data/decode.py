"""Decode an image file to an upright RGB array, uint8, of a given size.

Pillow reads all formats and detects damaged files. The most common files, complete and upright RGB or grayscale JPEGs,
are decoded by OpenCV instead: the same pixels (covered by a test) in three quarters of the time.
"""

import io
import struct
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, JpegImagePlugin, UnidentifiedImageError

from stridednet.errors import DataError

Pixels = NDArray[np.uint8]

MAX_PIXELS = 89_478_485  # Pillow's own limit against decompression bombs: 0.25 GiB of 24-bit pixels
BACKGROUND = "white"  # behind transparent pixels
_ORIENTATION = 0x0112  # EXIF 2.3, tag "Orientation"; 1 is upright
_JPEG_END = b"\xff\xd9"

# Exceptions that Pillow's plugins raise on damaged files, found by fuzzing.
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, ArithmeticError, struct.error, cv2.error)


class UnusablePictureError(Exception):
    """A file is not a readable image; the message is the reason. `load_pictures` skips such files and reports them."""


def decode(path: Path, size: int) -> Pixels:
    """Decode an image file.

    Transparent pixels are composited on white, 16-bit, 32-bit and floating-point samples are scaled to 8 bits, and the
    EXIF orientation is applied. The picture is resized to a square without preserving its aspect ratio.

    Args:
        path: A file in any format that Pillow reads; only the first frame is used.
        size: Height and width of the result, in pixels.

    Returns:
        Pixels ``(size, size, 3)``, RGB, uint8.

    Raises:
        UnusablePictureError: The file is empty, truncated, corrupt, or not an image.
        DataError: The picture has more than `MAX_PIXELS` pixels.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UnusablePictureError(f"cannot be read: {error.strerror}") from None
    if not content:
        raise UnusablePictureError("empty file")
    try:
        return resize(_read(content, size), size)
    except UnidentifiedImageError:
        raise UnusablePictureError("not an image, or its format cannot be identified") from None
    except Image.DecompressionBombError:
        raise DataError(
            f"{path} has more than {MAX_PIXELS:,} pixels, the limit against decompression bombs; "
            "resize it, or remove it from the data set"
        ) from None
    except _DAMAGE as error:
        reason = str(error) or repr(error)
        raise UnusablePictureError(f"truncated or corrupt: {reason.splitlines()[0]}") from None


def resize(image: Pixels, size: int) -> Pixels:
    """Resize ``(height, width, 3)`` to ``(size, size, 3)``, shrinking by area averaging, enlarging linearly."""
    height, width = image.shape[:2]
    if height > size or width > size:  # area averaging prevents aliasing
        image = np.asarray(
            cv2.resize(image, (min(width, size), min(height, size)), interpolation=cv2.INTER_AREA), np.uint8
        )
    if height < size or width < size:
        image = np.asarray(cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR), np.uint8)
    return image


def _read(content: bytes, size: int) -> Pixels:
    with Image.open(io.BytesIO(content)) as picture:
        if picture.width * picture.height > MAX_PIXELS:
            raise Image.DecompressionBombError
        large = min(picture.size) >= 4 * size
        if _is_plain_jpeg(picture, content) and not large:
            decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB)
            if decoded is not None:  # otherwise Pillow reports the reason
                return np.asarray(decoded, np.uint8)
        if large:
            # Decoding a JPEG at twice the target size is several times faster than at full size.
            picture.draft(picture.mode, (2 * size, 2 * size))
        return _rgb(_upright(picture))


def _is_plain_jpeg(picture: Image.Image, content: bytes) -> bool:
    return (
        type(picture) is JpegImagePlugin.JpegImageFile
        and picture.mode in ("RGB", "L")
        and _orientation(picture) == 1
        and _JPEG_END in content[-64:]
    )


def _orientation(picture: Image.Image) -> int:
    try:
        return int(picture.getexif().get(_ORIENTATION, 1))
    except _DAMAGE:  # the pixels may be intact although the metadata is damaged
        return 1


def _upright(picture: Image.Image) -> Image.Image:
    picture.load()
    return ImageOps.exif_transpose(picture) if _orientation(picture) != 1 else picture


def _rgb(picture: Image.Image) -> Pixels:
    if picture.mode == "F" or picture.mode.startswith("I"):
        gray = _eight_bits(np.asarray(picture))
        return np.repeat(gray[:, :, None], 3, axis=2)
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        background = Image.new("RGBA", picture.size, BACKGROUND)
        picture = Image.alpha_composite(background, picture)
    return np.asarray(picture.convert("RGB"))


def _eight_bits(samples: NDArray[np.generic]) -> Pixels:
    """Scale samples to 8 bits: 16-bit samples from their full range, others from the smallest usual range that fits."""
    values = np.nan_to_num(samples.astype(np.float64))
    peak = values.max()
    if samples.dtype.itemsize == 2:
        top = 2.0**16 - 1
    elif samples.dtype.kind == "f" and peak <= 1:
        top = 1.0
    else:
        top = next((2.0**bits - 1 for bits in (8, 16, 31) if peak < 2**bits), float(peak))
    return np.clip(np.rint(values * (255 / top)), 0, 255).astype(np.uint8)
