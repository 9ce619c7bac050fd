"""Simulated sweeps with a known truth, for `interval_coverage.py`.

A network answers a picture correctly if a latent quantity is above 0. It is the sum of the picture's difficulty for all
networks (`common`) and for networks of one variant (`own`), of what base and variant share by having the same seed
(`shared`), of noise, which makes the variance of these 1, and of how good the training is on all pictures (`training`,
a standard deviation). A fraction `of_set` of the variance of a training is the sum of influences of the pictures in its
training set, so that trainings whose sets overlap hang together, and all trainings of a sweep share the luck of their
data set.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

_USED = 0.75  # the part of the pictures that the fitted trainings learned from
_SLOPE = 2.0  # of the logit, per standard deviation of the latent quantity


@dataclass(frozen=True)
class Setting:
    """A population of pictures and trainings; see the module's docstring."""

    name: str
    pictures: int
    accuracy: float
    common: float
    own: float
    shared: float
    training: float
    of_set: float


def simulate(
    setting: Setting,
    effects: Sequence[float],
    held_out: Sequence[NDArray[np.intp]],
    rng: np.random.Generator,
    *,
    losses: bool = False,
) -> Iterator[NDArray[np.float64]]:
    """Draw a data set, and yield the paired differences of all variants on each held-out set, ``(variants, n)``.

    Each held-out set is measured by a base and variants that were trained on all other pictures.

    Args:
        setting: The population.
        effects: How much the expected accuracy of each variant is above the base's.
        held_out: The rows of each held-out set.
        rng: Source of random numbers.
        losses: Whether to yield differences of log loss instead of right and wrong answers.
    """
    n, networks, draw = setting.pictures, len(effects) + 1, rng.standard_normal
    difficulty = math.sqrt(setting.common) * draw(n, np.float32)
    difficulty = difficulty + math.sqrt(setting.own) * draw((networks, n), np.float32)
    noise = math.sqrt(1 - setting.common - setting.own - setting.shared)
    accuracies = setting.accuracy + np.array([0, *effects])
    level = norm.ppf(accuracies) * math.sqrt(1 + setting.training**2)
    influence = setting.training * math.sqrt(setting.of_set / (_USED * n)) * draw((networks, n), np.float32)
    everything = influence.sum(axis=1)
    for rows in held_out:
        # The more pictures, the less is the influence of each.
        of_set = (everything - influence[:, rows].sum(axis=1)) * _USED * n / (n - len(rows))
        quality = level + of_set + setting.training * math.sqrt(1 - setting.of_set) * draw(networks)
        latent = difficulty[:, rows] + quality[:, None].astype(np.float32)
        latent += math.sqrt(setting.shared) * draw(len(rows), np.float32)
        latent += noise * draw((networks, len(rows)), np.float32)
        result = np.logaddexp(0, -_SLOPE * latent) if losses else (latent > 0).astype(np.float64)
        yield result[1:] - result[0]


def parts(n: int, count: int, rng: np.random.Generator) -> list[NDArray[np.intp]]:
    """Return a random division of pictures into ``count`` parts."""
    return np.array_split(rng.permutation(n), count)
