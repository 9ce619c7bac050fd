"""Do the intervals of a sweep keep their promise? Simulated sweeps, fitted to real ones.

    python benchmarks/interval_coverage.py [--sweeps 2000] [--seed 0]

Each simulated sweep draws a data set from a population, trains a base and eight variants, and compares three methods at
equal numbers of trainings per variant: out of fold (`stridednet.sweeps.out_of_fold`), seeds with a quarter held out
and the correction of Nadeau and Bengio 2003, and the 5x2cv paired t test of Dietterich 1998 (always ten trainings). The
truth is the expected difference over pictures, training sets and seeds.

A network answers a picture correctly if a latent quantity is above 0. It is the sum of the picture's difficulty for all
networks (`common`) and for networks of one variant (`own`), of what base and variant share by having the same seed
(`shared`), of noise, which fill it up to a variance of 1, and of how good the training is on all pictures (`training`,
a standard deviation). A fraction `of_set` of the variance of a training is the sum of influences of the pictures in its
training set, so that trainings whose sets overlap hang together, and all trainings of a sweep share the luck of its
data set. `benchmarks/interval_outcomes.py` fits these numbers to trainings of the recipe `fast`.
"""

import argparse
import dataclasses
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
from scipy.stats import t as student

from stridednet.sweeps.out_of_fold import Difference, PairedFold, out_of_fold_difference

FOLDS = 4
VARIANTS = 8
COMPARISONS = (1, 3, 8)
BUDGETS = (8, 12, 20)
LEVEL = 0.95
POINT = 0.01


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


SETTINGS = (
    Setting("four classes", 1674, 0.970, 0.80, 0.03, 0.03, 0.06, 0.3),
    Setting("ten classes", 3068, 0.620, 0.65, 0.05, 0.03, 0.04, 0.3),
    Setting("floor", 1674, 0.400, 0.65, 0.05, 0.03, 0.04, 0.3),
    Setting("ceiling", 1674, 0.998, 0.80, 0.03, 0.03, 0.06, 0.3),
)


def trained(
    setting: Setting, effects: Sequence[float], held_out: Sequence[NDArray[np.intp]], rng: np.random.Generator
) -> Iterator[NDArray[np.float64]]:
    """Yield, for each held-out set, the paired differences of all variants on its pictures, ``(variants, n)``.

    A data set is drawn first; each held-out set is measured by networks trained on all other pictures.
    """
    n, networks = setting.pictures, len(effects) + 1
    draw = rng.standard_normal
    difficulty = math.sqrt(setting.common) * draw(n, np.float32)
    difficulty = difficulty + math.sqrt(setting.own) * draw((networks, n), np.float32)
    noise = math.sqrt(1 - setting.common - setting.own - setting.shared)
    accuracies = setting.accuracy + np.array([0, *effects])
    level = norm.ppf(accuracies) * math.sqrt(1 + setting.training**2)
    # The variance of a training on three quarters of the pictures is what was fitted.
    influence = setting.training * math.sqrt(setting.of_set / (0.75 * n)) * draw((networks, n), np.float32)
    everything = influence.sum(axis=1)
    for rows in held_out:
        of_set = (everything - influence[:, rows].sum(axis=1)) * math.sqrt(0.75 * n / (n - len(rows)))
        quality = level + of_set + setting.training * math.sqrt(1 - setting.of_set) * draw(networks)
        latent = noise * draw((networks, len(rows)), np.float32)
        latent += difficulty[:, rows] + math.sqrt(setting.shared) * draw(len(rows), np.float32)
        right = latent > -quality[:, None].astype(np.float32)
        yield right[1:].astype(np.float64) - right[0]


def parts(n: int, count: int, rng: np.random.Generator) -> list[NDArray[np.intp]]:
    """Return a random division of pictures into ``count`` parts."""
    return np.array_split(rng.permutation(n), count)


@dataclass
class Tally:
    """Of each sweep and variant: the interval for each number of comparisons, and whether it means the same."""

    truth: float
    low: list[NDArray[np.float64]] = dataclasses.field(default_factory=list)  # each (comparisons, variants)
    high: list[NDArray[np.float64]] = dataclasses.field(default_factory=list)
    same: list[NDArray[np.bool_]] = dataclasses.field(default_factory=list)

    def add(self, mean: NDArray[np.float64], wide: NDArray[np.float64], narrow: NDArray[np.float64]) -> None:
        """Add a sweep: means, ``(variants,)``, and half widths of both intervals, ``(comparisons, variants)``."""
        self.low.append(mean - wide)
        self.high.append(mean + wide)
        self.same.append(np.abs(mean) + narrow < POINT)

    def coverage(self, index: int) -> float:
        """Return how often all intervals of a sweep contain the truth."""
        covered = (np.array(self.low)[:, index] <= self.truth) & (np.array(self.high)[:, index] >= self.truth)
        return float(_families(covered, COMPARISONS[index]).all(axis=2).mean())

    def reported(self, index: int) -> float:
        """Return how often at least one variant of a sweep gets a measurable effect."""
        excluded = (np.array(self.low)[:, index] > 0) | (np.array(self.high)[:, index] < 0)
        return float(_families(excluded, COMPARISONS[index]).any(axis=2).mean())

    def power(self, index: int) -> float:
        """Return how often the interval of a variant is on the effect's side of 0."""
        return float((np.array(self.low)[:, index] > 0).mean())

    def means_same(self, index: int) -> float:
        """Return how often a variant is the same within one point."""
        return float(np.array(self.same)[:, index].mean())

    def half_width(self, index: int) -> float:
        """Return half the mean width of the intervals."""
        return float((np.array(self.high) - np.array(self.low))[:, index].mean() / 2)


