"""Blend pairs of training images and their targets, so that a network cannot memorize a small data set."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]
Targets = NDArray[np.float32]


@dataclass(frozen=True)
class Mixing:
    """Random blending of the images in a batch. With the default, images are not changed.

    Args:
        mixup: Parameter of mixup (Zhang et al. 2018, arXiv:1710.09412): each image is blended with another image of
            its batch with weights ``w`` and ``1 - w``, where ``w`` is drawn from Beta(mixup, mixup). 0 turns it off.
    """

    mixup: float = 0.0

    def __call__(self, images: Images, targets: Targets, rng: np.random.Generator) -> tuple[Images, Targets]:
        """Return blended copies of images ``(batch, height, width, channels)`` and targets ``(batch, classes)``."""
        if not self.mixup:
            return images, targets
        partners = rng.permutation(len(images))
        own = rng.beta(self.mixup, self.mixup, len(images)).astype(np.float32)
        blends = np.empty_like(images)
        for image, partner, weight, blend in zip(images, partners, own, blends, strict=True):
            cv2.addWeighted(image, float(weight), images[partner], 1 - float(weight), 0, dst=blend)
        column = own[:, None]
        return blends, targets * column + targets[partners] * (1 - column)
