"""The training loop."""

import math
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from itertools import islice

import numpy as np

from stridednet.data.batches import Batch, BatchStream
from stridednet.errors import TrainingError
from stridednet.executor.scores import RunningScores
from stridednet.executor.trainer import Trainer
from stridednet.threads import share_cores
from stridednet.training.history import EpochRow
from stridednet.training.interrupt import interrupts_held
from stridednet.training.observer import Observer


def train_epochs(
    trainer: Trainer,
    stream: BatchStream,
    validation: Callable[[], Iterable[Batch]] | None,
    epochs: range,
    validation_freq: int,
    seed: int,
    observer: Observer,
) -> Generator[EpochRow, None, None]:
    """Train epoch by epoch, and yield the row of each finished epoch.

    Random numbers in an epoch depend only on the seed and the number of the epoch, so that the caller can stop after
    any epoch, save the trainer's state, and resume in another process with the same result. A caller that stops early
    closes the generator.

    Args:
        trainer: Takes the steps.
        stream: Training batches; every epoch has the same number of steps.
        validation: Returns the batches to validate on; None to validate never.
        epochs: The numbers of the epochs to train, counted from 1.
        validation_freq: Number of epochs between validations; the last epoch is always validated.
        seed: Random seed of the training.
        observer: Is notified of every step.

    Raises:
        TrainingError: The loss became NaN or infinite.
    """
    with interrupts_held() as let_interrupt_through, closing(stream.epochs(epochs)) as batches:
        for epoch in epochs:
            started = time.perf_counter()
            trainer.start_epoch(_seed_of_epoch(seed, epoch))
            running = RunningScores()
            threads = 0
            for step, batch in enumerate(islice(batches, stream.steps_per_epoch), start=1):
                threads += share_cores()
                running.add(trainer.train_batch(batch), len(batch.images))
                observer.on_step(epoch, step, running)
                let_interrupt_through()
            scores = running.mean()
            _require_finite(scores.loss, epoch)
            trained = time.perf_counter()
            due = epoch % validation_freq == 0 or epoch == epochs[-1]
            val = trainer.evaluate(validation()) if validation is not None and due else None
            yield EpochRow(
                epoch=epoch,
                loss=scores.loss,
                accuracy=scores.accuracy,
                val_loss=val.loss if val else None,
                val_accuracy=val.accuracy if val else None,
                learning_rate=trainer.learning_rate(),
                steps=step,
                images=running.images,
                seconds=round(trained - started, 4),
                val_seconds=round(time.perf_counter() - trained, 4),
                threads=round(threads / step, 2),
            )
        let_interrupt_through()


def _require_finite(loss: float, epoch: int) -> None:
    if not math.isfinite(loss):
        raise TrainingError(
            f"the loss became {loss} in epoch {epoch}: set a lower optimizer.learning_rate and train again"
        )


def _seed_of_epoch(seed: int, epoch: int) -> int:
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0])
