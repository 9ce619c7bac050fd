"""The events of a sweep."""

from collections.abc import Sequence

from stridednet.sweeps.axes import Variant
from stridednet.sweeps.trial import Outcome


class SweepObserver:
    """Receives the events of a sweep. All methods do nothing; override those you need.

    Examples:
        >>> class Printer(SweepObserver):
        ...     def on_outcome(self, outcome: Outcome, *, restored: bool) -> None:
        ...         print(outcome.variant, outcome.repetition, outcome.fold, outcome.accuracy)
    """

    def on_message(self, text: str) -> None:
        """Called with a line about the data set or the settings."""

    def on_start(self, variants: Sequence[Variant], trials: int) -> None:
        """Called before the first trial, with the variants (the base first) and the number of trials."""

    def on_outcome(self, outcome: Outcome, *, restored: bool) -> None:
        """Called for each finished trial; ``restored`` if it was finished by an earlier call and read from disk."""

    def on_end(self) -> None:
        """Called after the last trial, and also if the sweep stops early because of an error or an interruption."""
