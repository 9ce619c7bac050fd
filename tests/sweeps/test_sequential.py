import dataclasses

import numpy as np
import pytest
from scipy import stats

from stridednet.sweeps.out_of_fold import PairedFold, out_of_fold_difference
from stridednet.sweeps.sequential import LOOKS, crossing, judge, level_of_look, next_look


@pytest.mark.parametrize(
    ("looks", "bound"),
    # Jennison and Turnbull 2000, table 2.1: Pocock's constants for 5% and equally spaced looks.
    [(1, 1.960), (2, 2.178), (3, 2.289), (4, 2.361), (5, 2.413), (6, 2.453), (10, 2.555)],
)
def test_pococks_constants(looks: int, bound: float) -> None:
    assert crossing(bound, np.arange(1, looks + 1) / looks) == pytest.approx(0.05, abs=2e-4)
    level = level_of_look(looks=tuple(range(1, looks + 1)))
    assert stats.norm.ppf((1 + level) / 2) == pytest.approx(bound, abs=1.5e-3)


def test_the_level_is_between_no_correction_and_bonferroni() -> None:
    for comparisons in (1, 3, 8, 15):
        level = level_of_look(comparisons)
        assert 0.95 < level < 1 - 0.05 / len(LOOKS)


def test_all_looks_together_keep_the_error() -> None:
    rng = np.random.default_rng(0)
    steps = np.diff([0, *LOOKS])
    paths = (rng.normal(size=(100_000, len(LOOKS))) * np.sqrt(steps)).cumsum(axis=1) / np.sqrt(LOOKS)
    bound = stats.norm.ppf((1 + level_of_look()) / 2)
    assert (np.abs(paths) > bound).any(axis=1).mean() == pytest.approx(0.05, abs=0.003)
    # What all looks have in common makes the error smaller.
    together = np.sqrt(0.5) * rng.normal(size=(100_000, 1)) + np.sqrt(1 / np.array(LOOKS)) * paths
    scaled = together / np.sqrt(0.5 + 1 / np.array(LOOKS))
    assert (np.abs(scaled) > bound).any(axis=1).mean() < 0.05


def test_next_look() -> None:
    assert [next_look(done) for done in (0, 1, 2, 4, 5, 11, 12)] == [2, 2, 3, 6, 6, 12, None]


def test_verdicts() -> None:
    rows = np.arange(400)
    random = np.random.default_rng(0)
    folds = [PairedFold(0, rows[k::4], random.normal(0, 0.01, 100)) for k in range(4)]
    found = out_of_fold_difference(folds)
    assert judge(found) == "same"
    for shift, expected in ((0.02, "higher"), (-0.02, "lower"), (0.005, "same")):
        moved = out_of_fold_difference([dataclasses.replace(one, differences=one.differences + shift) for one in folds])
        assert judge(moved) == expected
    assert judge(found, margin=1e-6) == "undecided"
    assert judge(out_of_fold_difference(folds[:1])) == "undecided"


def test_a_sweep_that_stops_is_rarely_wrong() -> None:
    rng = np.random.default_rng(1)
    level, wrong, decided, naive = level_of_look(), 0, 0, 0
    sweeps = 300
    for _ in range(sweeps):
        folds = [
            PairedFold(repetition, rows, rng.normal(rng.normal(0, 0.004), 0.1, len(rows)))
            for repetition in range(LOOKS[-1])
            for rows in np.array_split(rng.permutation(400), 4)
        ]
        looks = [out_of_fold_difference(folds[: 4 * look], level=level) for look in LOOKS]
        verdict = next((judge(one) for one in looks if judge(one) != "undecided"), "undecided")
        wrong += verdict in ("higher", "lower")
        decided += verdict == "same"
        naive += any(low > 0 or high < 0 for low, high in (one.interval(0.95) for one in looks))
    assert wrong / sweeps <= 0.05
    assert decided / sweeps > 0.3
    assert naive > wrong  # looking at 95% intervals and stopping would be wrong more often
