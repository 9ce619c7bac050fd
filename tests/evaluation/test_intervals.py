"""Intervals against published examples, other implementations, and their coverage in simulations."""

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from stridednet.evaluation.intervals import f1_interval, mcnemar_exact, mean_interval, newcombe_paired, wilson


@pytest.mark.parametrize(("successes", "n"), [(0, 20), (1, 29), (81, 263), (15, 148), (20, 20)])
def test_wilson_is_that_of_scipy(successes: int, n: int) -> None:
    expected = binomtest(successes, n).proportion_ci(0.95, method="wilson")
    assert wilson(successes, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize("n", [20, 100, 559])
def test_coverage_of_wilson(n: int) -> None:
    """The coverage at a true proportion is a sum over all counts; its mean over proportions is close to 95%."""
    limits = np.array([wilson(successes, n) for successes in range(n + 1)])
    coverage = []
    for share in np.linspace(0.02, 0.98, 97):
        covered = (limits[:, 0] <= share) & (share <= limits[:, 1])
        coverage.append(binom.pmf(np.arange(n + 1), n, share)[covered].sum())
    assert np.mean(coverage) == pytest.approx(0.95, abs=0.012)
    assert min(coverage) > 0.88  # Brown, Cai and DasGupta 2001, figure 5: it dips near 0 and 1, but not far


def test_newcombe_is_that_of_the_paper() -> None:
    """Newcombe 1998, table II, method 10."""
    assert newcombe_paired(36, 12, 2, 0) == pytest.approx((0.0569, 0.3404), abs=0.0001)


@pytest.mark.parametrize(
    ("n", "shares"),
    [
        (50, (0.7, 0.15, 0.05, 0.1)),
        (200, (0.9, 0.05, 0.03, 0.02)),
        (372, (0.55, 0.1, 0.1, 0.25)),
        (60, (0.4, 0.3, 0.3, 0.0)),
    ],
)
def test_coverage_of_newcombe(n: int, shares: tuple[float, ...]) -> None:
    rng = np.random.default_rng(0)
    tables = rng.multinomial(n, shares, size=4000)
    difference = shares[1] - shares[2]
    covered = [low <= difference <= high for low, high in (newcombe_paired(*map(int, row)) for row in tables)]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.02)


def test_newcombe_is_antisymmetric_and_within_limits() -> None:
    rng = np.random.default_rng(1)
    for both, first, second, neither in rng.integers([1, 0, 0, 0], 30, (200, 4)):
        low, high = newcombe_paired(both, first, second, neither)
        assert -1 <= low <= (first - second) / (both + first + second + neither) <= high <= 1
        assert newcombe_paired(both, second, first, neither) == pytest.approx((-high, -low))


@pytest.mark.parametrize(("first", "second"), [(0, 0), (1, 0), (3, 11), (11, 3), (7, 7), (40, 61)])
def test_mcnemar_is_a_binomial_test(first: int, second: int) -> None:
    expected = binomtest(first, first + second, 0.5).pvalue if first + second else 1.0
    assert mcnemar_exact(first, second) == pytest.approx(expected)


def test_coverage_of_f1() -> None:
    """Of pictures that are of a class or predicted as it, each is a hit, a false alarm or a miss."""
    rng = np.random.default_rng(2)
    shares = (0.6, 0.25, 0.15)
    true = 2 * shares[0] / (2 * shares[0] + shares[1] + shares[2])
    limits = [f1_interval(*map(int, row)) for row in rng.multinomial(80, shares, size=4000)]
    assert np.mean([low <= true <= high for low, high in limits]) == pytest.approx(0.95, abs=0.02)


def test_coverage_of_a_mean_of_proportions() -> None:
    rng = np.random.default_rng(3)
    sizes, shares = np.array([12, 40, 200]), np.array([0.6, 0.8, 0.95])
    hits = rng.binomial(sizes, shares, size=(4000, 3))
    limits = [mean_interval([(int(hit), int(size)) for hit, size in zip(row, sizes, strict=True)]) for row in hits]
    assert np.mean([low <= shares.mean() <= high for low, high in limits]) == pytest.approx(0.95, abs=0.025)


@pytest.mark.parametrize("counts", [(-1, 5), (6, 5), (0, 0)])
def test_impossible_counts(counts: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="Received"):
        wilson(*counts)
