"""Measured claims as plain sentences: which words follow from which numbers.

>>> joined(["a", "b", "c"])
'a, b or c'
>>> points_text(0.0512), points_text(0.01), points_text(0.004)
('5.1 points', '1 point', '0.4 points')
"""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from stridednet.conv2d.measured import MeasuredClaim, Measurement

_SAME_TIME = (
    0.03  # changes of training time up to this share count as none: trials alternate, but the machine is shared
)
_MOST_TIMES = 2  # a sentence that names more of them is hard to read


@dataclass(frozen=True)
class Wording:
    """How the variants of a claim are named.

    Attributes:
        frame: A text with ``{}`` for one or several variants.
        variants: The words for each variant.
        says: Who says what the claim says.
    """

    frame: str
    variants: dict[str, str]
    says: str = "The tutorial says"

    def phrase(self, variants: Sequence[str]) -> str:
        """Return some variants in words."""
        return self.frame.format(joined([self.variants[variant] for variant in variants]))

    def start(self, variants: Sequence[str]) -> str:
        """Return some variants in words that begin a sentence; names with an underscore keep their spelling."""
        text = self.phrase(variants)
        return text if "_" in text.partition(" ")[0] else text[0].upper() + text[1:]


@cache
def wordings() -> dict[str, Wording]:
    """Return the wording of each claim, by its name."""
    text = (resources.files("stridednet") / "pages" / "wording.toml").read_text(encoding="utf-8")
    return {name: Wording(**table) for name, table in tomllib.loads(text).items()}


def sentence(claim: MeasuredClaim, rows: Iterable[Measurement] | None = None) -> str:
    """Return what was measured: a sentence for all variants with the same result.

    Args:
        claim: The claim.
        rows: Some of its measurements; None for all.

    Returns:
        One sentence or several; "Not measured yet." if there is no measurement.
    """
    found: dict[str, list[Measurement]] = {}
    for row in claim.measurements if rows is None else rows:
        found.setdefault(row.variant, []).append(row)
    if not found:
        return "Not measured yet."
    # Variants of which the same is said about accuracy share a sentence.
    alike: dict[str, dict[str, list[Measurement]]] = {}
    for variant, results in found.items():
        alike.setdefault(_accuracy(results, claim.margin), {})[variant] = results
    wording = wordings()[claim.name]
    return " ".join(
        f"{wording.start(list(variants))}: {accuracy}{_time(variants, wording)}."
        for accuracy, variants in alike.items()
    )


def disagreement(claim: MeasuredClaim) -> str:
    """Return a sentence on where the claim and the measurements disagree; empty if they do not."""
    wrong: dict[str, list[str]] = {}
    for row in claim.measurements:
        if row.verdict == "does not hold":
            wrong.setdefault(row.variant, []).append(row.data)
    if not wrong:
        return ""
    words = wordings()[claim.name].variants
    places: dict[str, list[str]] = {}
    for variant, data in wrong.items():
        places.setdefault(" and ".join(data), []).append(words[variant])
    where = "; ".join(f"for {joined(names)} on {data}" for data, names in places.items())
    return f'{wordings()[claim.name].says}: "{claim.claim}" Measured: this does not hold {where}.'


def _accuracy(results: Sequence[Measurement], margin: float) -> str:
    found: dict[str, list[str]] = {}
    for row in results:
        found.setdefault(_accuracy_on(row, margin), []).append(row.data)
    return ", ".join(f"{text} on {_places(data)}" for text, data in found.items())


def _places(data: Sequence[str]) -> str:
    return "both data sets" if len(data) == 2 else _listed(data)


def _accuracy_on(row: Measurement, margin: float) -> str:
    if row.effect == "undecided":
        rules_out_a_loss = row.expected == "not lower" and row.verdict == "holds"
        return f"no loss of more than {points_text(margin)}" if rules_out_a_loss else "accuracy undecided"
    if row.effect == "same":
        return f"the same accuracy within {points_text(margin)}"
    less = f", which is within {points_text(margin)}," if row.within_margin else ""
    return f"{points_text(abs(row.difference))} {'more' if row.effect == 'higher' else 'less'} accurate{less}"


def _time(variants: Mapping[str, Sequence[Measurement]], wording: Wording) -> str:
    """Return what variants do to training time, by the mean over the data sets."""
    changes: dict[str, list[str]] = {}
    means = []
    for variant, rows in variants.items():
        ratios = [row.time_ratio for row in rows if row.time_ratio]
        if ratios:
            means.append(sum(ratios) / len(ratios))
            changes.setdefault(_time_change(means[-1]), []).append(wording.variants[variant])
    if not changes:
        return ""
    if len(changes) == 1:
        return f"; training takes {next(iter(changes))}"
    if len(changes) > _MOST_TIMES:
        return f"; training takes {min(means):.2f} to {max(means):.2f} times as long"
    return f"; training takes {', '.join(f'{text} ({joined(names)})' for text, names in changes.items())}"


def _time_change(ratio: float) -> str:
    change = ratio - 1
    if abs(change) < _SAME_TIME:
        return "the same time"
    if change >= 1:
        return f"{ratio:.1f} times as long"
    return f"{100 * abs(change):.0f}% {'more' if change > 0 else 'less'} time"


def points_text(share: float) -> str:
    """Return a share as points, in words."""
    number = f"{100 * share:.1f}".removesuffix(".0")
    return f"{number} point{'' if number == '1' else 's'}"


def joined(words: Sequence[str]) -> str:
    """Return words as a list with "or"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
