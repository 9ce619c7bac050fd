"""A picture as the input of an exported model: the rule that the metadata of the file states, in Python."""

import sys

import cv2
import numpy as np
from PIL import Image, ImageOps

GRAY = 128
FIRST = "apply the EXIF orientation; put transparent pixels on white; convert to RGB; "
LAST = (
    ": each side that shrinks by area averaging (OpenCV's INTER_AREA), then each side that grows linearly "
    "(INTER_LINEAR)"
)
SHAPES = {
    "squash": "resize to {size}x{size} pixels without keeping the aspect ratio",
    "crop": "cut out the largest square in the center, from row (height - side) // 2 and column (width - side) // 2; "
    "resize it to {size}x{size} pixels",
    "pad": "resize, keeping the aspect ratio, until the longer side has {size} pixels and the other one "
    "max(1, (2 * shorter * {size} + longer) // (2 * longer)); put the result on {size}x{size} pixels of gray "
    "({gray}, {gray}, {gray}), from row ({size} - height) // 2 and column ({size} - width) // 2; to resize",
}


def prepared(path: str, metadata: dict) -> np.ndarray:
    """Return a picture file as a batch of one image, (1, size, size, 3), RGB, uint8."""
    size = metadata["image_size"]
    rules = {FIRST + text.format(size=size, gray=GRAY) + LAST: shape for shape, text in SHAPES.items()}
    if metadata["resize"] not in rules:
        sys.exit(f"the model asks for another rule than picture.py has: {metadata['resize']}")
    try:
        pixels = read(path, size)
    except (OSError, Image.DecompressionBombError) as error:
        sys.exit(f"{path}: not a readable picture: {error}")
    return square(pixels, size, rules[metadata["resize"]])[None]


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


def square(pixels: np.ndarray, size: int, shape: str) -> np.ndarray:
    height, width = pixels.shape[:2]
    if shape == "crop":
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        return resized(np.ascontiguousarray(pixels[top : top + side, left : left + side]), size, size)
    if shape == "pad":
        longer = max(height, width)
        height, width = (max(1, (2 * side * size + longer) // (2 * longer)) for side in (height, width))
        top, left = (size - height) // 2, (size - width) // 2
        padded = np.full((size, size, 3), GRAY, np.uint8)
        padded[top : top + height, left : left + width] = resized(pixels, height, width)
        return padded
    return resized(pixels, size, size)


def resized(pixels: np.ndarray, new_height: int, new_width: int) -> np.ndarray:
    height, width = pixels.shape[:2]
    if height > new_height or width > new_width:
        shrunk = (min(width, new_width), min(height, new_height))
        pixels = cv2.resize(pixels, shrunk, interpolation=cv2.INTER_AREA)
    if height < new_height or width < new_width:
        pixels = cv2.resize(pixels, (new_width, new_height), interpolation=cv2.INTER_LINEAR)
    return pixels
