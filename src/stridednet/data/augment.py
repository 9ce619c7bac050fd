"""Random augmentation of training images: rotation, shift, shear, zoom, flip and crop in one affine warp per image.

The definition is that of Keras' former ``ImageDataGenerator`` (documented at keras.io/2/api/preprocessing/image,
implemented in ``keras.src.legacy.preprocessing.image``): the matrix ``rotation @ shift @ shear @ zoom`` about the image
center maps output to source coordinates, then the image is flipped. Outside of the source, the nearest edge pixel is
repeated.

If there are random crops (`stridednet.data.crops`), they come first: the crop, resized to the size of the result, is
warped as described. What then moves in from beyond its edges is what the picture has there.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stridednet.data.crops import Crops, draw_crops
from stridednet.data.trivial_augment import trivial_augment
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
    crops: Crops | None = None  # None: the whole images

    def matrices(self, height: int, width: int, source: tuple[int, int] | None = None) -> Floats:
        """Return the matrices ``(batch, 2, 3)`` that map ``(x, y, 1)`` in the result to ``(x, y)`` in the source.

        Coordinates are in pixels, from the center of the top left pixel.

        Args:
            height: Of the results, in pixels.
            width: Of the results, in pixels.
            source: Height and width of the sources, in pixels; None if they are those of the results.
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
        source = source or (height, width)
        if self.crops is not None or source != (height, width):
            whole = (self.crops or Crops.whole(n)).matrices(height, width, source) @ whole
        return whole[:, :2]


@dataclass(frozen=True)
class Augmentation:
    """Random affine augmentation of images.

    The arguments are those of Keras' former ``ImageDataGenerator``, and those of torchvision's ``RandomResizedCrop``.

    All parameters are drawn independently for each image. With the defaults, images are not changed.

    Args:
        rotation_range: Largest rotation, in degrees; drawn uniformly from ``[-rotation_range, rotation_range]``.
        width_shift_range: Largest horizontal shift, as a fraction of the width; drawn uniformly in both directions.
        height_shift_range: Largest vertical shift, as a fraction of the height; drawn uniformly in both directions.
        shear_range: Largest shear angle, in degrees; drawn uniformly in both directions.
        zoom_range: Range of the zoom factors of width and height, drawn independently and uniformly from
            ``[1 - zoom_range, 1 + zoom_range]``. A factor above 1 zooms out.
        horizontal_flip: Whether to flip images horizontally, each with probability 0.5.
        scale: Range of the areas of random crops, as fractions of the image's area; with ``ratio``, see `draw_crops`.
        ratio: Range of the aspect ratios of random crops, width divided by height.
        trivial_augment: Whether one random operation of `stridednet.data.trivial_augment` follows.

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
    scale: tuple[float, float] = (1.0, 1.0)
    ratio: tuple[float, float] = (1.0, 1.0)
    trivial_augment: bool = False

    @property
    def crops(self) -> bool:
        """Whether there are random crops."""
        return {*self.scale, *self.ratio} != {1.0}

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
            crops=draw_crops(n, self.scale, self.ratio, rng) if self.crops else None,
        )

    def __call__(
        self, images: NDArray[np.uint8], rng: np.random.Generator, size: int | None = None
    ) -> NDArray[np.uint8]:
        """Return randomly warped copies of images.

        Args:
            images: Pixels from 0 to 255, ``(batch, height, width, channels)``, uint8.
            rng: Random generator; the same state gives the same warps.
            size: Height and width of the results, in pixels; None for those of the images.

        Returns:
            New images of the same type, ``(batch, size, size, channels)``.

        Raises:
            InputError: ``images`` does not have four dimensions.
        """
        if images.ndim != 4:
            raise InputError(f"images: expected shape (batch, height, width, channels). Received: {images.shape}")
        n, height, width = images.shape[:3]
        if size is not None:
            height = width = size
        warped = warp(images, self.draw(n, height, width, rng), (height, width))
        return trivial_augment(warped, rng) if self.trivial_augment else warped


def warp(images: NDArray[np.uint8], warps: Warps, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """Warp images with linear interpolation and repeated edge pixels.

    Args:
        images: ``(batch, rows, columns, channels)``.
        warps: Their warps.
        size: Height and width of the results, in pixels; None for those of the images.

    Returns:
        ``(batch, height, width, channels)``.
    """
    rows, columns, channels = images.shape[1:]
    height, width = size or (rows, columns)
    warped = np.empty((len(images), height, width, channels), np.uint8)
    matrices = warps.matrices(height, width, (rows, columns))
    for image, matrix, result in zip(images, matrices, warped, strict=True):
        cv2.warpAffine(
            image,
            matrix,
            (width, height),
            dst=result,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
    return warped
