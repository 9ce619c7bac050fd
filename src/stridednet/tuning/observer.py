"""The events of a tuning."""

from stridednet.sweeps.trial import Outcome
from stridednet.training.observer import Observer


class TuneObserver:
    """Receives the events of a tuning. All methods do nothing; override those you need.

    Examples:
        >>> class Printer(TuneObserver):
        ...     def on_outcome(self, outcome: Outcome, *, restored: bool) -> None:
        ...         print(outcome.variant, outcome.accuracy)
    """

    def on_message(self, text: str) -> None:
        """Called with a line about the data set, the settings or the course of the tuning."""

    def on_round(self, title: str, trials: int) -> None:
        """Called before a round of trainings, with their number."""

    def on_outcome(self, outcome: Outcome, *, restored: bool) -> None:
        """Called for each finished training of a round; ``restored`` if an earlier call finished it."""

    def on_end(self) -> None:
        """Called after a round, and also if it stops early because of an error or an interruption."""

    def training(self) -> Observer:
        """Return what observes the choice of the default recipe, or a training on all training pictures."""
        return Observer()
