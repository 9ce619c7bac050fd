"""Probabilities of a subset, averaged over images and their mirror images."""

import numpy as np
from numpy.typing import NDArray

from stridednet.data.batches import Batch
from stridednet.data.prepare import TrainingData
from stridednet.executor.trainer import Trainer


def predict_subset(trainer: Trainer, data: TrainingData, subset: str, *, mirror: bool) -> NDArray[np.float32]:
    """Return the probabilities of the pictures of a subset, ``(n, classes)``.

    Args:
        trainer: Has the model.
        data: The pictures.
        subset: Name of the subset.
        mirror: Whether to return the means for the images and their mirror images. They are less noisy, and a model
            that was trained on mirrored images classifies both equally well.
    """
    probabilities = trainer.predict(data.batches(subset))
    if not mirror:
        return probabilities
    mirrored = (Batch(batch.images[:, :, ::-1], batch.targets) for batch in data.batches(subset))
    mean: NDArray[np.float32] = np.mean([probabilities, trainer.predict(mirrored)], axis=0)
    return mean
