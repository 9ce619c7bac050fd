"""Callbacks that report the progress of a training."""

from dataclasses import dataclass
from pathlib import Path

from stridednet.executor.scores import RunningScores
from stridednet.training.history import EpochRow


@dataclass(frozen=True)
class Workload:
    """The size of a training.

    Args:
        epochs: Number of epochs, the finished ones included.
        steps: Steps per epoch.
        images_per_step: Batch size.
        finished: The epochs of an earlier session.
        before_training: Whether these are the trainings that choose a recipe, and not the training itself.
    """

    epochs: int
    steps: int
    images_per_step: int
    finished: tuple[EpochRow, ...] = ()
    before_training: bool = False


class Observer:
    """Receives the events of a training. All methods do nothing; override those you need.

    Examples:
        >>> class Printer(Observer):
        ...     def on_epoch(self, row: EpochRow) -> None:
        ...         print(row.epoch, row.val_accuracy)
    """

    def on_message(self, text: str) -> None:
        """Called with a one-line message for the user."""

    def on_start(self, workload: Workload) -> None:
        """Called when the training loop starts, and before that when the trainings start that choose a recipe."""

    def on_step(self, epoch: int, step: int, scores: RunningScores) -> None:
        """Called after each step with the running scores of the epoch, whose ``mean()`` waits for the device."""

    def on_epoch(self, row: EpochRow) -> None:
        """Called when an epoch is finished. Its checkpoint is written while the next epoch is trained."""

    def on_end(self) -> None:
        """Called when the training loop has ended, also after an error or interruption."""

    def on_interrupt(self, epochs: int, folder: Path) -> None:
        """Called when a training stops early and can be resumed.

        Args:
            epochs: Number of epochs that are saved.
            folder: The run directory.
        """


class PartObserver(Observer):
    """Passes on the steps of one of several trainings that are shown as one, with the epochs of earlier ones counted.

    Args:
        whole: Receives the steps.
        epochs_before: Number of epochs of the earlier trainings.
    """

    def __init__(self, whole: Observer, epochs_before: int) -> None:
        self._whole = whole
        self._epochs_before = epochs_before

    def on_step(self, epoch: int, step: int, scores: RunningScores) -> None:
        """Pass on a step."""
        self._whole.on_step(self._epochs_before + epoch, step, scores)
