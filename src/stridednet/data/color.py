"""Random changes of brightness, contrast and saturation, as one matrix per image."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stridednet.conv2d.named_kernels import LUMINANCE

Floats = NDArray[np.float64]

LUMA = np.array(LUMINANCE)


@dataclass(frozen=True)
class ColorJitter:
    """Ranges of random factors, under torchvision's names. The default changes nothing.

    Each factor is uniform in ``1 - range`` to ``1 + range``. They are those of Pillow's `ImageEnhance`, one after
    another: brightness blends with black, contrast with the image's mean grey, saturation with its grey version.
    """

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0

    def __call__(self, images: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
        """Return changed copies of RGB images ``(n, height, width, 3)``."""
        limits = (self.brightness, self.contrast, self.saturation)
        if not any(limits):
            return images
        factors = [1 + rng.uniform(-limit, limit, len(images)) for limit in limits]
        return recolor(images, *factors)


def recolor(images: NDArray[np.uint8], brightness: Floats, contrast: Floats, saturation: Floats) -> NDArray[np.uint8]:
    """Apply factors, each ``(n,)``, to RGB images ``(n, height, width, 3)``.

    All three are linear in the pixels, so that an image takes one matrix ``(3, 4)``, and is rounded and clipped once.
    """
    grey = np.array([cv2.mean(image)[:3] for image in images]) @ LUMA
    colour = saturation[:, None, None] * np.eye(3) + (1 - saturation)[:, None, None] * LUMA
    offset = np.broadcast_to((brightness * (1 - contrast) * grey)[:, None, None], (len(images), 3, 1))
    matrices = np.concatenate([(brightness * contrast)[:, None, None] * colour, offset], axis=2)
    changed = np.empty_like(images)
    for image, matrix, result in zip(images, matrices, changed, strict=True):
        cv2.transform(image, matrix, dst=result)
    return changed
