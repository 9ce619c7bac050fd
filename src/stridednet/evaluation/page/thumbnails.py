"""Small pictures inside of an HTML page."""

import base64
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from stridednet.data.decode import UnusablePictureError, read_content, read_picture

Pixels = NDArray[np.uint8]

SIDE = 128  # pixels, the longer side; shown at half of that on a dense screen
_QUALITY = 60
LOSSLESS = 101


def thumbnail(path: Path) -> str | None:
    """Return a picture as a ``data:`` address of a small WebP, or None if it cannot be read.

    The aspect ratio is kept. Metadata, such as the place where a photograph was taken, is not.
    """
    pixels = small_picture(path)
    return None if pixels is None else data_address(pixels)


def small_picture(path: Path) -> Pixels | None:
    """Return the pixels of a picture whose longer side is at most `SIDE`, or None if it cannot be read."""
    try:
        return shrunk(read_picture(read_content(path), SIDE))
    except UnusablePictureError:
        return None


def shrunk(pixels: Pixels, side: int = SIDE) -> Pixels:
    """Return an RGB image whose longer side is at most ``side`` pixels long; smaller ones are not changed."""
    factor = side / max(pixels.shape[:2])
    if factor >= 1:
        return pixels
    height, width = (max(1, round(length * factor)) for length in pixels.shape[:2])
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def data_address(pixels: Pixels, quality: int = _QUALITY) -> str:
    """Return an RGB or RGBA image as the ``data:`` address of a WebP.

    Args:
        pixels: ``(height, width, 3)`` or ``(height, width, 4)``, uint8.
        quality: From 1 to 100, or `LOSSLESS`.
    """
    order = cv2.COLOR_RGB2BGR if pixels.shape[2] == 3 else cv2.COLOR_RGBA2BGRA
    _, content = cv2.imencode(".webp", cv2.cvtColor(pixels, order), [cv2.IMWRITE_WEBP_QUALITY, quality])
    return f"data:image/webp;base64,{base64.b64encode(content.tobytes()).decode()}"
