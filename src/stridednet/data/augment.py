"""Random warps of training images: rotation, shift, shear, zoom and flip as one affine warp per image.

The definition is that of Keras' former ``ImageDataGenerator`` (documented at keras.io/2/api/preprocessing/image,
its code in ``keras.src.legacy.preprocessing.image``), which looked at the source image through the matrix
``rotation @ shift @ shear @ zoom`` about the centre, then flipped; what lies outside repeats the nearest edge pixel.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Warps:
    """Random warps of n images; each field is ``(n,)``."""

    angle: Floats  # degrees
    shift_x: Floats  # pixels
    shift_y: Floats  # pixels
    shear: Floats  # degrees
    zoom_x: Floats  # factor; above 1 shows more of the image, so that things get smaller
    zoom_y: Floats  # factor
    flip: NDArray[np.bool_]  # left to right

    def matrices(self, height: int, width: int) -> Floats:
        """Return ``(n, 2, 3)``: from ``(x, y, 1)`` in the result to ``(x, y)`` in the source, in pixels."""
        angle, shear = np.deg2rad(self.angle), np.deg2rad(self.shear)
        n = len(angle)
        rotation, shift, shearing, zoom, flip = (np.tile(np.eye(3), (n, 1, 1)) for _ in range(5))
        rotation[:, 0, 0] = rotation[:, 1, 1] = np.cos(angle)
        rotation[:, 0, 1] = -np.sin(angle)
        rotation[:, 1, 0] = np.sin(angle)
        shift[:, 0, 2] = self.shift_x
        shift[:, 1, 2] = self.shift_y
        shearing[:, 0, 1] = -np.sin(shear)
        shearing[:, 1, 1] = np.cos(shear)
        zoom[:, 0, 0] = self.zoom_x
        zoom[:, 1, 1] = self.zoom_y
        flip[self.flip, 0, 0] = -1
        to_centre, from_centre = np.eye(3), np.eye(3)
        from_centre[:2, 2] = (width - 1) / 2, (height - 1) / 2
        to_centre[:2, 2] = -from_centre[:2, 2]
        whole: Floats = from_centre @ rotation @ shift @ shearing @ zoom @ flip @ to_centre
        return whole[:, :2]


@dataclass(frozen=True)
class Augmentation:
    """Ranges of random warps, under the names of the former ``ImageDataGenerator``. The default changes nothing.

    Args:
        rotation_range: Angle, uniform within plus and minus this many degrees.
        width_shift_range: Horizontal shift, uniform within plus and minus this fraction of the width.
        height_shift_range: Vertical shift, uniform within plus and minus this fraction of the height.
        shear_range: Shear angle, uniform within plus and minus this many degrees.
        zoom_range: Factor of each axis on its own, uniform in ``1 - zoom_range`` to ``1 + zoom_range``.
        horizontal_flip: Mirror every second image, by chance.

    Example:
        >>> augment = Augmentation(rotation_range=20, horizontal_flip=True)
        >>> augment(np.zeros((32, 96, 96, 3), np.uint8), np.random.default_rng(0)).shape
        (32, 96, 96, 3)
    """

    rotation_range: float = 0.0
    width_shift_range: float = 0.0
    height_shift_range: float = 0.0
    shear_range: float = 0.0
    zoom_range: float = 0.0
    horizontal_flip: bool = False

    def draw(self, n: int, height: int, width: int, rng: np.random.Generator) -> Warps:
        """Draw the warps of n images of the given size in pixels."""

        def within(limit: float) -> Floats:
            return rng.uniform(-limit, limit, n)

        return Warps(
            angle=within(self.rotation_range),
            shift_x=within(self.width_shift_range * width),
            shift_y=within(self.height_shift_range * height),
            shear=within(self.shear_range),
            zoom_x=1 + within(self.zoom_range),
            zoom_y=1 + within(self.zoom_range),
            flip=rng.random(n) < 0.5 if self.horizontal_flip else np.zeros(n, bool),
        )

    def __call__(self, images: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
        """Return warped copies of images ``(n, height, width, channels)``."""
        n, height, width = images.shape[:3]
        return warp(images, self.draw(n, height, width, rng))


def warp(images: NDArray[np.uint8], warps: Warps) -> NDArray[np.uint8]:
    """Apply warps to images ``(n, height, width, channels)``: linear interpolation, edge pixels repeated outside."""
    height, width = images.shape[1:3]
    warped = np.empty_like(images, subok=False)
    for image, matrix, result in zip(images, warps.matrices(height, width), warped, strict=True):
        cv2.warpAffine(
            image,
            matrix,
            (width, height),
            dst=result,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
    return warped
