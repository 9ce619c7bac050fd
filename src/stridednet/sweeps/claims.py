"""What a claim expects of a variant's accuracy, and the verdict of the measurement on it."""

from collections.abc import Iterable, Mapping
from typing import Literal

from stridednet.errors import InputError
from stridednet.sweeps.effect import MARGIN, effect, not_lower
from stridednet.sweeps.out_of_fold import Difference

Expected = Literal["higher", "lower", "same", "not lower"]
Verdict = Literal["holds", "does not hold", "undecided"]


def verdict(expected: Expected, found: Difference | None, margin: float = MARGIN) -> Verdict:
    """Judge an expectation by the difference that was measured.

    ``same`` and ``not lower`` hold as soon as it is certain that nothing, or no loss, above the margin is there, even
    if a smaller difference is certain too. Everything that is not certain is undecided.

    Args:
        expected: Accuracy relative to the base, according to the claim.
        found: The variant's difference from the base; None if nothing was measured.
        margin: Differences up to this size count as none.
    """
    measured = effect(found, margin)
    if found is None or found.count < 2:
        return "undecided"
    if expected == "same" and found.same_within(margin):
        return "holds"
    if expected == "not lower" and not_lower(found, margin):
        return "holds"
    if measured == "undecided":
        return "undecided"
    return "holds" if measured == expected else "does not hold"


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
