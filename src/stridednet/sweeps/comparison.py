"""Compare the outcomes of each variant with the base's, paired by seed."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from stridednet.sweeps.axes import Variant, text_of
from stridednet.sweeps.statistics import Difference, paired_difference, seeds_to_detect
from stridednet.sweeps.trial import Outcome

ONE_POINT = 0.01


@dataclass(frozen=True)
class Comparison:
    """One variant compared with the base; ratios are variant divided by base, medians over the seeds.

    The two ratios of times are None if no pair of trials ran on the same number of cores.
    """

    variant: Variant
    count: int  # finished trials of this variant
    accuracy: float  # mean val accuracy of this variant
    difference: Difference | None  # in val accuracy; None for the base, and if no pair finished
    seconds: float  # median training time of this variant
    time_ratio: float | None
    predict_ratio: float | None
    parameters: int
    parameter_ratio: float
    multiply_adds: int | None  # None, as is its ratio, if the cost of a layer is unknown
    multiply_add_ratio: float | None
    seeds_for_a_point: int | None  # seeds needed to detect a difference of one point
    failures: tuple[str, ...]

    def sentence(self, base_values: dict[str, str]) -> str:
        """Return the comparison as a sentence.

        Args:
            base_values: The base's value for each key, as text.
        """
        what = "; ".join(
            f"{key}: {text_of(value)} instead of {base_values[key]}" for key, value in self.variant.settings
        )
        if self.difference is None:
            reason = self.failures[0] if self.failures else "no trial of the base finished"
            return f"{what} could not be compared: {reason}"
        found = self.difference
        seeds = f"{found.count} seed{'s' if found.count > 1 else ''}"
        if found.count == 1:
            return f"{what} changes accuracy by {_points(found.mean)} points (1 seed, so no interval); {self._cost()}"
        interval = f"({_points(found.low)} to {_points(found.high)}; {seeds})"
        verdict = "a measurable effect" if found.measurable else "no measurable effect"
        return (
            f"{what} changes accuracy by {_points(found.mean)} points {interval}: {verdict}{self._more(found)}; "
            f"{self._cost()}"
        )

    def _more(self, found: Difference) -> str:
        half = (found.high - found.low) / 2
        if found.measurable or half <= ONE_POINT:
            return ""
        if self.seeds_for_a_point is None:
            return " (detecting a difference of one point takes more images, not more seeds)"
        more = self.seeds_for_a_point - found.count
        return f" (detecting a difference of one point takes {more} more seed{'s' if more > 1 else ''})"

    def _cost(self) -> str:
        if self.time_ratio is None:
            return "training times were not compared, as the numbers of cores differ"
        change = round(100 * (self.time_ratio - 1))
        if not change:
            return "training takes the same time"
        return f"training takes {abs(change)}% {'more' if change > 0 else 'less'} time"


def compare(variants: Sequence[Variant], outcomes: Sequence[Outcome]) -> tuple[Comparison, ...]:
    """Compare each variant with the first, which is the base, over the seeds that both have finished.

    Args:
        variants: The variants, the base first.
        outcomes: The outcomes of all variants.
    """
    finished = [outcome for outcome in outcomes if not outcome.error]
    base = {outcome.seed: outcome for outcome in finished if outcome.variant == variants[0].name}
    comparisons = max(len(variants) - 1, 1)
    return tuple(_compared(variant, variants[0], base, outcomes, comparisons) for variant in variants)


def _compared(
    variant: Variant, base_variant: Variant, base: dict[int, Outcome], outcomes: Sequence[Outcome], comparisons: int
) -> Comparison:
    of_variant = [outcome for outcome in outcomes if outcome.variant == variant.name]
    own = {outcome.seed: outcome for outcome in of_variant if not outcome.error}
    failures = tuple(outcome.error for outcome in of_variant if outcome.error)
    seeds = sorted(own.keys() & base.keys())
    difference, needed = None, None
    if seeds and variant != base_variant:
        first = base[seeds[0]]
        overlap = first.val_images / first.train_images
        difference = paired_difference(
            [own[seed].accuracy for seed in seeds],
            [base[seed].accuracy for seed in seeds],
            overlap=overlap,
            comparisons=comparisons,
        )
        if difference.count > 1:
            needed = seeds_to_detect(ONE_POINT, difference.deviation, overlap=overlap, comparisons=comparisons)
    one = next(iter(own.values()), None)
    adds = [(own[seed].multiply_adds, base[seed].multiply_adds) for seed in seeds]
    known_adds = [(value, of_base) for value, of_base in adds if value is not None and of_base is not None]
    timed = [seed for seed in seeds if own[seed].cores == base[seed].cores]
    return Comparison(
        variant,
        count=len(own),
        accuracy=statistics.fmean(outcome.accuracy for outcome in own.values()) if own else 0.0,
        difference=difference,
        seconds=statistics.median(outcome.seconds for outcome in own.values()) if own else 0.0,
        time_ratio=_ratio([(own[seed].seconds, base[seed].seconds) for seed in timed]),
        predict_ratio=_ratio([(own[seed].predict_ms, base[seed].predict_ms) for seed in timed]),
        parameters=one.parameters if one else 0,
        parameter_ratio=_ratio([(own[seed].parameters, base[seed].parameters) for seed in seeds]) or 1.0,
        multiply_adds=one.multiply_adds if one else 0,
        multiply_add_ratio=_ratio(list(known_adds)) or (1.0 if len(known_adds) == len(adds) else None),
        seeds_for_a_point=needed,
        failures=failures,
    )


def _ratio(pairs: list[tuple[float, float]]) -> float | None:
    ratios = [value / base for value, base in pairs if base]
    return statistics.median(ratios) if ratios else None


def _points(share: float) -> str:
    return f"{100 * share:+.1f}"
