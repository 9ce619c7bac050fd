import dataclasses
import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from stridednet.sweeps import out_of_fold
from stridednet.sweeps.out_of_fold import Difference, PairedFold, out_of_fold_difference


def fold(repetition: int, rows: list[int], differences: list[float]) -> PairedFold:
    return PairedFold(repetition, np.array(rows, np.intp), np.array(differences, np.float64))


# Four pictures, two repetitions of two folds. Means of the pictures: 1/2, 0, 1/2, 0.
BY_HAND = [
    fold(0, [0, 1], [1, 0]),
    fold(0, [2, 3], [0, 0]),
    fold(1, [0, 2], [0, 1]),
    fold(1, [1, 3], [0, 0]),
]


def test_by_hand() -> None:
    found = out_of_fold_difference(BY_HAND)
    assert (found.mean, found.count, found.pictures) == (0.25, 4, 4)
    # Between pictures: 4 / 16 / 3 = 1/12. Within trainings: (1/2 + 0 + 1/2 + 0) / (8 - 4) = 1/4. One answer: the
    # excess of the second over the first, divided by 1 - 1/2; it is cut at the second. Between trainings, of 1/2, 0,
    # 1/2 and 0: 1/12, of which (4 * 1/4 / 2 - 4 * 1/12 / 4) / 3 = 5/36 are of pictures. What remains is below 0.
    assert found.spread.answer == pytest.approx(1 / 4)
    assert found.spread.picture == 0
    assert found.spread.training == 0
    assert found.error == pytest.approx(math.sqrt(1 / 12 / 4))
    # Degrees of freedom: pictures (1/48)^2 / 3; trainings, each a quarter, with what they have in common.
    share = (1 / 4 + out_of_fold._COMMON) * 3 / 8 / 12
    assert found.freedom == pytest.approx((1 / 48) ** 2 / ((1 / 48) ** 2 / 3 + share**2 / 3))
    # Two pictures of 1/2, and one of 1 that is always added: (2 / 16 + 1) / (2 / 4 + 1) = 3/4.
    assert found.floor == pytest.approx(3 / 4 / 16)
    half = math.sqrt((stats.t.ppf(0.975, found.freedom) * found.error) ** 2 + stats.norm.ppf(0.975) ** 4 * found.floor)
    assert (found.low, found.high) == pytest.approx((0.25 - half, 0.25 + half))


def test_a_variance_of_trainings_by_hand() -> None:
    # Real numbers without any difference within a fold: all is of trainings, of variance 1/3 between 1, 1, 0 and 0.
    folds = [fold(0, [4 * k + i for i in range(4)], [value] * 4) for k, value in enumerate([0.5, 0.5, 0, 0])]
    found = out_of_fold_difference(folds)
    between = 0.25 / 3
    pictures = 16 * 0.25**2 / 15  # variance of the pictures' means
    assert found.spread.training == pytest.approx(3 / 8 * (between + 4 * pictures / 16 / 3))
    share = 1 / 4 + out_of_fold._COMMON
    assert found.error**2 == pytest.approx(pictures / 16 + share * found.spread.training)
    assert found.floor == 0  # they are not right or wrong


def test_order_of_folds_and_names_of_pictures_do_not_matter() -> None:
    moved = [PairedFold(one.repetition, 7 * one.rows[::-1] + 3, one.differences[::-1]) for one in BY_HAND[::-1]]
    found, same = out_of_fold_difference(moved), out_of_fold_difference(BY_HAND)
    assert (found.low, found.high, found.freedom) == pytest.approx((same.low, same.high, same.freedom))
    assert dataclasses.astuple(found.spread) == pytest.approx(dataclasses.astuple(same.spread))


def test_one_training_says_nothing() -> None:
    found = out_of_fold_difference(BY_HAND[:1])
    assert found.mean == 0.5
    assert math.isnan(found.low)
    assert not found.measurable
    assert not found.same_within(1)
    assert found.repetitions_to_resolve(0.01, 4) is None


def test_incomplete_repetitions_and_ragged_folds() -> None:
    # Three of the four trainings: picture 1 and 3 were measured once.
    found = out_of_fold_difference(BY_HAND[:3])
    assert found.mean == 0.25
    assert found.low < 0.25 < found.high
    ragged = out_of_fold_difference([fold(0, [0, 1, 2], [1, 0, 0]), fold(0, [3], [0])])
    assert ragged.mean == 0.25
    assert math.isfinite(ragged.high)


@pytest.mark.parametrize(
    "folds",
    [[], [fold(0, [], [])], [PairedFold(0, np.array([1, 2]), np.array([0.0]))]],
)
def test_folds_must_have_pairs(folds: list[PairedFold]) -> None:
    with pytest.raises(ValueError, match="folds must have"):
        out_of_fold_difference(folds)


def same_answers(pictures: int, differing: int = 0) -> list[PairedFold]:
    differences = np.zeros(pictures)
    differences[:differing] = 1
    order = np.random.default_rng(0).permutation(pictures)
    return [PairedFold(0, rows, differences[rows]) for rows in np.array_split(order, 4)]


