"""Random resized crops: parts of a picture of random area and aspect ratio, as torchvision's ``RandomResizedCrop``."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_ATTEMPTS = 10  # as in torchvision


@dataclass(frozen=True)
class Crops:
    """Parts of square pictures, one for each, as fractions of the side; each field has the shape ``(batch,)``."""

    left: Floats
    top: Floats
    width: Floats
    height: Floats

    @classmethod
    def whole(cls, n: int) -> "Crops":
        """Return the whole of ``n`` pictures."""
        return cls(np.zeros(n), np.zeros(n), np.ones(n), np.ones(n))

    def matrices(self, height: int, width: int, source: tuple[int, int]) -> Floats:
        """Return the matrices ``(batch, 3, 3)`` that map ``(x, y, 1)`` in the result to ``(x, y, 1)`` in the picture.

        Coordinates are in pixels, from the center of the top left pixel.

        Args:
            height: Of the results, in pixels.
            width: Of the results, in pixels.
            source: Height and width of the pictures, in pixels.
        """
        rows, columns = source
        matrices = np.tile(np.eye(3), (len(self.left), 1, 1))
        matrices[:, 0, 0] = self.width * columns / width
        matrices[:, 1, 1] = self.height * rows / height
        # The corner of a pixel is half a pixel from its center.
        matrices[:, 0, 2] = self.left * columns + matrices[:, 0, 0] / 2 - 0.5
        matrices[:, 1, 2] = self.top * rows + matrices[:, 1, 1] / 2 - 0.5
        return matrices


def draw_crops(n: int, scale: tuple[float, float], ratio: tuple[float, float], rng: np.random.Generator) -> Crops:
    """Draw a part of each of ``n`` square pictures.

    The distribution is that of torchvision's ``RandomResizedCrop.get_params``, without its rounding to pixels: the area
    is uniform and the logarithm of the aspect ratio is uniform, of ten attempts the first one that fits inside of the
    picture is taken, and its place is uniform. If none fits, it is the largest part in the center with an allowed
    ratio.

    Args:
        n: Number of pictures.
        scale: Range of the area, as a fraction of that of the picture.
        ratio: Range of the aspect ratio, width divided by height.
        rng: Random generator.
    """
    area = rng.uniform(*scale, (_ATTEMPTS, n))
    aspect = np.exp(rng.uniform(math.log(ratio[0]), math.log(ratio[1]), (_ATTEMPTS, n)))
    widths, heights = np.sqrt(area * aspect), np.sqrt(area / aspect)
    fits = (widths <= 1) & (heights <= 1)
    none, chosen = ~fits.any(axis=0), (fits.argmax(axis=0), np.arange(n))
    nearest = float(np.clip(1, *ratio))
    width = np.where(none, min(1.0, nearest), widths[chosen])
    height = np.where(none, min(1.0, 1 / nearest), heights[chosen])
    across, down = (np.where(none, 0.5, rng.random(n)) for _ in range(2))
    return Crops((1 - width) * across, (1 - height) * down, width, height)
