"""Loss and accuracy on batches and their means."""

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import torch


class Scores(NamedTuple):
    """Means over images; the loss includes what the regularizers add."""

    loss: float
    accuracy: float


class BatchScores(NamedTuple):
    """The scores of one batch as they leave the network. Reading a tensor waits for the device to finish it.

    Args:
        loss: A scalar, without the penalties on the weights.
        penalty: What the regularizers of the weights add to the loss.
        accuracy: A scalar.
    """

    loss: "torch.Tensor"
    penalty: "torch.Tensor | float"
    accuracy: "torch.Tensor"


class RunningScores:
    """The mean of the scores of batches, each weighted by its number of images.

    Scores are added without reading them, so that a device need not be waited for in each step; `mean` reads them.
    """

    def __init__(self) -> None:
        """Start with no images."""
        self.images = 0
        self._unread: list[tuple[BatchScores, int]] = []
        self._loss = self._accuracy = 0.0

    def add(self, scores: BatchScores, images: int) -> None:
        """Include the scores of a batch in the mean.

        Args:
            scores: Of the batch.
            images: Number of images in the batch.
        """
        self.images += images
        self._unread.append((scores, images))

    def mean(self) -> Scores:
        """Return the scores over all images so far."""
        for scores, images in self._unread:
            self._loss += (float(scores.loss) + float(scores.penalty)) * images
            self._accuracy += float(scores.accuracy) * images
        self._unread.clear()
        return Scores(self._loss / self.images, self._accuracy / self.images)
