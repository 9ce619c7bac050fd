"""Blends of two training images and of their targets, so that a network cannot know its few images by heart."""

from dataclasses import dataclass

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
        cutmix: A rectangle of each image, of a share drawn from Beta(cutmix, cutmix), is cut out of another one (Yun et
            al. 2019, arXiv:1905.04899). With both, a batch gets one or the other, by chance.
    """

    mixup: float = 0.0
    cutmix: float = 0.0

    def __call__(self, images: Images, targets: Targets, rng: np.random.Generator) -> tuple[Images, Targets]:
        """Return mixed copies of images ``(n, height, width, channels)`` and of targets ``(n, classes)``."""
        if not self.mixup and not self.cutmix:
            return images, targets
        partners = rng.permutation(len(images))
        if self.cutmix and (not self.mixup or rng.random() < 0.5):
            return _patched(images, targets, partners, rng.beta(self.cutmix, self.cutmix), rng)
        return _blended(images, targets, partners, rng.beta(self.mixup, self.mixup, len(images)))


def _blended(
    images: Images, targets: Targets, partners: NDArray[np.intp], weights: NDArray[np.float64]
) -> tuple[Images, Targets]:
    own = weights.astype(np.float32)
    pixels = own[:, None, None, None]
    blend = images * pixels + images[partners] * (1 - pixels)
    column = own[:, None]
    return np.rint(blend).astype(np.uint8), targets * column + targets[partners] * (1 - column)


def _patched(
    images: Images, targets: Targets, partners: NDArray[np.intp], kept: float, rng: np.random.Generator
) -> tuple[Images, Targets]:
    height, width = images.shape[1:3]
    rows, columns = round(height * (1 - kept) ** 0.5), round(width * (1 - kept) ** 0.5)
    top, left = rng.integers(height - rows + 1), rng.integers(width - columns + 1)
    patch = np.s_[:, top : top + rows, left : left + columns]
    mixed = images.copy()
    mixed[patch] = images[partners][patch]
    own = np.float32(1 - rows * columns / (height * width))  # the share that whole pixels really leave
    return mixed, targets * own + targets[partners] * (1 - own)
