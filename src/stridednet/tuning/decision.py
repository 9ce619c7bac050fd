"""Whether a change is certain enough to be adopted, and how much it promises.

A change is adopted if the lower limit of the one-sided 95% interval of its gain is above 0. A gain that is only
reported if it is large enough is too large on average, even if it was measured on pictures that had no part in the
choice: chance that makes it larger also makes it pass. The promise is therefore taken from the distribution of the
measured gain *given* that it passed, as Zhong and Prentice 2008 do, "Bias-reduced estimators and confidence intervals
for odds ratios in genome-wide association studies" (doi:10.1093/biostatistics/kxn001). The promised gain is then as
often too large as too small, and its interval contains the true gain in 95% of the adopted changes.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from stridednet.sweeps.out_of_fold import LEVEL, Difference

_FARTHEST = 1e4  # standard errors


@dataclass(frozen=True)
class Promise:
    """The gain in accuracy that an adopted change promises, with its 95% interval, all as fractions.

    Args:
        gain: As often too large as too small, but at least 0.
        low: Lower limit.
        high: Upper limit.
    """

    gain: float
    low: float
    high: float


def adopted(found: Difference) -> bool:
    """Return whether the lower limit of the one-sided 95% interval is above 0; with one training, there is none."""
    low, _ = found.interval(2 * LEVEL - 1)
    return low > 0


def promised(found: Difference) -> Promise:
    """Return what an adopted change promises.

    Args:
        found: A difference in accuracy that `adopted` accepts.
    """
    from scipy.special import ndtri

    low, _ = found.interval(2 * LEVEL - 1)
    threshold = float(ndtri(LEVEL))
    # Such that the limit is 0 for a gain of `threshold` standard errors.
    error = (found.mean - low) / threshold
    half, first, last = (
        error * given_passed(found.mean / error, threshold, share) for share in (0.5, (1 - LEVEL) / 2, (1 + LEVEL) / 2)
    )
    return Promise(max(0.0, half), max(-1.0, first), min(1.0, last))


def given_passed(measured: float, threshold: float, share: float) -> float:
    """Return the true value for which a share of the measured values that pass is greater than this one.

    Args:
        measured: A measured value, in standard errors; at least ``threshold``.
        threshold: The smallest value that passes.
        share: From 0 to 1; 0.5 for the median.
    """
    from scipy.optimize import brentq
    from scipy.special import log_ndtr

    def excess(true: float) -> float:
        return float(log_ndtr(true - measured) - log_ndtr(true - threshold)) - math.log(share)

    found: Callable[..., float] = brentq
    if excess(-_FARTHEST) > 0:  # it hardly passed
        return -_FARTHEST
    return found(excess, -_FARTHEST, measured + 20)
