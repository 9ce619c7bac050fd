"""Blends of two training images and of their targets, so that a network cannot know its few images by heart."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]
Targets = NDArray[np.float32]


@dataclass(frozen=True)
class Mixing:
    """How the images of a batch are mixed with one another. The default leaves them alone.

    Args:
        mixup: Each image is blended with another one of its batch, with weights ``w`` and ``1 - w`` drawn from
            Beta(mixup, mixup) (Zhang et al. 2018, arXiv:1710.09412).
    """

    mixup: float = 0.0

    def __call__(self, images: Images, targets: Targets, rng: np.random.Generator) -> tuple[Images, Targets]:
        """Return mixed copies of images ``(n, height, width, channels)`` and of targets ``(n, classes)``."""
        if not self.mixup:
            return images, targets
        partners = rng.permutation(len(images))
        own = rng.beta(self.mixup, self.mixup, len(images)).astype(np.float32)
        blends = np.empty_like(images)
        for image, partner, weight, blend in zip(images, partners, own, blends, strict=True):
            cv2.addWeighted(image, float(weight), images[partner], 1 - float(weight), 0, dst=blend)
        column = own[:, None]
        return blends, targets * column + targets[partners] * (1 - column)
