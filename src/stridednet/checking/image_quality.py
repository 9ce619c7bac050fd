"""Pictures that are blank, dark, blurred, or of an unusual shape or size.

What is usual depends on the data set: handwritten digits are mostly black, and a photograph with their luminance would
be underexposed. Except for blank pictures, all thresholds are therefore relative: a picture is unusual if its value is
a factor below, or above, that of 95% of the pictures.
"""

import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stridednet.checking.issue import BLANK, BLURRED, DARK, SHAPE, SIZE, Kind
from stridednet.data.decode import UnusablePictureError, read_content, read_picture
from stridednet.data.samples import Ranges
from stridednet.machine import usable_cores

_SIDE = 256  # pixels of the shorter side on which light and sharpness are measured; smaller pictures are not enlarged
_BLANK = 3.0  # standard deviation, in gray levels; the noise of a camera is about 1 to 3
_DARK = 40.0  # mean luminance: a sixth of the range
_DARKER = 3.0  # times darker than the median
# Factors from the 5th or 95th percentile; docs/check.md says how many unmodified pictures are beyond.
_BLURRIER = 4.0  # of the variance of the Laplacian
_WIDER = 1.5  # of the aspect ratio
_LARGER = 4.0  # of the number of pixels
_RARE = 0.05
_ORIENTATION = 0x0112  # EXIF tag; 5 to 8 are turned by 90 degrees


@dataclass(frozen=True)
class Quality:
    """Measures of a picture.

    Args:
        width: Width, in pixels, upright.
        height: Height, in pixels, upright.
        mean: Mean luminance, 0 to 255.
        deviation: Standard deviation of the luminance.
        sharpness: Variance of the Laplacian of the luminance.
    """

    width: int
    height: int
    mean: float
    deviation: float
    sharpness: float


def measure(content: bytes, ranges: Ranges | None = None) -> Quality:
    """Measure an image file.

    Args:
        content: The bytes of the file.
        ranges: Which samples of more than 8 bits become 0 and 255; None for the picture's own range.

    Raises:
        UnusablePictureError: The file cannot be decoded.
    """
    image = read_picture(content, _SIDE, ranges)
    width, height = _size(content) or image.shape[1::-1]
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    scale = _SIDE / min(gray.shape)
    if scale < 1:
        size = (max(1, round(gray.shape[1] * scale)), max(1, round(gray.shape[0] * scale)))
        gray = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
    sharpness = float(cv2.Laplacian(gray, cv2.CV_32F).var())
    return Quality(width, height, float(gray.mean()), float(gray.std()), sharpness)


def _size(content: bytes) -> tuple[int, int] | None:
    """Return width and height of the upright picture, without decoding it; None if Pillow does not read the format."""
    try:
        with Image.open(io.BytesIO(content)) as picture:
            width, height = picture.size
            turned = picture.getexif().get(_ORIENTATION) in (5, 6, 7, 8)
    except Exception:  # noqa: BLE001 -- any damage; the decoder has read the file all the same
        return None
    return (height, width) if turned else (width, height)


def measure_files(paths: Sequence[Path], ranges: Ranges | None = None) -> list[Quality | None]:
    """Measure files on all cores; None for a file that can no longer be read."""

    def work(path: Path) -> Quality | None:
        try:
            return measure(read_content(path), ranges)
        except UnusablePictureError:
            return None

    with ThreadPoolExecutor(usable_cores()) as pool:
        return list(pool.map(work, paths))


@dataclass(frozen=True)
class Unusual:
    """A picture with an unusual quality: its row, the kind of issue, its score, and what was found, in words."""

    row: int
    kind: Kind
    score: float
    details: str


def find_unusual(qualities: Sequence[Quality | None]) -> list[Unusual]:
    """Return the unusual pictures of a data set, by kind, the most unusual first.

    Args:
        qualities: The measures of each picture; None for those that are unknown.
    """
    known = [(row, quality) for row, quality in enumerate(qualities) if quality is not None]
    if not known:
        return []
    rows = np.array([row for row, _ in known])
    mean, deviation, sharpness = (
        np.array([getattr(quality, name) for _, quality in known]) for name in ("mean", "deviation", "sharpness")
    )
    width, height = (np.array([getattr(quality, name) for _, quality in known], float) for name in ("width", "height"))
    blank = deviation < _BLANK
    dark = ~blank & (mean < _DARK) & (mean * _DARKER < np.median(mean))
    blurred = ~blank & ~dark & _far_below(sharpness, _BLURRIER)
    shape, size = width / height, width * height
    odd_shape = _far_below(shape, _WIDER) | _far_below(1 / shape, _WIDER)
    odd_size = _far_below(size, _LARGER) | _far_below(1 / size, _LARGER)
    relative = sharpness / max(float(np.median(sharpness)), 1e-9)
    usual_shape, usual_size = float(np.median(shape)), float(np.median(size))

    def pixels(index: int) -> str:
        return f"{width[index]:.0f}x{height[index]:.0f} pixels"

    found: list[Unusual] = []

    def add(kind: Kind, mask: NDArray[np.bool_], score: NDArray[np.float64], badness: NDArray[np.float64]) -> None:
        for index in sorted(np.flatnonzero(mask).tolist(), key=lambda index: -badness[index]):
            details = {
                BLANK: f"standard deviation of the luminance {deviation[index]:.1f}, mean {mean[index]:.0f} of 255",
                DARK: f"mean luminance {mean[index]:.0f} of 255, median of the data set {np.median(mean):.0f}",
                BLURRED: f"variance of the Laplacian {relative[index]:.3f} times the median of the data set",
                SHAPE: f"{pixels(index)}, aspect ratio {shape[index]:.2f}, usually {usual_shape:.2f}",
                SIZE: f"{pixels(index)}, {size[index] / usual_size:.3g} times the usual number of pixels",
            }[kind]
            found.append(Unusual(int(rows[index]), kind, round(float(score[index]), 6), details))

    add(BLANK, blank, deviation, -deviation)
    add(DARK, dark, mean, -mean)
    add(BLURRED, blurred, relative, -relative)
    add(SHAPE, odd_shape, shape, np.abs(np.log(shape / usual_shape)))
    add(SIZE, odd_size, size / 1e6, np.abs(np.log(size / usual_size)))
    return found


def _far_below(values: NDArray[np.float64], factor: float) -> NDArray[np.bool_]:
    """Return which positive values are a factor below the 5th percentile.

    >>> np.flatnonzero(_far_below(np.array([100.0] * 9 + [40, 9]), 4)).tolist()
    [10]
    """
    # "higher": among less than 20 pictures the second smallest, so that an outlier is not compared with itself.
    below: NDArray[np.bool_] = values * factor < np.quantile(values, _RARE, method="higher")
    return below