def test_identical_answers_have_the_score_intervals_width() -> None:
    found = out_of_fold_difference(same_answers(1674))
    z = stats.norm.ppf(0.975)
    assert (found.low, found.high) == pytest.approx((-(z**2) / 1674, z**2 / 1674))
    assert found.same_within(0.01)
    assert found.half_width_after(1, 4) == pytest.approx(z**2 / 1674)
    # On few pictures, identical answers do not show that a variant is the same.
    assert not out_of_fold_difference(same_answers(200)).same_within(0.01)


def test_three_answers_that_differ_are_no_effect() -> None:
    # The exact test of McNemar with 3 to 0 has p = 0.25, with 16 to 0 p = 0.00003.
    assert not out_of_fold_difference(same_answers(1674, 3)).measurable
    assert out_of_fold_difference(same_answers(1674, 16)).measurable


def test_interval_at_other_levels_and_for_more_comparisons() -> None:
    found = out_of_fold_difference(BY_HAND)
    assert found.interval(0.95) == (found.low, found.high)
    narrow = found.interval(0.9)
    assert found.low < narrow[0] < narrow[1] < found.high
    # Two comparisons at 95% are one at 97.5%.
    two = out_of_fold_difference(BY_HAND, comparisons=2)
    assert (two.low, two.high) == pytest.approx(found.interval(0.975))
    margin = max(-narrow[0], narrow[1])
    assert found.same_within(margin + 1e-9)
    assert not found.same_within(margin - 1e-9)


def sweep(
    rng: np.random.Generator, pictures: int, repetitions: int, effect: float, training: float, losses: bool
) -> list[PairedFold]:
    """Draw the folds of a sweep: in part persistent and in part new disagreement, and trainings that vary."""
    tendency = rng.normal(0, 0.05, pictures)
    folds = []
    for repetition in range(repetitions):
        for rows in np.array_split(rng.permutation(pictures), 4):
            mean = effect + tendency[rows] + rng.normal(0, training)
            folds.append(PairedFold(repetition, rows, _drawn(rng, mean, losses)))
    return folds


def _drawn(rng: np.random.Generator, mean: NDArray[np.float64], losses: bool) -> NDArray[np.float64]:
    if losses:
        return np.asarray(rng.normal(mean, 0.3))
    up = np.clip(0.05 + mean / 2, 0, 1)
    uniform = rng.random(len(mean))
    return (uniform < up) * 1.0 - (uniform > 1 - np.clip(up - mean, 0, 1))


@pytest.mark.parametrize("repetitions", [1, 2, 4])
@pytest.mark.parametrize("losses", [False, True])
def test_coverage_of_a_known_truth(repetitions: int, losses: bool) -> None:
    rng = np.random.default_rng(3)
    sweeps, truth = 500, 0.0
    found = [out_of_fold_difference(sweep(rng, 800, repetitions, truth, 0.004, losses)) for _ in range(sweeps)]
    covered = np.mean([one.low <= truth <= one.high for one in found])
    assert covered >= 0.93
    # Repetitions help: with the pictures' variance alone known, the interval could not be narrower than this.
    assert np.mean([one.high - one.low for one in found]) < 0.08 / math.sqrt(repetitions)


def test_what_further_repetitions_are_expected_to_bring() -> None:
    rng = np.random.default_rng(4)
    predicted, reached = [], []
    for _ in range(100):
        folds = sweep(rng, 800, 6, 0, 0.015, losses=False)
        pilot = out_of_fold_difference(folds[:8])
        predicted.append(pilot.half_width_after(6, 4))
        found = out_of_fold_difference(folds)
        reached.append((found.high - found.low) / 2)
    # The variance of trainings is a typical one, since a pilot is moved toward that.
    assert np.mean(predicted) == pytest.approx(np.mean(reached), rel=0.25)


def test_how_many_repetitions_resolve_a_point() -> None:
    pilot = out_of_fold_difference(sweep(np.random.default_rng(5), 1600, 2, 0, 0.002, losses=False))
    widths = [pilot.half_width_after(number, 4) for number in (1, 2, 4, 8, math.inf)]
    assert widths == sorted(widths, reverse=True)
    needed = pilot.repetitions_to_resolve(0.01, 4)
    assert needed is not None
    assert pilot.half_width_after(needed, 4) <= 0.01 < pilot.half_width_after(needed - 1, 4)
    assert pilot.repetitions_to_resolve(widths[-1] * 0.99, 4) is None


def test_it_is_measurable_on_either_side() -> None:
    folds = same_answers(1674, 100)
    better = out_of_fold_difference(folds)
    worse = out_of_fold_difference([dataclasses.replace(one, differences=-one.differences) for one in folds])
    assert better.measurable
    assert worse.measurable
    assert isinstance(better, Difference)
    assert (worse.low, worse.high) == pytest.approx((-better.high, -better.low))
