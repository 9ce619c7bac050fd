"""What a training tells whoever watches it."""

from dataclasses import dataclass

from stridednet.executor.scores import Scores
from stridednet.training.history import EpochRow


@dataclass(frozen=True)
class Plan:
    """What a training is about to do: so many epochs of so many steps, behind those that are finished already."""

    epochs: int
    steps: int
    images_per_step: int
    finished: tuple[EpochRow, ...] = ()


class Observer:
    """Hears what happens; this one says nothing. The command line's progress display is another."""

    def on_message(self, text: str) -> None:
        """Hear something worth knowing, in one line."""

    def on_start(self, plan: Plan) -> None:
        """Hear that the loop starts."""

    def on_step(self, epoch: int, step: int, scores: Scores) -> None:
        """Hear the running scores of the epoch after a step."""

    def on_epoch(self, row: EpochRow) -> None:
        """Hear that an epoch is over and saved."""

    def on_end(self) -> None:
        """Hear that the loop has ended, in whatever way."""
