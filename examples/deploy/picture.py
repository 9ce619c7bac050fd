"""A picture as the input of an exported model: the rule that the metadata of the file states, in Python."""

import sys

import cv2
import numpy as np
from PIL import Image, ImageOps

RULE = (
    "apply the EXIF orientation; put transparent pixels on white; convert to RGB; resize to {size}x{size} pixels "
    "without keeping the aspect ratio: each side that shrinks by area averaging (OpenCV's INTER_AREA), then each side "
    "that grows linearly (INTER_LINEAR)"
)


def prepared(path: str, metadata: dict) -> np.ndarray:
    """Return a picture file as a batch of one image, (1, size, size, 3), RGB, uint8."""
    size = metadata["image_size"]
    if metadata["resize"] != RULE.format(size=size):
        sys.exit(f"the model asks for another rule than picture.py has: {metadata['resize']}")
    try:
        pixels = read(path, size)
    except (OSError, Image.DecompressionBombError) as error:
        sys.exit(f"{path}: not a readable picture: {error}")
    return resized(pixels, size)[None]


def read(path: str, size: int) -> np.ndarray:
    with Image.open(path) as picture:
        if picture.mode == "F" or picture.mode.startswith("I"):
            sys.exit(f"{path}: has more than 8 bits per sample; convert it to 8 bits first")
        if min(picture.size) >= 4 * size:
            # A large JPEG is reduced by 2, 4 or 8 while it is decoded, as in training; other formats are not.
            picture.draft(picture.mode, (2 * size, 2 * size))
        upright = ImageOps.exif_transpose(picture)
    if upright.has_transparency_data:
        upright = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright)
    return np.asarray(upright.convert("RGB"))


def resized(pixels: np.ndarray, size: int) -> np.ndarray:
    height, width = pixels.shape[:2]
    if height > size or width > size:
        pixels = cv2.resize(pixels, (min(width, size), min(height, size)), interpolation=cv2.INTER_AREA)
    if height < size or width < size:
        pixels = cv2.resize(pixels, (size, size), interpolation=cv2.INTER_LINEAR)
    return pixels
