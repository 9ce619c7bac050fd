"""Callbacks that report the progress of a training."""

from dataclasses import dataclass

from stridednet.executor.scores import Scores
from stridednet.training.history import EpochRow


@dataclass(frozen=True)
class Plan:
    """The extent of a training: epochs in total, steps per epoch, images per step, and the epochs already finished."""

    epochs: int
    steps: int
    images_per_step: int
    finished: tuple[EpochRow, ...] = ()


class Observer:
    """Receives the events of a training. All methods do nothing; override those you need."""

    def on_message(self, text: str) -> None:
        """Called with a one-line message for the user."""

    def on_start(self, plan: Plan) -> None:
        """Called when the training loop starts."""

    def on_step(self, epoch: int, step: int, scores: Scores) -> None:
        """Called after each step with the running means of the epoch's scores."""

    def on_epoch(self, row: EpochRow) -> None:
        """Called when an epoch is finished and its checkpoint is saved."""

    def on_end(self) -> None:
        """Called when the training loop has ended, also after an error or interruption."""
