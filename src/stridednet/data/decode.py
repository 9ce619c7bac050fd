"""Decode an image file to an upright RGB array, uint8, of a given size.

Pillow reads all formats and detects damaged files. The most common files, complete and upright RGB or grayscale JPEGs,
are decoded by OpenCV instead: the same pixels (covered by a test) in three quarters of the time.
"""

import io
import re
import struct
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, JpegImagePlugin, UnidentifiedImageError

from stridednet.data.kinds import kind_of_content
from stridednet.data.samples import (
    Ranges,
    Samples,
    TooManyPixelsError,
    blocks_of_rows,
    deep_samples,
    extremes,
    kind_of_samples,
    may_have_deep_samples,
    usual_range,
)
from stridednet.limits import MAX_PICTURE_BYTES, MAX_PIXELS, LimitError, read_bytes
from stridednet.settings import ResizeRule

Pixels = NDArray[np.uint8]

BACKGROUND = "white"  # behind transparent pixels
PADDING = 128  # gray beside padded pictures: what models rescale to about 0, the padding of convolutions
_ORIENTATION = 0x0112  # EXIF 2.3, tag "Orientation"; 1 is upright
_MOST_PIXELS_PER_BYTE = 1000  # of a JPEG: one bit for a block of 8x8 would be 512
_MOST_REDUCED = 2**30  # pixels of a JPEG that is decoded at an eighth of its size
_MOST_PROGRESSIVE = 2**27  # of those that are decoded whole first: 6 bytes for each pixel
_JPEG_START, _JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
_UNSUPPORTED = re.compile(
    r"unsupported|not supported|not available|not implemented|unknown|unrecognized|cannot handle", re.IGNORECASE
)

# Exceptions that Pillow's plugins raise on damaged files, found by fuzzing.
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, ArithmeticError, struct.error, cv2.error)


class UnusablePictureError(Exception):
    """A file is not a readable image; the message is the reason. `load_pictures` skips such files and reports them."""


def decode(path: Path, size: int, ranges: Ranges | None = None, rule: ResizeRule = "squash") -> Pixels:
    """Decode an image file to a square of a given size.

    Args:
        path: A file in any format that Pillow reads; only the first frame is used.
        size: Height and width of the result, in pixels.
        ranges: Which samples of more than 8 bits become 0 and 255; None for the picture's own range.
        rule: How a picture becomes a square; see `resize`.

    Returns:
        Pixels ``(size, size, 3)``, RGB, uint8.

    Raises:
        UnusablePictureError: The file is empty, truncated, corrupt, too large, of a kind that is not read, or not an
            image.
    """
    return resize(read_picture(read_content(path), size, ranges), size, rule)


def read_content(path: Path) -> bytes:
    """Return the bytes of an image file.

    Raises:
        UnusablePictureError: The file is empty or cannot be read.
    """
    try:
        content = read_bytes(path, MAX_PICTURE_BYTES)
    except OSError as error:
        raise UnusablePictureError(f"cannot be read: {error.strerror}") from None
    except LimitError as error:
        raise UnusablePictureError(str(error)) from None
    if not content:
        raise UnusablePictureError("empty file")
    return content


def read_picture(content: bytes, size: int, ranges: Ranges | None = None) -> Pixels:
    """Decode the content of an image file; a large JPEG is reduced while it is decoded, to no less than ``size``.

    Transparent pixels are composited on white, and the EXIF orientation is applied. Arguments and errors are those of
    `decode`.

    Returns:
        Pixels ``(height, width, 3)``, RGB, uint8.
    """
    try:
        return _read(content, size, ranges or {})
    except Image.DecompressionBombError as error:
        most = error.most if isinstance(error, TooManyPixelsError) else MAX_PIXELS
        raise UnusablePictureError(
            f"more than {most:,} pixels, the limit against decompression bombs; resize it"
        ) from None
    except UnidentifiedImageError:
        raise UnusablePictureError(_unidentified(content)) from None
    except MemoryError:
        raise UnusablePictureError("more pixels than there is memory for") from None
    except _DAMAGE as error:
        reason = (str(error) or repr(error)).splitlines()[0]
        if _UNSUPPORTED.search(reason):
            raise UnusablePictureError(f"a kind of image that is not read: {reason}") from None
        raise UnusablePictureError(f"truncated or corrupt: {reason}") from None


