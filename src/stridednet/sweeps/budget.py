"""The time that a sweep may take, and what it can resolve."""

import math
import statistics
import time
from collections.abc import Iterable, Iterator, Sequence

from stridednet.sweeps.comparison import Comparison
from stridednet.sweeps.effect import points
from stridednet.sweeps.trial import Outcome, Trial


class Budget:
    """Count the time of trials, and let through only those that probably end in time.

    Trials of an earlier call that was interrupted count as well, so that both calls together keep the budget.

    Args:
        seconds: The budget; None for no limit.
        jobs: Number of trials that run at once.
    """

    def __init__(self, seconds: float | None, jobs: int) -> None:
        self._seconds, self._jobs = seconds, jobs
        self._started = time.perf_counter()
        self._earlier = 0.0
        self._elapsed: dict[str, list[float]] = {}
        self.over = False

    def count(self, outcome: Outcome, *, restored: bool) -> None:
        """Take note of a finished trial."""
        self._elapsed.setdefault(outcome.variant, []).append(outcome.elapsed)
        if restored:
            self._earlier += outcome.elapsed / self._jobs

    def affordable(self, trials: Iterable[Trial]) -> Iterator[Trial]:
        """Yield trials as long as the time left is enough for the next one."""
        for trial in trials:
            if self._seconds is not None and self._spent() + self._expected(trial.variant.name) > self._seconds:
                self.over = True
                return
            yield trial

    def repetitions(self, variants: Sequence[str], folds: int) -> float:
        """Return how many repetitions of these variants fit into the whole budget."""
        if self._seconds is None:
            return math.inf
        one = folds * sum(map(self._expected, variants)) / self._jobs
        return self._seconds / one if one else math.inf

    def _spent(self) -> float:
        return time.perf_counter() - self._started + self._earlier

    def _expected(self, variant: str) -> float:
        known = self._elapsed.get(variant) or [seconds for each in self._elapsed.values() for seconds in each]
        return statistics.fmean(known) if known else 0.0


def forecast(comparisons: Sequence[Comparison], repetitions: float, most: int, folds: int) -> str:
    """Return a line that says what a number of repetitions can resolve, as a cautious estimate.

    Args:
        comparisons: Those of a pilot; the base first.
        repetitions: What the budget is enough for.
        most: The most repetitions that the sweep would do.
        folds: Trainings of a variant in a repetition.
    """
    number = max(1, min(math.floor(repetitions), most))
    halves = sorted(
        one.difference.half_width_after(number, folds)
        for one in comparisons
        if one.difference is not None and not math.isnan(one.difference.error)
    )
    if not halves:
        return "the pilot is too small to say what the budget resolves"
    low, high = points(halves[0]), points(halves[-1])
    size = low if low == high else f"{low} to {high}"
    enough = f"{number} repetition{'s' if number > 1 else ''}"
    return f"the budget is enough for about {enough}, which can resolve differences of {size} points or less"
