"""TrivialAugment: one random operation of random strength on each image (Müller and Hutter 2021, arXiv:2103.10158).

The operations and their ranges are those of the paper's wide search space, as in torchvision's ``TrivialAugmentWide``,
with two differences: translations are relative to the image (a third of its side, which is the paper's 32 pixels at a
side of 96), and pixels that move in from beyond an edge repeat the edge, as in `stridednet.data.augment`.
"""

import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from stridednet.data.color import recolor

Image = NDArray[np.uint8]

STRENGTHS = 31  # from none to the strongest, equally spaced
_SHEAR, _SHIFT, _DEGREES, _FACTOR = 0.99, 1 / 3, 135.0, 0.99
_LEVELS = np.arange(256)


def trivial_augment(images: Image, rng: np.random.Generator) -> Image:
    """Return copies of images, each changed by one random operation.

    Args:
        images: RGB pixels from 0 to 255, ``(batch, height, width, 3)``, uint8.
        rng: Random generator; the same state gives the same changes.
    """
    n = len(images)
    operations = rng.integers(0, len(OPERATIONS), n)
    strengths = rng.integers(0, STRENGTHS, n) / (STRENGTHS - 1)
    signs = np.where(rng.random(n) < 0.5, -1, 1)
    chosen = list(OPERATIONS.values())
    changed = np.empty_like(images)
    for index, image in enumerate(images):
        changed[index] = chosen[operations[index]](image, float(strengths[index]), int(signs[index]))
    return changed


def _identity(image: Image, _: float, __: int) -> Image:
    return image


def _warped(image: Image, matrix: list[list[float]]) -> Image:
    """Warp an image about its center; the matrix ``(2, 3)`` maps places in the result to places in the image."""
    height, width = image.shape[:2]
    whole = np.array(matrix)
    center = np.array([(width - 1) / 2, (height - 1) / 2])
    whole[:, 2] += center - whole[:, :2] @ center
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(
        cv2.warpAffine(image, whole, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )


def _rotate(image: Image, strength: float, sign: int) -> Image:
    angle = sign * math.radians(_DEGREES * strength)
    cosine, sine = math.cos(angle), math.sin(angle)
    return _warped(image, [[cosine, -sine, 0], [sine, cosine, 0]])


def _enhanced(image: Image, brightness: float = 1, contrast: float = 1, saturation: float = 1) -> Image:
    factors = (np.array([factor]) for factor in (brightness, contrast, saturation))
    return np.asarray(recolor(image[None], *factors)[0])


def _sharpness(image: Image, strength: float, sign: int) -> Image:
    """Blend with a smoothed version, whose kernel is that of Pillow's ``ImageFilter.SMOOTH``; below 1 it blurs."""
    factor = 1 + sign * _FACTOR * strength
    kernel = np.ones((3, 3))
    kernel[1, 1] = 5
    smooth = cv2.filter2D(image, -1, kernel / 13, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.addWeighted(image, factor, smooth, 1 - factor, 0), np.uint8)


def _posterize(image: Image, strength: float, _: int) -> Image:
    bits = 8 - round(6 * strength)
    return image & np.uint8(256 - 2 ** (8 - bits))


def _solarize(image: Image, strength: float, _: int) -> Image:
    """Invert the pixels that are at least as bright as a threshold."""
    threshold = 255 * (1 - strength)
    return _mapped(image, np.where(threshold <= _LEVELS, 255 - _LEVELS, _LEVELS))


def _autocontrast(image: Image, _: float, __: int) -> Image:
    """Stretch each channel to the range from 0 to 255; a channel of one value is not changed."""
    low = image.min(axis=(0, 1)).astype(float)
    high = image.max(axis=(0, 1)).astype(float)
    spread = np.where(high > low, high - low, 255)
    table = (_LEVELS[:, None] - np.where(high > low, low, 0)) * 255 / spread
    return _mapped(image, np.clip(table, 0, 255))


def _equalize(image: Image, _: float, __: int) -> Image:
    return np.dstack([cv2.equalizeHist(channel) for channel in cv2.split(image)]).astype(np.uint8, copy=False)


def _mapped(image: Image, table: NDArray[np.generic]) -> Image:
    """Replace each pixel by its entry in a table ``(256,)`` or ``(256, channels)``."""
    rows = np.broadcast_to(np.atleast_3d(table).reshape(256, 1, -1), (256, 1, 3)).astype(np.uint8)
    return np.asarray(cv2.LUT(image, np.ascontiguousarray(rows)), np.uint8)


# Each takes an image, a strength from 0 to 1 and a sign, which some ignore. In the order of torchvision.
OPERATIONS: dict[str, Callable[[Image, float, int], Image]] = {
    "identity": _identity,
    "shear_x": lambda image, strength, sign: _warped(image, [[1, sign * _SHEAR * strength, 0], [0, 1, 0]]),
    "shear_y": lambda image, strength, sign: _warped(image, [[1, 0, 0], [sign * _SHEAR * strength, 1, 0]]),
    "translate_x": lambda image, strength, sign: _warped(
        image, [[1, 0, sign * _SHIFT * strength * image.shape[1]], [0, 1, 0]]
    ),
    "translate_y": lambda image, strength, sign: _warped(
        image, [[1, 0, 0], [0, 1, sign * _SHIFT * strength * image.shape[0]]]
    ),
    "rotate": _rotate,
    "brightness": lambda image, strength, sign: _enhanced(image, brightness=1 + sign * _FACTOR * strength),
    "color": lambda image, strength, sign: _enhanced(image, saturation=1 + sign * _FACTOR * strength),
    "contrast": lambda image, strength, sign: _enhanced(image, contrast=1 + sign * _FACTOR * strength),
    "sharpness": _sharpness,
    "posterize": _posterize,
    "solarize": _solarize,
    "autocontrast": _autocontrast,
    "equalize": _equalize,
}
