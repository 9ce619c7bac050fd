"""Confidence intervals of proportions, of F1 scores and of paired differences, and McNemar's test.

All intervals are score intervals: they stay in the possible range, and have a width even where no mistake was made.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist

LEVEL = 0.95

Interval = tuple[float, float]


def wilson(successes: int, n: int, level: float = LEVEL) -> Interval:
    """Return Wilson's score interval of a proportion.

    Wilson 1927, "Probable Inference, the Law of Succession, and Statistical Inference"
    (doi:10.1080/01621459.1927.10502953); recommended by Brown, Cai and DasGupta 2001 (doi:10.1214/ss/1009213286).

    Args:
        successes: Number of successes.
        n: Number of trials.
        level: Confidence level.

    Raises:
        ValueError: There are no trials, or more successes than trials.

    Examples:
        >>> [round(limit, 4) for limit in wilson(81, 263)]
        [0.2553, 0.3662]
    """
    if not 0 <= successes <= n or n < 1:
        raise ValueError(f"expected 0 <= successes <= n and n >= 1. Received: successes={successes}, n={n}")
    z = NormalDist().inv_cdf((1 + level) / 2)
    share = successes / n
    center = share + z**2 / (2 * n)
    half = z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    low, high = ((center + sign * half) / (1 + z**2 / n) for sign in (-1, 1))
    # The limits are exactly 0 and 1 there; rounding must not move the proportion out of its interval.
    return 0.0 if successes == 0 else low, 1.0 if successes == n else high


def f1_interval(hits: int, false_alarms: int, misses: int, level: float = LEVEL) -> Interval:
    """Return an interval of the F1 score of a class.

    ``F1 = 2 J / (1 + J)`` with ``J = hits / (hits + false_alarms + misses)``. The images that belong to the class or
    are predicted as it form a binomial sample of which ``J`` is the proportion of hits, and F1 increases with it. The
    limits are Wilson's limits of ``J``, transformed. Lam, Gopal and Qian 2023, "Confidence Intervals for the F1 Score:
    A Comparison of Four Methods" (arXiv:2309.14621), call it the indirect Wilson method; ``J`` is the F* of Hand,
    Christen and Kirielle 2021 (doi:10.1007/s10994-021-05964-1).

    Args:
        hits: Images of the class that are predicted as it (true positives).
        false_alarms: Images of other classes that are predicted as it (false positives).
        misses: Images of the class that are predicted as another one (false negatives).
        level: Confidence level.

    Raises:
        ValueError: All counts are 0, or one is negative.
    """
    low, high = (2 * limit / (1 + limit) for limit in wilson(hits, hits + false_alarms + misses, level))
    return low, high


def mean_interval(counts: Sequence[tuple[int, int]], level: float = LEVEL) -> Interval:
    """Return an interval of the mean of independent proportions, such as the mean recall of the classes.

    The distances of Wilson's limits from each proportion are combined as standard errors are, by the square root of the
    sum of their squares: the "method of variance estimates recovery" of Zou and Donner 2008 (doi:10.1002/sim.3095).

    Args:
        counts: Successes and trials of each proportion.
        level: Confidence level.

    Raises:
        ValueError: There are no proportions, or one has no trials.
    """
    if not counts:
        raise ValueError("expected at least one proportion. Received: none")
    shares = [successes / n for successes, n in counts]
    limits = [wilson(successes, n, level) for successes, n in counts]
    mean = sum(shares) / len(shares)
    below = math.hypot(*(share - low for share, (low, _) in zip(shares, limits, strict=True)))
    above = math.hypot(*(high - share for share, (_, high) in zip(shares, limits, strict=True)))
    return mean - below / len(shares), mean + above / len(shares)


def newcombe_paired(both: int, only_first: int, only_second: int, neither: int, level: float = LEVEL) -> Interval:
    """Return an interval of the difference of two proportions that were measured on the same images.

    Newcombe 1998, "Improved confidence intervals for the difference between binomial proportions based on paired data"
    (doi:10.1002/(SICI)1097-0258(19981130)17:22<2635::AID-SIM954>3.0.CO;2-C), method 10: Wilson's limits of both
    proportions, combined with their correlation ``phi``, whose numerator is corrected for continuity.

    Args:
        both: Images that both models classify correctly.
        only_first: Images that only the first model classifies correctly.
        only_second: Images that only the second model classifies correctly.
        neither: Images that neither model classifies correctly.
        level: Confidence level.

    Returns:
        The limits of the first proportion minus the second.

    Raises:
        ValueError: All counts are 0, or one is negative.
    """
    a, b, c, d = both, only_first, only_second, neither
    n = a + b + c + d
    if min(a, b, c, d) < 0 or n == 0:
        raise ValueError(f"expected counts of at least one image. Received: {a}, {b}, {c}, {d}")
    first, second = (a + b) / n, (a + c) / n
    (low1, high1), (low2, high2) = wilson(a + b, n, level), wilson(a + c, n, level)
    product = a * d - b * c
    margins = (a + b) * (c + d) * (a + c) * (b + d)
    corrected = max(product - n / 2, 0) if product > 0 else product
    phi = corrected / math.sqrt(margins) if margins else 0.0
    below = _combined(first - low1, high2 - second, phi)
    above = _combined(high1 - first, second - low2, phi)
    difference = (b - c) / n
    return difference - below, difference + above


def _combined(one: float, other: float, correlation: float) -> float:
    square = one**2 - 2 * correlation * one * other + other**2
    return math.sqrt(max(square, 0.0))  # which rounding can make negative if the correlation is 1


def mcnemar_exact(only_first: int, only_second: int) -> float:
    """Return the p-value of McNemar's exact test that two models are equally accurate.

    McNemar 1947 (doi:10.1007/BF02295996): only images that exactly one model classifies correctly tell them apart.
    If both are equally accurate, each of these is as likely to be one model's as the other's, so the p-value is that of
    a two-sided binomial test with probability 1/2. It is 1 without such images.

    Args:
        only_first: Images that only the first model classifies correctly.
        only_second: Images that only the second model classifies correctly.
    """
    n, least = only_first + only_second, min(only_first, only_second)
    if n == 0:
        return 1.0
    from scipy.stats import binom

    return float(min(1.0, 2 * binom.cdf(least, n, 0.5)))