def read_image(picture: Image.Image, ranges: Ranges | None = None) -> Pixels:
    """Convert an image that Pillow has opened, as `read_picture` converts files, but without reducing large JPEGs.

    Args:
        picture: An image of any mode; it is not changed.
        ranges: Which samples of more than 8 bits become 0 and 255; None for the picture's own range.

    Returns:
        Pixels ``(height, width, 3)``, RGB, uint8, upright.

    Raises:
        UnusablePictureError: The image is truncated, corrupt, too large, or of a mode that is not read.
    """
    if picture.width * picture.height > MAX_PIXELS:
        raise UnusablePictureError(f"more than {MAX_PIXELS:,} pixels; resize it")
    try:
        if picture.mode == "F" or picture.mode.startswith("I"):
            return _from_samples(np.asarray(picture), ranges or {}, _orientation(picture))
        return _rgb(_upright(picture))
    except _DAMAGE as error:
        raise UnusablePictureError(f"truncated or corrupt: {error}") from None


def reduction(content: bytes, size: int) -> int:
    """Return by how much `read_picture` reduces a JPEG at a given ``size``: 1, 2, 4 or 8; 1 for other formats."""
    if not content.startswith(_JPEG_START):
        return 1
    try:
        with Image.open(io.BytesIO(content)) as picture:
            width, height = picture.size
            if _is_reduced(picture, size):
                picture.draft(picture.mode, (2 * size, 2 * size))
            return round(max(width, height) / max(picture.size))
    except Image.DecompressionBombError:
        return 8


def read_samples(path: Path) -> Samples | None:
    """Return the colors of a picture if its samples have more than 8 bits, as they are stored; None if they have not.

    Raises:
        UnusablePictureError: The file cannot be read.
    """
    try:
        with path.open("rb") as file:
            if not may_have_deep_samples(file.read(32)):
                return None
        samples = deep_samples(read_content(path))
    except (Image.DecompressionBombError, MemoryError, *_DAMAGE) as error:
        raise UnusablePictureError(str(error)) from None
    return samples if samples is None or samples.ndim == 2 else samples[:, :, :3]


def _unidentified(content: bytes) -> str:
    kind = kind_of_content(content)
    if kind.image is None:
        return "not an image, or its format cannot be identified"
    return "a kind of image that is not read, or a damaged file" if kind.is_read else kind.reason


