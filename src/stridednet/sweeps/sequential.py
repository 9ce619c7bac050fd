"""When a sweep may stop: verdicts on a difference that is looked at again after further repetitions.

Who looks at 95% intervals after each repetition and stops at the first that excludes 0 is wrong more often than in 5%
of sweeps. All looks therefore use the same, higher level, chosen so that the intervals of all looks together contain
the true difference with the wanted probability (Pocock 1977, "Group Sequential Methods in the Design and Analysis of
Clinical Trials", doi:10.1093/biomet/64.2.191). Looks are planned, and further and further apart, since each costs some
of the level and adds little to the one before.

The means at two looks, after r < s repetitions, have as covariance the variance of the later one: what repetitions
average out is independent between them, and what they do not is common to all. They are thus as Brownian motion seen at
times that are the inverse variances (Jennison and Turnbull 2000, "Group Sequential Methods", chapter 3). The less is
common, the further apart are these times, and the higher must the level be; here nothing is taken as common.
"""

import functools
import itertools
import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stridednet.sweeps.out_of_fold import LEVEL, Difference

LOOKS = (2, 3, 4, 6, 8, 12)  # the complete repetitions after which verdicts are given
MARGIN = 0.01
_CELLS = 64  # nodes of each integral; more change no digit that matters

Judgment = Literal["higher", "lower", "same", "undecided"]


def level_of_look(comparisons: int = 1, level: float = LEVEL, looks: tuple[int, ...] = LOOKS) -> float:
    """Return the level for the intervals at each look, so that those of all looks together have ``level``.

    It is an argument of `stridednet.sweeps.out_of_fold.out_of_fold_difference`, together with the same comparisons.

    Args:
        comparisons: Total number of variants that are compared with the base, stopped ones included.
        level: Level of the intervals of all variants at all looks together.
        looks: Numbers of complete repetitions after which intervals are looked at; some may be left out.
    """
    return 1 - comparisons * _nominal((1 - level) / comparisons, looks)


def next_look(repetitions: int, looks: tuple[int, ...] = LOOKS) -> int | None:
    """Return the first planned look after that many repetitions; None after the last one.

    >>> next_look(4), next_look(12)
    (6, None)
    """
    return next((look for look in looks if look > repetitions), None)


def judge(difference: Difference, margin: float = MARGIN) -> Judgment:
    """Return what is certain about a difference, at its own level.

    ``same`` is a difference of certainly less than the margin, even if it is also certain that there is one.
    """
    if difference.same_within(margin):
        return "same"
    if not difference.measurable:
        return "undecided"
    return "higher" if difference.mean > 0 else "lower"


@functools.lru_cache(maxsize=256)
def _nominal(error: float, looks: tuple[int, ...]) -> float:
    """Return the error of each look for which ``error`` is the probability that any of them is wrong."""
    from scipy.optimize import brentq
    from scipy.special import ndtr, ndtri

    times = np.array(looks) / looks[-1]
    lower, upper = -ndtri(error / 2), -ndtri(error / 2 / len(looks))
    if len(looks) == 1:
        return error
    bound = brentq(lambda bound: crossing(bound, times) - error, lower, upper, xtol=1e-7)
    return float(2 * ndtr(-bound))


def crossing(bound: float, times: NDArray[np.float64]) -> float:
    """Return the probability that Brownian motion divided by its standard deviation exceeds a bound at any time.

    Armitage, McPherson and Rowe 1969, "Repeated Significance Tests on Accumulating Data" (doi:10.2307/2343787): the
    density of the paths that have stayed within the bound is integrated from each time to the next.

    Args:
        bound: The bound for the absolute value.
        times: Increasing times above 0, ``(looks,)``.
    """
    nodes, weights = np.polynomial.legendre.leggauss(_CELLS)
    edge = bound * math.sqrt(times[0])
    at = nodes * edge
    density = _normal(at, times[0]) * weights * edge
    for before, now in itertools.pairwise(times.tolist()):
        edge = bound * math.sqrt(now)
        reached = nodes * edge
        density = _normal(reached[:, None] - at, now - before) @ density * weights * edge
        at = reached
    return 1 - float(density.sum())


def _normal(value: NDArray[np.float64], variance: float) -> NDArray[np.float64]:
    density: NDArray[np.float64] = np.exp(-(value**2) / (2 * variance)) / math.sqrt(2 * math.pi * variance)
    return density
