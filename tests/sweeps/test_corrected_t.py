import math
import sys

import numpy as np
import pytest
from scipy import stats

from conftest import PROJECT

sys.path.insert(0, str(PROJECT / "benchmarks"))  # programs, not a package

from corrected_t import paired_difference


def test_without_overlap_it_is_scipys_paired_t_interval() -> None:
    random = np.random.default_rng(0)
    for count in (2, 3, 5, 20):
        values, base = random.normal(0.9, 0.02, count), random.normal(0.88, 0.03, count)
        ours = paired_difference(values.tolist(), base.tolist(), overlap=0)
        theirs = stats.ttest_rel(values, base).confidence_interval(0.95)
        assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high))
        assert ours.mean == pytest.approx(values.mean() - base.mean())


def test_by_hand() -> None:
    # Differences 1, 2, 3: mean 2, standard deviation 1; t(0.975, 2) = 4.30265; sqrt(1 / 3 + 1 / 3) = 0.81650.
    found = paired_difference([1, 2, 3], [0, 0, 0], overlap=1 / 3)
    assert (found.mean, found.deviation, found.count) == (2, 1, 3)
    assert found.high - found.mean == pytest.approx(4.30265 * 0.81650, rel=1e-4)
    assert not found.measurable
    # Two comparisons: each at 97.5%, t(0.9875, 2) = 6.20535.
    wider = paired_difference([1, 2, 3], [0, 0, 0], overlap=0, comparisons=2)
    assert wider.high - wider.mean == pytest.approx(6.20535 / math.sqrt(3), rel=1e-4)


def test_one_pair_says_nothing_and_no_pair_is_an_error() -> None:
    single = paired_difference([0.9], [0.8], overlap=0)
    assert single.mean == pytest.approx(0.1)
    assert math.isnan(single.low)
    assert not single.measurable
    with pytest.raises(ValueError, match="pairs"):
        paired_difference([], [], overlap=0)
    with pytest.raises(ValueError, match="pairs"):
        paired_difference([1.0], [1.0, 2.0], overlap=0)


def _folds(random: np.random.Generator, count: int, val: int, effect: float) -> tuple[list[float], list[float]]:
    """Draw one data set, and measure two fixed rules on repeated splits of it, as a sweep does.

    The rules' answers on a picture are right with 0.9 and 0.9 + effect; a split shows the pictures of its val subset.
    The splits overlap, so that their differences hang together.
    """
    pictures = 4 * val
    base_right = random.random(pictures) < 0.9
    value_right = random.random(pictures) < 0.9 + effect
    rows = [random.permutation(pictures)[:val] for _ in range(count)]
    return [value_right[row].mean() for row in rows], [base_right[row].mean() for row in rows]


@pytest.mark.parametrize("effect", [0.0, 0.03])
def test_coverage_on_overlapping_splits_of_a_known_truth(effect: float) -> None:
    random = np.random.default_rng(1)
    held = {0.0: 0, 1 / 3: 0}
    repetitions = 600
    for _ in range(repetitions):
        values, base = _folds(random, 10, 100, effect)
        for overlap in held:
            found = paired_difference(values, base, overlap=overlap)
            held[overlap] += found.low <= effect <= found.high
    assert held[1 / 3] / repetitions >= 0.93  # the corrected interval keeps its promise
    assert held[0.0] / repetitions < 0.85  # the plain one does not: that is why it is corrected


def test_false_alarms_among_many_values_without_effect() -> None:
    random = np.random.default_rng(2)
    alarms = {1: 0, 5: 0}
    repetitions = 600
    for _ in range(repetitions):
        base = random.normal(size=8)
        values = [random.normal(size=8) for _ in range(5)]
        for comparisons in alarms:
            alarms[comparisons] += any(
                paired_difference(value.tolist(), base.tolist(), overlap=0, comparisons=comparisons).measurable
                for value in values
            )
    assert alarms[5] / repetitions <= 0.06  # at most 5% of such sweeps see something where there is nothing
    assert alarms[1] / repetitions > 0.1
