"""A claim about a variant's accuracy, and what an interval says of it."""

from collections.abc import Iterable, Mapping
from typing import Literal

from stridednet.errors import InputError
from stridednet.sweeps.plan import Expected
from stridednet.sweeps.statistics import Difference

Verdict = Literal["holds", "does not hold", "undecided"]

MARGIN = 0.01  # a difference of up to one point counts as none


def verdict(expected: Expected, found: Difference | None) -> Verdict:
    """Judge a claim by the interval around the variant's difference from the base.

    A claimed difference holds where the interval lies on its side of 0, and does not where it lies on the other side,
    or where no difference of more than `MARGIN` is left in it. ``same`` and ``not lower`` hold where the interval
    stays within `MARGIN` (two one-sided tests, Schuirmann 1987, doi:10.1007/BF01068419), and do not where it leaves
    0 out on the wrong side. Everything else is undecided: there were too few pictures or seeds to tell.

    Args:
        expected: What the claim says.
        found: Of the variant; None where nothing was measured.
    """
    if found is None or found.count < 2:
        return "undecided"
    if expected == "lower":
        return _of_a_rise(-found.high, -found.low)
    if expected == "higher":
        return _of_a_rise(found.low, found.high)
    if found.low >= -MARGIN and (found.high <= MARGIN or expected == "not lower"):
        return "holds"
    if found.high < 0 or (found.low > 0 and expected == "same"):
        return "does not hold"
    return "undecided"


def _of_a_rise(low: float, high: float) -> Verdict:
    if low > 0:
        return "holds"
    return "does not hold" if high < 0 or (low >= -MARGIN and high <= MARGIN) else "undecided"


def check_expected(expect: Mapping[str, Expected], variants: Iterable[str]) -> None:
    """Find expectations of what is not trained.

    Raises:
        InputError: There is one.
    """
    names = list(variants)
    for name in expect:
        if name not in names:
            raise InputError(f"expect: '{name}' is no variant of this sweep; they are {', '.join(names)}")
