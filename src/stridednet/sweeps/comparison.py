"""Compare the outcomes of each variant with the base's, paired by fold and by picture."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stridednet.sweeps.axes import Variant, text_of
from stridednet.sweeps.effect import MARGIN, Effect, effect, effect_text, margin_text, points
from stridednet.sweeps.out_of_fold import LEVEL, Difference, PairedFold, out_of_fold_difference
from stridednet.sweeps.picture_results import PictureResults
from stridednet.sweeps.trial import Outcome

Place = tuple[int, int]  # repetition and fold


@dataclass(frozen=True)
class Comparison:
    """One variant compared with the base; ratios are variant divided by base, medians over the trials.

    The two ratios of times are None if no pair of trials ran on the same number of cores.
    """

    variant: Variant
    count: int  # finished trials of this variant
    accuracy: float  # mean accuracy of its trials, each on the pictures of its fold
    difference: Difference | None  # in accuracy; None for the base, and if no pair finished
    loss_difference: Difference | None  # in log loss
    effect: Effect  # on accuracy
    margin: float
    repetitions: int | None  # after which the margin can probably be resolved; None if no number of them suffices
    seconds: float  # median training time of this variant
    time_ratio: float | None
    predict_ratio: float | None
    parameters: int
    parameter_ratio: float
    multiply_adds: int | None  # None, as is its ratio, if the cost of a layer is unknown
    multiply_add_ratio: float | None
    failures: tuple[str, ...]

    def sentence(self, base_values: Mapping[str, str]) -> str:
        """Return the comparison as a sentence.

        Args:
            base_values: The base's value for each key, as text.
        """
        what = "; ".join(
            f"{key}: {text_of(value)} instead of {base_values[key]}" for key, value in self.variant.settings
        )
        found = self.difference
        if found is None:
            reason = self.failures[0] if self.failures else "no trial of the base finished"
            return f"{what}: could not be compared: {reason}"
        measured = f"{points(found.mean, sign=True)} points"
        if math.isnan(found.low):
            return f"{what}: accuracy changes by {measured} (one training of each, so no interval); {self._cost()}"
        interval = f"{points(found.low, sign=True)} to {points(found.high, sign=True)}"
        return f"{what}: {self._verdict(found)} ({measured}, interval {interval}){self._more()}; {self._cost()}"

    def _verdict(self, found: Difference) -> str:
        same = effect_text("same", self.margin)
        if self.effect == "same":
            return f"accuracy is the {same}"
        if self.effect == "undecided":
            return "the effect on accuracy is undecided"
        less = f" ({same})" if found.same_within(self.margin) else ""
        return f"accuracy is {self.effect}{less}"

    def _more(self) -> str:
        """Return what it would take to decide, if nothing is decided."""
        if self.effect != "undecided":
            return ""
        size = margin_text(self.margin)
        if self.repetitions is None:
            return f", and no number of repetitions can resolve {size} with these pictures"
        return f", and resolving {size} takes about {self.repetitions} repetitions"

    def _cost(self) -> str:
        if self.time_ratio is None:
            return "training times were not compared, as the numbers of cores differ"
        change = round(100 * (self.time_ratio - 1))
        if not change:
            return "training takes the same time"
        return f"training takes {abs(change)}% {'more' if change > 0 else 'less'} time"


def compare(
    variants: Sequence[Variant],
    outcomes: Sequence[Outcome],
    *,
    margin: float = MARGIN,
    level: float = LEVEL,
) -> tuple[Comparison, ...]:
    """Compare each variant with the first, which is the base, over the folds that both have finished.

    Args:
        variants: The variants, the base first.
        outcomes: The outcomes of all variants.
        margin: Differences in accuracy of up to this size count as none.
        level: Confidence level of all intervals together.
    """
    trials: dict[str, dict[Place, Outcome]] = {variant.name: {} for variant in variants}
    failures: dict[str, list[str]] = {variant.name: [] for variant in variants}
    for outcome in outcomes:
        if outcome.error:
            failures[outcome.variant].append(outcome.error)
        else:
            trials[outcome.variant][outcome.repetition, outcome.fold] = outcome
    base = trials[variants[0].name]
    comparisons = max(len(variants) - 1, 1)
    return tuple(
        _compared(
            variant,
            trials[variant.name],
            {} if variant == variants[0] else base,
            failures=tuple(failures[variant.name]),
            margin=margin,
            comparisons=comparisons,
            level=level,
        )
        for variant in variants
    )


def _compared(
    variant: Variant,
    own: Mapping[Place, Outcome],
    base: Mapping[Place, Outcome],
    *,
    failures: tuple[str, ...],
    margin: float,
    comparisons: int,
    level: float,
) -> Comparison:
    pairs = [(own[place], base[place]) for place in sorted(own.keys() & base.keys())]
    difference, loss_difference = None, None
    if pairs:
        difference, loss_difference = (
            out_of_fold_difference([of(*pair) for pair in pairs], comparisons=comparisons, level=level)
            for of in (_accuracies, _losses)
        )
    one = next(iter(own.values()), None)
    adds = [(of_own.multiply_adds, of_base.multiply_adds) for of_own, of_base in pairs]
    known_adds = [(value, of_base) for value, of_base in adds if value is not None and of_base is not None]
    timed = [(of_own, of_base) for of_own, of_base in pairs if of_own.cores == of_base.cores > 0]
    return Comparison(
        variant,
        count=len(own),
        accuracy=statistics.fmean(outcome.accuracy for outcome in own.values()) if own else 0.0,
        difference=difference,
        loss_difference=loss_difference,
        effect=effect(difference, margin),
        margin=margin,
        repetitions=_repetitions(difference, margin, pairs),
        seconds=statistics.median(outcome.seconds for outcome in own.values()) if own else 0.0,
        time_ratio=_ratio([(of_own.seconds, of_base.seconds) for of_own, of_base in timed]),
        predict_ratio=_ratio([(of_own.predict_ms, of_base.predict_ms) for of_own, of_base in timed]),
        parameters=one.parameters if one else 0,
        parameter_ratio=_ratio([(of_own.parameters, of_base.parameters) for of_own, of_base in pairs]) or 1.0,
        multiply_adds=one.multiply_adds if one else 0,
        multiply_add_ratio=_ratio(list(known_adds)) or (1.0 if len(known_adds) == len(adds) else None),
        failures=failures,
    )


def _repetitions(difference: Difference | None, margin: float, pairs: Sequence[tuple[Outcome, Outcome]]) -> int | None:
    if difference is None:
        return None
    return difference.repetitions_to_resolve(margin, folds=1 + max(own.fold for own, _ in pairs))


def _accuracies(own: Outcome, base: Outcome) -> PairedFold:
    mine, theirs = _results(own), _results(base)
    return PairedFold(own.repetition, mine.rows.astype(np.intp), mine.correct.astype(np.float64) - theirs.correct)


def _losses(own: Outcome, base: Outcome) -> PairedFold:
    mine, theirs = _results(own), _results(base)
    return PairedFold(own.repetition, mine.rows.astype(np.intp), mine.losses.astype(np.float64) - theirs.losses)


def _results(outcome: Outcome) -> PictureResults:
    if outcome.pictures is None:  # only outcomes with an error have none
        raise ValueError(f"{outcome.variant} has no results")
    return outcome.pictures


def _ratio(pairs: list[tuple[float, float]]) -> float | None:
    ratios = [value / base for value, base in pairs if base]
    return statistics.median(ratios) if ratios else None
