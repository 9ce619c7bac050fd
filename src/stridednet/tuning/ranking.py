"""Order candidates by short trainings."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Score:
    """What a candidate reached in a round.

    Args:
        name: The name of the change, or ``base``.
        accuracy: Mean over its trainings.
        loss: Mean log loss over its trainings.
        seconds: Mean duration of a training.
    """

    name: str
    accuracy: float
    loss: float
    seconds: float


def ordered(scores: Sequence[Score]) -> tuple[Score, ...]:
    """Return the scores, best first, by the mean of two ranks: that of accuracy and that of log loss.

    On few pictures, accuracy alone is coarse and mostly chance. Log loss alone would favor changes that only make
    probabilities more or less certain. Of equal means, the higher accuracy is better, and then the earlier candidate.

    >>> found = ordered([Score("base", 0.8, 0.5, 1), Score("a", 0.9, 0.6, 1), Score("b", 0.7, 0.7, 1)])
    >>> [score.name for score in found]
    ['a', 'base', 'b']
    """
    by_accuracy = _ranks([-score.accuracy for score in scores])
    by_loss = _ranks([score.loss for score in scores])
    places = range(len(scores))
    order = sorted(places, key=lambda place: (by_accuracy[place] + by_loss[place], -scores[place].accuracy))
    return tuple(scores[place] for place in order)


def _ranks(values: Sequence[float]) -> list[float]:
    """Return the rank of each value, the lowest first; equal values share the mean of their ranks."""
    return [
        sum(other < value for other in values) + (sum(other == value for other in values) - 1) / 2 for value in values
    ]
