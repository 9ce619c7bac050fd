"""Paired differences over repeated splits, with an interval that does not promise too much.

The trials of a sweep are trained on splits that overlap, since all are drawn from the same pictures. Their differences
therefore vary less than those of fresh data would, and a plain paired t interval is too narrow. Nadeau and Bengio 2003,
"Inference for the Generalization Error" (doi:10.1023/A:1024068626366), multiply the variance of the mean,
``s**2 / n``, by ``1 + n * n_val / n_train``: the corrected resampled t interval, with ``n - 1`` degrees of freedom.

With several comparisons against one base, each interval is taken at ``1 - (1 - level) / comparisons`` (Bonferroni; Dunn
1961, doi:10.1080/01621459.1961.10482090), so that all of them hold together with the wanted probability.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEVEL = 0.95
_MOST_SEEDS = 1000


@dataclass(frozen=True)
class Difference:
    """The mean of paired differences and the interval around it; the ends are NaN where one pair says nothing."""

    mean: float
    low: float
    high: float
    deviation: float  # standard deviation of the single differences
    count: int

    @property
    def measurable(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.low > 0 or self.high < 0


def paired_difference(
    values: Sequence[float], base: Sequence[float], *, overlap: float, comparisons: int = 1, level: float = LEVEL
) -> Difference:
    """Compare a variant with the base, seed by seed.

    Args:
        values: One number for each seed.
        base: The base's numbers for the same seeds, in the same order.
        overlap: ``n_val / n_train``, the correction for overlapping splits; 0 for independent data.
        comparisons: How many variants are compared with the base in all.
        level: Of the intervals together.

    Raises:
        ValueError: The two have different lengths, or none.
    """
    if len(values) != len(base) or not values:
        raise ValueError(f"pairs are needed: {len(values)} values and {len(base)} of the base")
    differences = np.asarray(values, dtype=float) - np.asarray(base, dtype=float)
    count, mean = len(differences), float(differences.mean())
    if count == 1:
        return Difference(mean, math.nan, math.nan, math.nan, 1)
    deviation = float(differences.std(ddof=1))
    half = half_width(deviation, count, overlap=overlap, comparisons=comparisons, level=level)
    return Difference(mean, mean - half, mean + half, deviation, count)


def half_width(deviation: float, count: int, *, overlap: float, comparisons: int = 1, level: float = LEVEL) -> float:
    """Return half the length of the interval that `paired_difference` gives for ``count`` differences."""
    from scipy.stats import t

    quantile = float(t.ppf(1 - (1 - level) / comparisons / 2, count - 1))
    return quantile * deviation * math.sqrt(1 / count + overlap)


def seeds_to_see(
    effect: float, deviation: float, *, overlap: float, comparisons: int = 1, level: float = LEVEL
) -> int | None:
    """Return how many seeds make the interval's half no longer than ``effect``.

    None where no number does: with overlapping splits more seeds stop helping, and only more pictures would.
    """
    counts = range(2, _MOST_SEEDS + 1)
    chosen = {"overlap": overlap, "comparisons": comparisons, "level": level}
    return next((count for count in counts if half_width(deviation, count, **chosen) <= effect), None)  # type: ignore[arg-type]
