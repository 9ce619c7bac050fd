"""Class imbalance: how many training images each class has, and weights that compensate for it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stridednet.data.tree import shown

IMBALANCED = 5.0  # times as many images in the largest class as in the smallest; above this, `advice` suggests weights


def balanced_weights(targets: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return weights with which all classes have the same total weight.

    They are ``n / (classes * count)``, as in scikit-learn's ``class_weight="balanced"`` (King and Zeng 2001), so that
    their mean over the images is 1. A class without images has the weight 0.

    Args:
        targets: One-hot targets of the training images, ``(n, classes)``.

    Returns:
        The weight of each class, ``(classes,)``.
    """
    counts = targets.sum(axis=0, dtype=np.float64)
    weights = np.divide(len(targets), counts.size * counts, out=np.zeros_like(counts), where=counts > 0)
    return np.asarray(weights, np.float32)


def imbalance(targets: NDArray[np.float32]) -> float:
    """Return how many times as many images the largest class has as the smallest one that has any.

    Args:
        targets: One-hot targets of the training images, ``(n, classes)``.
    """
    counts = targets.sum(axis=0)
    return float(counts.max() / counts[counts > 0].min())


def advice(targets: NDArray[np.float32], labels: Sequence[str]) -> str | None:
    """Return a line that suggests class weights, or None if the classes are of similar sizes.

    Args:
        targets: One-hot targets of the training images, ``(n, classes)``.
        labels: The names of the classes.
    """
    if imbalance(targets) <= IMBALANCED:
        return None
    counts = targets.sum(axis=0)
    largest, smallest = int(counts.argmax()), int(np.where(counts > 0, counts, np.inf).argmin())
    images = "image" if counts[smallest] == 1 else "images"
    return (
        f"imbalanced classes: {counts[largest]:,.0f} training images of '{shown(labels[largest])}', but only "
        f"{counts[smallest]:,.0f} {images} of '{shown(labels[smallest])}'; the setting class_weights=auto gives "
        "all classes the same total weight in the loss"
    )
