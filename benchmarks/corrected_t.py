"""Paired differences over repeated splits, with an interval that accounts for the overlap of the splits.

If each seed draws a val subset of the same images, the splits overlap. Differences between trials therefore vary less
than they would on independent data, and the usual paired t interval is too narrow. Nadeau and Bengio 2003,
"Inference for the Generalization Error" (doi:10.1023/A:1024068626366), multiply the variance of the mean,
``s**2 / n``, by ``1 + n * n_val / n_train``: the corrected resampled t interval, with ``n - 1`` degrees of freedom.

With several comparisons against one base, each interval has the confidence level ``1 - (1 - level) / comparisons``, so
that all of them together have at least the level ``level`` (Bonferroni; Dunn 1961, doi:10.1080/01621459.1961.10482090).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEVEL = 0.95


@dataclass(frozen=True)
class Difference:
    """The mean of paired differences with its confidence interval, which is NaN if there is only one pair."""

    mean: float
    low: float
    high: float
    deviation: float  # standard deviation of the differences
    count: int

    @property
    def measurable(self) -> bool:
        """Whether the interval excludes 0."""
        return self.low > 0 or self.high < 0


def paired_difference(
    values: Sequence[float], base: Sequence[float], *, overlap: float, comparisons: int = 1, level: float = LEVEL
) -> Difference:
    """Return the mean difference between a variant and the base, paired by seed.

    Args:
        values: The variant's values, one for each seed.
        base: The base's values for the same seeds, in the same order.
        overlap: ``n_val / n_train``, which corrects for overlapping splits; 0 for independent data.
        comparisons: Total number of variants that are compared with the base.
        level: Confidence level of all intervals together.

    Raises:
        ValueError: The lengths differ or are 0.
    """
    if len(values) != len(base) or not values:
        raise ValueError(f"values and base must be pairs. Received: {len(values)} and {len(base)} numbers")
    differences = np.asarray(values, dtype=float) - np.asarray(base, dtype=float)
    count, mean = len(differences), float(differences.mean())
    if count == 1:
        return Difference(mean, math.nan, math.nan, math.nan, 1)
    deviation = float(differences.std(ddof=1))
    half = half_width(deviation, count, overlap=overlap, comparisons=comparisons, level=level)
    return Difference(mean, mean - half, mean + half, deviation, count)


def half_width(deviation: float, count: int, *, overlap: float, comparisons: int = 1, level: float = LEVEL) -> float:
    """Return half the width of the interval of `paired_difference` for ``count`` differences."""
    from scipy.stats import t

    quantile = float(t.ppf(1 - (1 - level) / comparisons / 2, count - 1))
    return quantile * deviation * math.sqrt(1 / count + overlap)