def _families(values: NDArray[np.bool_], size: int) -> NDArray[np.bool_]:
    """Divide the variants, ``(sweeps, variants)``, into as many families of compared variants as there are."""
    count = values.shape[1] // size
    return values[:, : count * size].reshape(len(values), count, size)


def add_out_of_fold(tally: Tally, found: Sequence[Difference]) -> None:
    wide, narrow = (
        np.array([[_half(one, comparisons, level) for one in found] for comparisons in COMPARISONS])
        for level in (LEVEL, 2 * LEVEL - 1)
    )
    tally.add(np.array([one.mean for one in found]), wide, narrow)


def _half(found: Difference, comparisons: int, level: float) -> float:
    low, high = dataclasses.replace(found, comparisons=comparisons).interval(level)
    return (high - low) / 2


def add_t(tally: Tally, mean: NDArray[np.float64], error: NDArray[np.float64], freedom: int) -> None:
    quantiles = [[student.ppf(1 - (1 - level) / m / 2, freedom) for m in COMPARISONS] for level in (LEVEL, 2 * LEVEL - 1)]
    wide, narrow = (np.multiply.outer(quantile, error) for quantile in quantiles)
    tally.add(mean, wide, narrow)


def simulate(setting: Setting, effect: float, sweeps: int, rng: np.random.Generator) -> dict[str, Tally]:
    """Return the tallies of all methods."""
    n, effects = setting.pictures, [effect] * VARIANTS
    tallies: dict[str, Tally] = {}
    for _ in range(sweeps):
        held_out = [rows for _ in range(max(BUDGETS) // FOLDS) for rows in parts(n, FOLDS, rng)]
        found = list(trained(setting, effects, held_out, rng))
        for budget in BUDGETS:
            differences = [
                out_of_fold_difference(
                    [PairedFold(j // FOLDS, held_out[j], found[j][variant]) for j in range(budget)]
                )
                for variant in range(VARIANTS)
            ]
            add_out_of_fold(tallies.setdefault(f"out of fold, {budget}", Tally(effect)), differences)
        held_out = [parts(n, FOLDS, rng)[0] for _ in range(max(BUDGETS))]
        means = np.array([one.mean(axis=1) for one in trained(setting, effects, held_out, rng)])
        for budget in (5, *BUDGETS):
            some = means[:budget]
            error = some.std(axis=0, ddof=1) * math.sqrt(1 / budget + 1 / (FOLDS - 1))
            add_t(tallies.setdefault(f"seeds, {budget}", Tally(effect)), some.mean(axis=0), error, budget - 1)
        held_out = [rows for _ in range(5) for rows in parts(n, 2, rng)]
        halves = np.array([one.mean(axis=1) for one in trained(setting, effects, held_out, rng)]).reshape(5, 2, -1)
        error = np.sqrt(halves.var(axis=1, ddof=1).mean(axis=0))
        add_t(tallies.setdefault("5x2cv, 10", Tally(effect)), halves[0, 0], error, 5)
    return tallies


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sweeps", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    for setting in SETTINGS:
        started = time.perf_counter()
        rng = np.random.default_rng(arguments.seed)
        print(setting)
        print(f"{'method, trainings':18} {'coverage of 1, 3, 8':>20} {'effects in none':>20} {'half widths':>17} same in none   power 1, 2 points; coverage there")
        effects = [effect for effect in (0.0, 0.01, 0.02) if setting.accuracy + effect < 1]
        found = [simulate(setting, effect, arguments.sweeps, rng) for effect in effects]
        for method, none in found[0].items():
            indices = range(len(COMPARISONS))
            print(f"{method:18}"
                  + "  " + " ".join(f"{none.coverage(i):6.1%}" for i in indices)
                  + "  " + " ".join(f"{none.reported(i):6.1%}" for i in indices)
                  + "  " + " ".join(f"{100*none.half_width(i):5.2f}" for i in indices)
                  + "  " + " ".join(f"{none.means_same(i):6.1%}" for i in indices)
                  + "  ".join([" "]+[f"{other[method].power(0):6.1%}" + " " + "/".join(f"{other[method].coverage(i):6.1%}" for i in indices) for other in found[1:]]))
        print(f"{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
