from dataclasses import replace

import pytest

from stridednet.sweeps.axes import Variant
from stridednet.sweeps.comparison import compare
from stridednet.sweeps.report import table_rows
from stridednet.sweeps.trial import Outcome

BASE, OTHER = Variant(), Variant((("model.stem_kernel", 3),))


def outcomes(base: list[float], other: list[float], seconds: tuple[float, float] = (10.0, 8.0)) -> list[Outcome]:
    shared = {"train_images": 10_000, "val_images": 10, "predict_ms": 1.0, "parameters": 100, "multiply_adds": 1000}
    found = [Outcome("base", seed, accuracy, 0.1, seconds[0], **shared) for seed, accuracy in enumerate(base)]
    found += [Outcome(OTHER.name, seed, accuracy, 0.1, seconds[1], **shared) for seed, accuracy in enumerate(other)]
    return found


def sentence(base: list[float], other: list[float], **more: tuple[float, float]) -> str:
    return compare((BASE, OTHER), outcomes(base, other, **more))[1].sentence({"model.stem_kernel": "7"})


def test_a_measurable_effect_as_a_sentence() -> None:
    # Differences -0.04, -0.05, -0.06: mean -0.05, standard deviation 0.01, t(0.975, 2) / sqrt(3) = 2.484.
    assert sentence([0.95, 0.95, 0.95], [0.91, 0.90, 0.89]) == (
        "model.stem_kernel: 3 instead of 7 changes accuracy by -5.0 points (-7.5 to -2.5; 3 seeds): a measurable "
        "effect; training takes 20% less time"
    )


def test_no_measurable_effect_says_how_many_seeds_would_show_one_point() -> None:
    # The same spread around 0: t(0.975, n - 1) * 0.01 / sqrt(n) falls to 0.01 at 7 seeds (0.92) and not at 6 (1.05).
    assert sentence([0.95, 0.95, 0.95], [0.94, 0.95, 0.96]) == (
        "model.stem_kernel: 3 instead of 7 changes accuracy by +0.0 points (-2.5 to +2.5; 3 seeds): no measurable "
        "effect (detecting a difference of one point takes 4 more seeds); training takes 20% less time"
    )


def test_where_the_interval_is_short_nothing_is_asked_for() -> None:
    text = sentence([0.95, 0.95, 0.95], [0.949, 0.95, 0.951], seconds=(10.0, 10.0))
    assert text.endswith("no measurable effect; training takes the same time")


def test_one_seed_has_no_interval() -> None:
    assert "(1 seed, so no interval)" in sentence([0.95], [0.90])


def test_a_failed_partner_takes_its_pair_away() -> None:
    found = outcomes([0.9, 0.9, 0.9], [0.8, 0.8, 0.8])
    found[0] = Outcome("base", 0, error="the loss became nan")
    base, other = compare((BASE, OTHER), found)
    assert other.difference is not None
    assert other.difference.count == 2
    assert base.failures == ("the loss became nan",)
    assert base.difference is None


def test_ratios_are_medians_over_the_pairs() -> None:
    found = compare((BASE, OTHER), outcomes([0.9, 0.9], [0.9, 0.9], (4.0, 6.0)))[1]
    assert found.time_ratio == pytest.approx(1.5)
    assert (found.parameter_ratio, found.multiply_add_ratio, found.predict_ratio) == (1, 1, 1)


def test_times_are_only_compared_on_as_many_cores() -> None:
    found = outcomes([0.9, 0.9], [0.9, 0.9], (4.0, 6.0))
    found = [replace(outcome, cores=2 if outcome.seed == 0 else 1) for outcome in found]
    found[-1] = replace(found[-1], cores=2, seconds=100.0)  # its partner was trained on one
    assert compare((BASE, OTHER), found)[1].time_ratio == pytest.approx(1.5)


def test_times_without_a_pair_on_as_many_cores_are_not_called_the_same() -> None:
    found = [
        replace(outcome, cores=1 if outcome.variant == BASE.name else 2) for outcome in outcomes([0.9, 0.9], [0.9, 0.8])
    ]
    base, other = compare((BASE, OTHER), found)
    assert (other.time_ratio, other.predict_ratio) == (None, None)
    assert other.sentence({"model.stem_kernel": "7"}).endswith(
        "training times were not compared, as the numbers of cores differ"
    )
    header, base_row, other_row = table_rows((base, other))
    assert other_row[header.index("time")] == "-"
    assert base_row[header.index("time")] == "x 1.00"
