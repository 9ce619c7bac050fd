import pytest

from stridednet.executor.schedule import Schedule
from stridednet.settings import OptimizerSettings


def test_one_cycle_rises_and_falls() -> None:
    settings = OptimizerSettings(schedule="one_cycle", learning_rate=2.0, warmup=0.25)
    rates = [Schedule(settings, epochs=5, steps_per_epoch=8).rate(step) for step in range(41)]
    assert rates[0] == pytest.approx(2 / 25)
    assert rates[5] == pytest.approx((2 / 25 + 2) / 2)  # halfway up
    assert rates[10] == pytest.approx(2.0)
    assert rates[25] == pytest.approx(1.0)  # halfway down
    assert rates[40] == 0.0
    assert rates[:11] == sorted(rates[:11])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert min(rates[:40]) > 0


def test_one_cycle_of_a_single_step() -> None:
    settings = OptimizerSettings(schedule="one_cycle", learning_rate=2.0)
    assert Schedule(settings, 1, 1).rate(0) == pytest.approx(2 / 25)


def test_inverse_time_counts_steps_over_the_whole_training() -> None:
    schedule = Schedule(OptimizerSettings(learning_rate=0.01, decay=0.5), epochs=4, steps_per_epoch=3)
    assert [schedule.rate(step) for step in (0, 1, 8)] == pytest.approx([0.01, 0.01 / 1.125, 0.01 / 2])
