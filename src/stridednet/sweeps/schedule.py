"""Which trials a sweep runs next: a fixed number of repetitions, or as many as it takes to decide."""

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence

from stridednet.data.fold_assignment import Fold
from stridednet.sweeps.axes import Variant
from stridednet.sweeps.comparison import Comparison, compare
from stridednet.sweeps.design import SweepDesign
from stridednet.sweeps.effect import effect_text
from stridednet.sweeps.folds import Folds
from stridednet.sweeps.out_of_fold import LEVEL, Difference
from stridednet.sweeps.sequential import LOOKS, level_of_look
from stridednet.sweeps.trial import Outcome, Trial


class Schedule:
    """The rounds of a sweep. In a fixed design, there is one, with all trials.

    If a design stops once everything is decided, a round is a repetition. After some of them (`sequential.LOOKS`), a
    variant whose effect is certain, or that no number of repetitions would decide, takes no part in further ones. Only
    outcomes matter for this, so that a sweep that was interrupted and continued decides the same.

    Args:
        design: What is trained and measured.
        prepared: The data of the trials.
        say: Called with a line for each variant that takes no part in further repetitions.
    """

    def __init__(self, design: SweepDesign, prepared: Folds, say: Callable[[str], None]) -> None:
        self._design, self._prepared, self._say = design, prepared, say
        self.outcomes: list[Outcome] = []

    @property
    def most_trials(self) -> int:
        """The number of trials; in a design that stops earlier, the greatest one."""
        return self._design.seeds * self._design.folds * len(self._design.variants)

    def rounds(self) -> Iterator[list[Trial]]:
        """Yield the trials of each round; its outcomes are added to ``outcomes`` before the next one is asked for."""
        base, *others = self._design.variants
        repetitions = range(self._design.seeds)
        if not self._design.sequential:
            yield [trial for number in repetitions for trial in self._repetition(number, self._design.variants)]
            return
        for number in repetitions:
            yield list(self._repetition(number, [base, *others]))
            if number + 1 in LOOKS:
                found = {one.variant.name: one for one in self.comparisons()}
                others = [variant for variant in others if not self._settled(found[variant.name])]
            if not others:
                return

    def comparisons(self) -> tuple[Comparison, ...]:
        """Compare the variants by the outcomes so far."""
        return comparisons_of(self._design, self.outcomes)

    def _repetition(self, repetition: int, variants: Sequence[Variant]) -> Iterator[Trial]:
        for number in range(self._design.folds):
            fold = Fold(repetition, number, self._design.folds)
            for variant in variants:
                recipe = variant.recipe(self._design.base)
                recipe = recipe.replace({"seed": repetition * self._design.folds + number})
                data = self._prepared.of(recipe, fold)
                yield Trial(variant, fold, recipe.sized(len(data.split.train), len(data.labels)), data)

    def _settled(self, found: Comparison) -> bool:
        name = found.variant.name
        if found.difference is None:
            return bool(found.failures)  # each repetition would fail again
        if found.effect != "undecided":
            self._say(f"{name}: {effect_text(found.effect, self._design.margin)}; {found.count} trials")
            return True
        if can_decide(found.difference, self._design):
            return False
        self._say(f"{name}: further repetitions would not decide; {found.count} trials")
        return True


def comparisons_of(design: SweepDesign, outcomes: Sequence[Outcome]) -> tuple[Comparison, ...]:
    """Compare the variants of a design, at the confidence level that its stopping rule asks for."""
    return compare(design.variants, outcomes, margin=design.margin, level=_level(design))


def _level(design: SweepDesign) -> float:
    return level_of_look(max(len(design.variants) - 1, 1)) if design.sequential else LEVEL


def can_decide(found: Difference, design: SweepDesign) -> bool:
    """Return whether the greatest number of repetitions has a chance to decide.

    The interval's last width is predicted from the variances so far. The mean can still change by about two standard
    errors of what is to come.

    Args:
        found: An undecided difference.
        design: The sweep, which has a greatest number of repetitions.
    """
    last, half = (
        dataclasses.replace(found, level=level).half_width_after(design.seeds, design.folds)
        for level in (found.level, 2 * found.level - 1)
    )
    # Half widths are proportional to standard errors, about.
    shrink = min(1.0, last / ((found.high - found.low) / 2))
    change = 2 * found.error * math.sqrt(1 - shrink**2)
    return half < design.margin or abs(found.mean) + change > last
