"""What a claim expects of a variant's accuracy, and the verdict of an interval on it."""

from collections.abc import Iterable, Mapping
from typing import Literal

from stridednet.errors import InputError
from stridednet.sweeps.statistics import Difference

Expected = Literal["higher", "lower", "same", "not lower"]
Verdict = Literal["holds", "does not hold", "undecided"]

MARGIN = 0.01  # differences of up to one point count as none


def verdict(expected: Expected, found: Difference | None) -> Verdict:
    """Judge an expectation by the interval around the variant's difference from the base.

    ``higher`` and ``lower`` hold if the interval lies entirely on that side of 0. They do not hold if it lies entirely
    on the other side, or entirely within `MARGIN` of 0. ``same`` and ``not lower`` hold if the interval stays within
    `MARGIN` (two one-sided tests, Schuirmann 1987, doi:10.1007/BF01068419), and do not hold if it excludes 0 on the
    wrong side. Everything else is undecided: there were too few images or seeds to tell.

    Args:
        expected: Accuracy relative to the base, according to the claim.
        found: The measured difference; None if nothing was measured.
    """
    if found is None or found.count < 2:
        return "undecided"
    if expected == "lower":
        return _judge_increase(-found.high, -found.low)
    if expected == "higher":
        return _judge_increase(found.low, found.high)
    if found.low >= -MARGIN and (found.high <= MARGIN or expected == "not lower"):
        return "holds"
    if found.high < 0 or (found.low > 0 and expected == "same"):
        return "does not hold"
    return "undecided"


def verdict_lines(expect: Mapping[str, Expected], verdicts: Mapping[str, Verdict]) -> list[str]:
    """Return a line for each expectation, with its verdict.

    >>> verdict_lines({"model.stem_kernel=3": "lower"}, {"model.stem_kernel=3": "holds"})
    ['model.stem_kernel=3: accuracy expected to be lower: holds']
    """
    texts = {"same": "the same"}
    return [
        f"{name}: accuracy expected to be {texts.get(expected, expected)}: {verdicts[name]}"
        for name, expected in expect.items()
    ]


def check_expected(expect: Mapping[str, Expected], variants: Iterable[str]) -> None:
    """Check that every expectation is about a variant that is trained.

    Raises:
        InputError: One is not.
    """
    names = list(variants)
    for name in expect:
        if name not in names:
            known = ", ".join(names) or "none but the base"
            raise InputError(f"expect: '{name}' is not a variant of this sweep; its variants are {known}")


def _judge_increase(low: float, high: float) -> Verdict:
    if low > 0:
        return "holds"
    return "does not hold" if high < 0 or (low >= -MARGIN and high <= MARGIN) else "undecided"
