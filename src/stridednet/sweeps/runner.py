"""Runners, which run the trials of a sweep. The one that uses several processes is in `side_by_side`."""

from collections.abc import Iterable, Iterator
from typing import Protocol

from stridednet.sweeps.trial import Outcome, Trial, run_trial


class Runner(Protocol):
    """Runs trials, in any order and anywhere, and yields each outcome as soon as it is available."""

    def run(self, trials: Iterable[Trial]) -> Iterator[tuple[Trial, Outcome]]:
        """Yield each trial with its outcome."""
        ...


class InTurn:
    """Run the trials one after another in this process, each on all cores."""

    def run(self, trials: Iterable[Trial]) -> Iterator[tuple[Trial, Outcome]]:
        """Yield each trial with its outcome, in the given order."""
        for trial in trials:
            yield trial, run_trial(trial)
