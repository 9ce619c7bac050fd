import pytest

from stridednet.sweeps.trial import Outcome
from stridednet.tuning.screening import measured_costs
from stridednet.tuning.times import Clock, Times, confirmation, first_round, round_epochs, screening

TIMES = Times(overhead=1.0, epoch=2.0, epochs=20, final=60.0)


def test_durations_follow_from_a_short_training() -> None:
    pilot = Outcome("base", 0, 0, seconds=6.0, elapsed=7.0, predict_ms=10.0, train_images=300, curve=(None, None, 0.5))
    times = Times.measured(pilot, 20, 18, images=400, tested=50)
    # 2 s for an epoch of 300 pictures; one of 400 takes 2.67 s, and half a second to measure on test.
    assert (times.overhead, times.epoch, times.epochs) == (1.0, 2.0, 20)
    assert times.final == pytest.approx(1 + 8 + 18 * (2 * 400 / 300 + 0.5))


def test_as_many_changes_as_possible_are_tried_each_for_two_epochs_at_least() -> None:
    # 11 trainings of 1 + 2 * 2 seconds
    assert first_round(TIMES, [1.0] * 10, 55) == (10, 2)
    assert first_round(TIMES, [1.0] * 10, 54) == (9, 2)
    assert first_round(TIMES, [1.0] * 10, 10_000) == (10, 20)
    assert first_round(TIMES, [2.0, 1.0, 1.0, 1.0, 1.0, 1.0], 7 + 8 * 4) == (6, 2)
    assert first_round(TIMES, [1.0] * 10, 0) == (4, 2)  # never fewer: the least budget is enough for these
    assert first_round(TIMES, [1.0] * 2, 10_000) == (2, 20)


def test_later_rounds_are_as_long_as_their_time_allows() -> None:
    # Two folds, the default and one change that costs 1.5 times as much: 2 * (2 + 2 * 2.5 * epochs) seconds
    assert round_epochs(TIMES, [1.0, 1.5], 2, 64, least=2) == 6
    assert round_epochs(TIMES, [1.0, 1.5], 2, 63, least=2) == 5
    assert round_epochs(TIMES, [1.0, 1.5], 2, 10, least=4) == 4
    assert round_epochs(TIMES, [1.0, 1.5], 2, 1000, least=2) == 20


def test_whole_trainings_come_before_repetitions() -> None:
    pair = 2 * (41 + 41)  # two folds, two trainings of 1 + 2 * 20 seconds
    assert confirmation(TIMES, 1.0, 2, pair) == (20, 1)
    assert confirmation(TIMES, 1.0, 2, 2.9 * pair) == (20, 2)
    assert confirmation(TIMES, 1.0, 2, 100 * pair) == (20, 4)
    assert confirmation(TIMES, 1.0, 2, 0.7 * pair) == (13, 1)  # (0.7 * 82 - 2 * 1) / (2 * 2)
    assert confirmation(TIMES, 1.0, 2, 0) == (10, 1)


def test_the_screening_leaves_time_for_whole_trainings_in_the_confirmation() -> None:
    whole = 2 * (41 + 57)  # two folds, a training of 1 + 2 * 20 seconds and one that costs 1.4 times as much
    assert screening(TIMES, 1000, 2) == 500
    assert screening(TIMES, 300, 2) == pytest.approx(300 - whole)
    assert screening(TIMES, 210, 2) == pytest.approx(70)


def test_the_least_budget_grows_with_the_training() -> None:
    longer = Times(overhead=1.0, epoch=2.0, epochs=20, final=600.0)
    assert longer.least_budget(2, race=False) > TIMES.least_budget(2, race=False) + 2 * 540
    assert TIMES.least_budget(2, race=True) == pytest.approx(TIMES.least_budget(2, race=False) + 20)


def test_time_of_earlier_calls_counts() -> None:
    clock = Clock(jobs=2)
    clock.count(Outcome("base", 0, 0, elapsed=30.0))
    clock.add_earlier(100.0)
    assert clock.spent >= 115


def test_one_slow_training_hardly_changes_what_is_planned() -> None:
    costs = {"base": 1.0, "a": 1.0, "b": 2.0, "c": 1.0}
    assert measured_costs({"base": 3.0, "a": 3.6, "b": 6.0, "c": 3.0}, costs) == pytest.approx(
        {"base": 1.0, "a": 1.2, "b": 2.0, "c": 1.0}
    )
    assert measured_costs({"base": 100.0, "a": 3.0, "b": 6.0, "c": 3.0}, costs) == {
        "base": 2.0,
        "a": 1.0,
        "b": 2.0,
        "c": 1.0,
    }
    assert measured_costs({"base": 3.0}, costs) == {"base": 1.0}
