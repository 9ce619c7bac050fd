"""Random augmentation of training images: rotation, shift, shear, zoom and flip in one affine warp per image.

The definition is that of Keras' former ``ImageDataGenerator`` (documented at keras.io/2/api/preprocessing/image,
implemented in ``keras.src.legacy.preprocessing.image``): the matrix ``rotation @ shift @ shear @ zoom`` about the image
center maps output to source coordinates, then the image is flipped. Outside of the source, the nearest edge pixel is
repeated.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stridednet.errors import InputError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Warps:
    """Parameters of the warps of a batch of images; each field has the shape ``(batch,)``."""

    angle: Floats  # degrees
    shift_x: Floats  # pixels
    shift_y: Floats  # pixels
    shear: Floats  # degrees
    zoom_x: Floats  # factor; above 1 zooms out: objects become smaller
    zoom_y: Floats  # factor
    flip: NDArray[np.bool_]  # horizontally

    def matrices(self, height: int, width: int) -> Floats:
        """Return the matrices ``(batch, 2, 3)`` that map ``(x, y, 1)`` in the result to ``(x, y)`` in the source.

        Coordinates are in pixels, from the center of the top left pixel.
        """
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
        to_center, from_center = np.eye(3), np.eye(3)
        from_center[:2, 2] = (width - 1) / 2, (height - 1) / 2
        to_center[:2, 2] = -from_center[:2, 2]
        whole: Floats = from_center @ rotation @ shift @ shearing @ zoom @ flip @ to_center
        return whole[:, :2]


@dataclass(frozen=True)
class Augmentation:
    """Random affine augmentation of images, with the arguments of Keras' former ``ImageDataGenerator``.

    All parameters are drawn independently for each image. With the defaults, images are not changed.

    Args:
        rotation_range: Largest rotation, in degrees; drawn uniformly from ``[-rotation_range, rotation_range]``.
        width_shift_range: Largest horizontal shift, as a fraction of the width; drawn uniformly in both directions.
        height_shift_range: Largest vertical shift, as a fraction of the height; drawn uniformly in both directions.
        shear_range: Largest shear angle, in degrees; drawn uniformly in both directions.
        zoom_range: Range of the zoom factors of width and height, drawn independently and uniformly from
            ``[1 - zoom_range, 1 + zoom_range]``. A factor above 1 zooms out.
        horizontal_flip: Whether to flip images horizontally, each with probability 0.5.

    Examples:
        >>> import numpy as np
        >>> images = np.zeros((32, 96, 96, 3), np.uint8)
        >>> augment = Augmentation(rotation_range=20, width_shift_range=0.1, horizontal_flip=True)
        >>> augment(images, np.random.default_rng(seed=0)).shape
        (32, 96, 96, 3)
    """

    rotation_range: float = 0.0
    width_shift_range: float = 0.0
    height_shift_range: float = 0.0
    shear_range: float = 0.0
    zoom_range: float = 0.0
    horizontal_flip: bool = False

    def draw(self, n: int, height: int, width: int, rng: np.random.Generator) -> Warps:
        """Draw the warps of ``n`` images; ``height`` and ``width`` are in pixels."""

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
        """Return randomly warped copies of images.

        Args:
            images: Pixels from 0 to 255, ``(batch, height, width, channels)``, uint8.
            rng: Random generator; the same state gives the same warps.

        Returns:
            New images of the same shape and type.

        Raises:
            InputError: ``images`` does not have four dimensions.
        """
        if images.ndim != 4:
            raise InputError(f"images: expected shape (batch, height, width, channels). Received: {images.shape}")
        n, height, width = images.shape[:3]
        return warp(images, self.draw(n, height, width, rng))


def warp(images: NDArray[np.uint8], warps: Warps) -> NDArray[np.uint8]:
    """Return images ``(batch, height, width, channels)`` warped with linear interpolation and repeated edge pixels."""
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
