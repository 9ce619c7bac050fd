"""The learning rate of each step."""

import math
from dataclasses import dataclass

from stridednet.settings import OptimizerSettings

_LOWEST = 0.04  # share of the peak at which one cycle starts; 1/25 as in Smith and Topin


@dataclass(frozen=True)
class Schedule:
    """A recipe's learning rate over a training.

    ``inverse_time`` is the decay of Keras' optimizers before 2.11, spread over the epochs as in the tutorial: at step
    n, counted from 0 over the whole training, the rate is ``learning_rate / (1 + decay / epochs * n)``.

    ``one_cycle`` rises along a half cosine from 1/25 of ``learning_rate`` to all of it in the share ``warmup`` of the
    steps, and falls along another one to 0 at the end (Smith and Topin 2017, arXiv:1708.07120; fastai's cosines).
    """

    settings: OptimizerSettings
    epochs: int
    steps_per_epoch: int

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        peak = self.settings.learning_rate
        if self.settings.schedule == "inverse_time":
            return peak / (1 + self.settings.decay / self.epochs * step)
        total = self.epochs * self.steps_per_epoch
        rising = max(self.settings.warmup * total, 1)
        if step < rising:
            return peak * (_LOWEST + (1 - _LOWEST) * _half_cosine(step / rising))
        return peak * _half_cosine((total - step) / max(total - rising, 1))


def _half_cosine(share: float) -> float:
    """Rise from 0 to 1 along half a cosine."""
    return (1 - math.cos(math.pi * min(max(share, 0.0), 1.0))) / 2
