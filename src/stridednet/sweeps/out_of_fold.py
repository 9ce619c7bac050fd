"""Interim: replaced by the statistics branch."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95


@dataclass(frozen=True)
class PairedFold:
    """Paired differences on the pictures of one fold: variant minus base, both trained on the other folds."""

    repetition: int
    rows: NDArray[np.intp]
    differences: NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    mean: float
    low: float
    high: float
    one_sided: tuple[float, float]
    error: float
    count: int
    pictures: int

    @property
    def measurable(self) -> bool:
        return self.low > 0 or self.high < 0


def out_of_fold_difference(folds: Sequence[PairedFold], *, comparisons: int = 1, level: float = LEVEL) -> Difference:
    from scipy.stats import t

    sums: dict[int, list[float]] = {}
    for fold in folds:
        for row, value in zip(fold.rows.tolist(), fold.differences.tolist(), strict=True):
            sums.setdefault(row, []).append(value)
    each = np.array([np.mean(values) for values in sums.values()])
    mean = float(each.mean())
    if len(folds) < 2:
        return Difference(mean, math.nan, math.nan, (math.nan, math.nan), math.nan, len(folds), len(each))
    means = np.array([fold.differences.mean() for fold in folds])
    inside = np.mean([fold.differences.var() / len(fold.rows) for fold in folds])
    between = max(means.var(ddof=1) - inside, 0) / len(folds)
    error = math.sqrt(each.var(ddof=1) / len(each) + between + 1 / len(each) ** 2)
    alpha = (1 - level) / comparisons
    wide, narrow = (float(t.ppf(1 - tail, len(folds) - 1)) * error for tail in (alpha / 2, alpha))
    return Difference(mean, mean - wide, mean + wide, (mean - narrow, mean + narrow), error, len(folds), len(each))