def resize(image: Pixels, size: int, rule: ResizeRule = "squash") -> Pixels:
    """Make a square of an image, shrinking by area averaging, enlarging linearly.

    Args:
        image: Pixels ``(height, width, channels)``.
        size: Height and width of the result, in pixels.
        rule: What is done with images that are not square. ``"squash"`` changes their aspect ratio. ``"crop"`` resizes
            the largest square in the center. ``"pad"`` resizes the whole image until its longer side fits, and fills
            the rest with gray.

    Returns:
        Pixels ``(size, size, channels)``, uint8.
    """
    height, width = image.shape[:2]
    if rule == "crop":
        side = min(height, width)
        square = image[centered(side, height), centered(side, width)]
        return np.ascontiguousarray(_scaled(square, size, size))
    if rule == "pad":
        longer = max(height, width)
        height, width = (max(1, (2 * side * size + longer) // (2 * longer)) for side in (height, width))
        square = np.full((size, size, image.shape[2]), PADDING, np.uint8)
        square[centered(height, size), centered(width, size)] = _scaled(image, height, width).reshape(height, width, -1)
        return square
    return _scaled(image, size, size)


def centered(part: int, whole: int) -> slice:
    """Return where ``part`` pixels in the center of ``whole`` ones are."""
    start = (whole - part) // 2
    return slice(start, start + part)


def _scaled(image: Pixels, height: int, width: int) -> Pixels:
    rows, columns = image.shape[:2]
    if rows > height or columns > width:  # area averaging prevents aliasing
        shrunk = (min(columns, width), min(rows, height))
        image = np.asarray(cv2.resize(image, shrunk, interpolation=cv2.INTER_AREA), np.uint8)
    if rows < height or columns < width:
        image = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
    return image


def _read(content: bytes, size: int, ranges: Ranges) -> Pixels:
    samples = deep_samples(content)
    if samples is not None:
        return _from_samples(samples, ranges, _stored_orientation(content))
    try:
        opened = Image.open(io.BytesIO(content))
    except Image.DecompressionBombError:  # before the decoder can reduce a JPEG
        if content.startswith(_JPEG_START):
            return _reduced(content)
        raise
    with opened as picture:
        if picture.format == "JPEG":
            _check_plausible(picture, content)
        reduced = _is_reduced(picture, size)
        if _is_plain_jpeg(picture, content) and not reduced:
            decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB)
            if decoded is not None:  # otherwise Pillow reports the reason
                return np.asarray(decoded, np.uint8)
        if reduced:
            # Decoding a JPEG at twice the target size is several times faster than at full size.
            picture.draft(picture.mode, (2 * size, 2 * size))
        if picture.width * picture.height > MAX_PIXELS:
            raise Image.DecompressionBombError
        return _rgb(_upright(picture))


def _is_reduced(picture: Image.Image, size: int) -> bool:
    return min(picture.size) >= 4 * size or picture.width * picture.height > MAX_PIXELS


def _reduced(content: bytes) -> Pixels:
    """Decode a JPEG at an eighth of its size, upright."""
    if _JPEG_END not in content[-64:]:
        raise OSError("image file is truncated")
    with JpegImagePlugin.JpegImageFile(io.BytesIO(content)) as picture:  # reads the header, whatever the size
        _check_plausible(picture, content)
        most = _MOST_PROGRESSIVE if "progressive" in picture.info else _MOST_REDUCED
        if picture.width * picture.height > most:
            raise TooManyPixelsError(most)
    decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_REDUCED_COLOR_8)
    if decoded is None:
        raise Image.DecompressionBombError
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)


def _check_plausible(picture: Image.Image, content: bytes) -> None:
    """Raise an error if a JPEG is too short for the size in its header: each block needs a bit or more."""
    if picture.width * picture.height > _MOST_PIXELS_PER_BYTE * len(content):
        raise OSError(f"{len(content):,} bytes cannot contain {picture.width}x{picture.height} pixels")


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
    try:
        if picture.has_transparency_data:
            picture = picture.convert("RGBA")
            background = Image.new("RGBA", picture.size, BACKGROUND)
            picture = Image.alpha_composite(background, picture)
        return np.asarray(picture.convert("RGB"))
    except ValueError as error:
        raise UnusablePictureError(f"a kind of image that is not read: {error}") from None


def _stored_orientation(content: bytes) -> int:
    try:
        with Image.open(io.BytesIO(content)) as picture:
            return _orientation(picture)
    except UnidentifiedImageError:
        return 1


def _from_samples(samples: Samples, ranges: Ranges, orientation: int) -> Pixels:
    """Return samples of more than 8 bits as upright pixels."""
    kind = kind_of_samples(samples)
    opaque = samples[..., :3] if samples.ndim == 3 else samples[:, :, None]
    sample_range = ranges.get(kind) or usual_range(kind, [extremes(opaque)])
    colors = np.empty((*samples.shape[:2], 3), np.uint8)
    for rows in blocks_of_rows(samples):  # since a block's numbers need eight times as much memory as its pixels
        colors[rows] = sample_range.eight_bits(opaque[rows])
        if samples.ndim == 3 and samples.shape[2] == 4:
            full = 1.0 if kind == "float" else float(np.iinfo(samples.dtype).max)
            alpha = np.clip(samples[rows, :, 3:].astype(np.float64) / full, 0, 1)
            colors[rows] = np.rint(colors[rows] * alpha + 255 * (1 - alpha)).astype(np.uint8)
    return np.ascontiguousarray(_UPRIGHT[orientation](colors) if orientation in _UPRIGHT else colors)


# From each orientation of EXIF 2.3 to an upright image.
_UPRIGHT: dict[int, Callable[[Pixels], Pixels]] = {
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.transpose(1, 0, 2),
    6: lambda image: image[::-1].transpose(1, 0, 2),
    7: lambda image: image[::-1, ::-1].transpose(1, 0, 2),
    8: lambda image: image[:, ::-1].transpose(1, 0, 2),
}
