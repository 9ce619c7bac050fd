import math

import numpy as np
import pytest

from stridednet.errors import InputError
from stridednet.sweeps.claims import Expected, check_expected, verdict, verdict_lines
from stridednet.sweeps.out_of_fold import Difference, PairedFold, Spread, out_of_fold_difference


def interval(low: float, high: float) -> Difference:
    """Return a difference whose interval for two one-sided tests is given; the other one is a tenth wider."""
    half = (high - low) / 2
    error, mean, degrees = half / 1.645, (low + high) / 2, math.inf
    spread = Spread(0.0, 0.0, 0.0, 0.0)
    return Difference(mean, mean - 1.96 * error, mean + 1.96 * error, error, degrees, 8, 100, 0.0, 1, 0.95, spread)


@pytest.mark.parametrize(
    ("expected", "low", "high", "judged"),
    [
        ("higher", 0.01, 0.05, "holds"),
        ("higher", 0.001, 0.05, "undecided"),  # the interval for this question is wider
        ("higher", -0.05, -0.01, "does not hold"),
        ("higher", -0.009, 0.009, "does not hold"),  # a difference worth the name is ruled out
        ("lower", -0.05, -0.01, "holds"),
        ("lower", -0.05, 0.001, "undecided"),
        ("lower", 0.01, 0.05, "does not hold"),
        ("lower", -0.009, 0.009, "does not hold"),
        ("same", -0.009, 0.009, "holds"),
        ("same", 0.003, 0.009, "holds"),  # measurable, and too small to matter
        ("same", 0.0, 0.0, "holds"),
        ("same", -0.02, 0.009, "undecided"),
        ("same", 0.005, 0.02, "does not hold"),
        ("same", -0.02, -0.005, "does not hold"),
        ("not lower", -0.009, 0.2, "holds"),
        ("not lower", -0.02, 0.2, "undecided"),
        ("not lower", -0.2, -0.05, "does not hold"),
    ],
)
def test_a_claim_is_judged_by_the_interval(expected: Expected, low: float, high: float, judged: str) -> None:
    assert verdict(expected, interval(low, high)) == judged


def test_one_training_or_none_decides_nothing() -> None:
    one = out_of_fold_difference([PairedFold(0, np.arange(4), np.array([1.0, 0.0, 0.0, 1.0]))])
    assert verdict("higher", one) == verdict("same", None) == "undecided"


def test_only_what_is_trained_can_be_expected() -> None:
    check_expected({"model.stem_kernel=3": "same"}, ["model.stem_kernel=3"])
    with pytest.raises(
        InputError, match=r"expect: 'model\.stem_kernel=5' is not a variant of .* sweep; its variants are model"
    ):
        check_expected({"model.stem_kernel=5": "same"}, ["model.stem_kernel=3"])


def test_each_expectation_has_a_line() -> None:
    lines = verdict_lines({"epochs=1": "same", "epochs=2": "not lower"}, {"epochs=1": "holds", "epochs=2": "undecided"})
    assert lines == [
        "epochs=1: accuracy expected to be the same: holds",
        "epochs=2: accuracy expected to be not lower: undecided",
    ]
