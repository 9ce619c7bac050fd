"""Random changes of brightness, contrast and saturation, combined into one matrix per image."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stridednet.conv2d.named_kernels import LUMINANCE

Floats = NDArray[np.float64]

_LUMINANCE = np.array(LUMINANCE)


@dataclass(frozen=True)
class ColorJitter:
    """Random brightness, contrast and saturation, with the arguments of torchvision's ``ColorJitter``.

    Factors are drawn independently for each image, uniformly from ``[1 - x, 1 + x]``, and applied in this order. They
    are those of Pillow's ``ImageEnhance``: brightness blends with black, contrast with the mean gray of the image,
    saturation with its grayscale version. With the defaults, images are not changed.
    """

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0

    def __call__(self, images: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
        """Return randomly changed copies of RGB images ``(batch, height, width, 3)``."""
        limits = (self.brightness, self.contrast, self.saturation)
        if not any(limits):
            return images
        factors = [1 + rng.uniform(-limit, limit, len(images)) for limit in limits]
        return recolor(images, *factors)


def recolor(images: NDArray[np.uint8], brightness: Floats, contrast: Floats, saturation: Floats) -> NDArray[np.uint8]:
    """Apply factors ``(batch,)`` to RGB images ``(batch, height, width, 3)``.

    All three are linear in the pixels, so that one ``(3, 4)`` matrix per image is enough, and pixels are rounded and
    clipped only once.
    """
    gray = np.array([cv2.mean(image)[:3] for image in images]) @ _LUMINANCE
    color = saturation[:, None, None] * np.eye(3) + (1 - saturation)[:, None, None] * _LUMINANCE
    offset = np.broadcast_to((brightness * (1 - contrast) * gray)[:, None, None], (len(images), 3, 1))
    matrices = np.concatenate([(brightness * contrast)[:, None, None] * color, offset], axis=2)
    changed = np.empty_like(images)
    for image, matrix, result in zip(images, matrices, changed, strict=True):
        cv2.transform(image, matrix, dst=result)
    return changed
