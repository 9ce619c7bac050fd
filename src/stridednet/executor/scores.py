"""How well a model does on batches."""

from typing import NamedTuple


class Scores(NamedTuple):
    """Means over images; the loss includes what the regularizers add."""

    loss: float
    accuracy: float


class RunningScores:
    """The mean of the scores of batches, each weighted by its images."""

    def __init__(self) -> None:
        """Start with no images."""
        self.images = 0
        self._loss = self._accuracy = 0.0

    def add(self, scores: Scores, images: int) -> None:
        """Take the scores of a batch of so many images into the mean."""
        self.images += images
        self._loss += scores.loss * images
        self._accuracy += scores.accuracy * images

    def mean(self) -> Scores:
        """Return the scores over all images so far."""
        return Scores(self._loss / self.images, self._accuracy / self.images)
