"""What an interval says about a difference: higher, lower, the same within a margin, or undecided."""

from typing import Literal

from stridednet.sweeps.out_of_fold import Difference

Effect = Literal["higher", "lower", "same", "undecided"]

MARGIN = 0.01  # differences of up to one point count as none


def effect(found: Difference | None, margin: float = MARGIN) -> Effect:
    """Return what is certain about a difference.

    ``higher`` and ``lower`` are certain if the interval lies entirely on that side of 0. ``same`` is certain if the
    interval for two one-sided tests (Schuirmann 1987, doi:10.1007/BF01068419) lies within the margin, unless 0 is
    excluded: a small difference that is certain is reported as one. All else is undecided.

    Args:
        found: The measured difference; None if nothing was measured.
        margin: Differences up to this size count as none.
    """
    if found is None or found.count < 2:
        return "undecided"
    if found.low > 0:
        return "higher"
    if found.high < 0:
        return "lower"
    return "same" if found.same_within(margin) else "undecided"


def not_lower(found: Difference, margin: float = MARGIN) -> bool:
    """Return whether it is certain that accuracy is not lower by more than the margin (a one-sided test)."""
    low, _ = found.interval(2 * found.level - 1)
    return low >= -margin


def effect_text(name: Effect, margin: float) -> str:
    """Return an effect in words.

    >>> effect_text("same", 0.01), effect_text("same", 0.02), effect_text("higher", 0.01)
    ('same within 1 point', 'same within 2 points', 'higher')
    """
    return f"same within {margin_text(margin)}" if name == "same" else name


def margin_text(margin: float) -> str:
    """Return a margin in words.

    >>> margin_text(0.01), margin_text(0.005)
    ('1 point', '0.5 points')
    """
    return f"{points(margin)} point{'' if margin == MARGIN else 's'}"


def points(share: float, *, sign: bool = False) -> str:
    """Return a share as points.

    >>> points(0.01), points(0.0123, sign=True)
    ('1', '+1.2')
    """
    return f"{100 * share:+.1f}" if sign else f"{100 * share:.2g}"
