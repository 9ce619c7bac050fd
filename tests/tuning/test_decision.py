import math

import numpy as np
import pytest

from stridednet.sweeps.out_of_fold import Difference, PairedFold, out_of_fold_difference
from stridednet.tuning.decision import adopted, given_passed, promised
from stridednet.tuning.ranking import Score, ordered


def difference(mean: float, error: float) -> Difference:
    """A difference that was measured with a known standard error: no t quantiles, no correction for few answers."""
    some = out_of_fold_difference([PairedFold(0, np.arange(2), np.array([0.0, 1.0])) for _ in range(2)])
    return Difference(mean, math.nan, math.nan, error, math.inf, 2, 100, 0.0, 1, 0.95, some.spread)


@pytest.mark.parametrize(
    ("mean", "error", "expected"),
    [
        (0.0166, 0.01, True),  # 0.0166 - 1.645 * 0.01 = 0.00015
        (0.0164, 0.01, False),  # -0.00005, although the mean is the same for all purposes
        (0.10, 0.07, False),  # much, but not certain: 0.10 - 0.115
        (0.002, 0.001, True),  # little, but certain
        (0.0, 0.001, False),
        (-0.03, 0.01, False),
    ],
)
def test_a_change_is_adopted_if_the_one_sided_limit_is_above_0(mean: float, error: float, expected: bool) -> None:
    assert adopted(difference(mean, error)) is expected


def test_one_training_of_each_decides_nothing() -> None:
    fold = PairedFold(0, np.arange(100), np.ones(100))
    assert not adopted(out_of_fold_difference([fold]))
    assert adopted(out_of_fold_difference([fold, PairedFold(0, np.arange(100, 200), np.ones(100))]))


def test_a_promise_is_as_often_too_large_as_too_small_although_only_adopted_changes_promise() -> None:
    random = np.random.default_rng(1)
    for true in (0.5, 1.5, 3.0):
        passed = random.normal(true, 1, 40_000)
        passed = passed[passed > 1.6449][:400]
        assert passed.mean() > true + 0.02  # what was measured is too large
        promises = [promised(difference(0.01 * one, 0.01)) for one in passed]
        # What is at least 0 for all has the same median, if that is above 0.
        assert np.mean([one.gain > 0.01 * true for one in promises]) == pytest.approx(0.5, abs=0.06)
        assert np.mean([one.low < 0.01 * true < one.high for one in promises]) == pytest.approx(0.95, abs=0.03)


def test_a_large_gain_is_promised_as_it_was_measured() -> None:
    promise = promised(difference(0.08, 0.01))
    assert (promise.gain, promise.low, promise.high) == pytest.approx((0.08, 0.0604, 0.0996), abs=2e-4)


def test_a_gain_that_hardly_passed_promises_nothing() -> None:
    assert promised(difference(0.016449, 0.01)).gain == 0.0
    # By hand: for a true value of 0, 1.96 is exceeded with probability 0.025 and 1.645 with 0.05, which is half.
    assert given_passed(1.95996, 1.64485, 0.5) == pytest.approx(0, abs=1e-3)


def test_the_order_is_that_of_the_mean_rank() -> None:
    scores = [
        Score("base", 0.80, 0.60, 1),  # ranks 1.5 and 1
        Score("a", 0.80, 0.50, 1),  # 1.5 and 0
        Score("b", 0.90, 0.70, 1),  # 0 and 2: as many as the base in all, but the higher accuracy wins below
        Score("c", 0.10, 0.90, 1),  # 3 and 3
    ]
    assert [score.name for score in ordered(scores)] == ["a", "b", "base", "c"]
