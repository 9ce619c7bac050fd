"""Progress of a training: a progress bar on a terminal, one line per epoch otherwise."""

import shlex
import time
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from stridednet.cli.consoles import ProgressConsole
from stridednet.executor.scores import RunningScores
from stridednet.model_settings import is_own_model
from stridednet.run_directory import RunDirectory
from stridednet.storage import path_text
from stridednet.training.history import EpochRow, validations
from stridednet.training.observer import Observer, Workload


def console_observer(*, quiet: bool) -> Observer:
    """Return an observer that shows the progress of a training.

    Args:
        quiet: Whether to write to standard error and keep standard output free for machine-readable results.
    """
    console = ProgressConsole(stderr=quiet, highlight=False)
    if console.file.isatty() and not console.is_dumb_terminal:
        return _BarObserver(console)
    return _LineObserver(ProgressConsole(stderr=quiet, highlight=False, no_color=True))


_READING_INTERVAL = 0.1  # seconds; reading scores waits for the device, and the bar is drawn ten times a second


class _LineObserver(Observer):
    """Prints lines suitable for log files: no wrapping, no control characters."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._epochs = 0

    def on_message(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)

    def on_interrupt(self, epochs: int, folder: Path) -> None:
        self.on_message(_how_to_resume(epochs, folder))

    def on_start(self, workload: Workload) -> None:
        self._epochs = workload.epochs

    def on_epoch(self, row: EpochRow) -> None:
        self.on_message(
            f"{_epoch(row.epoch, self._epochs)}  {_scores(row.loss, row.accuracy)}  {_val_scores([row])}"
            f"{row.images:,} images  {row.seconds:.1f} s  {row.images / row.seconds:,.0f} images/s"
        )


class _Bar(Progress):
    """A progress bar with the scores below it."""

    scores = ""

    def get_renderables(self) -> Iterable[RenderableType]:
        yield self.make_tasks_table(self.tasks)
        yield Text(self.scores, style="dim")


class _BarObserver(Observer):
    """Shows one progress bar for the whole run, and before it one for the choice of a recipe, which then disappears."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def on_message(self, text: str) -> None:
        self._console.print(text, markup=False)

    def on_interrupt(self, epochs: int, folder: Path) -> None:
        self.on_message(_how_to_resume(epochs, folder))

    def on_start(self, workload: Workload) -> None:
        self._workload = workload
        self._val = _val_scores(workload.finished)
        self._speed = 0.0
        self._last_step = time.perf_counter()
        self._last_reading = 0.0
        self._bar = _Bar(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[speed]}"),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
            console=self._console,
            expand=True,
            transient=workload.before_training,
        )
        self._task = self._bar.add_task(
            "starting",
            total=workload.epochs * workload.steps,
            completed=len(workload.finished) * workload.steps,
            speed="",
        )
        self._bar.start()

    def on_step(self, epoch: int, step: int, scores: RunningScores) -> None:
        now, work = time.perf_counter(), self._workload
        speed = work.images_per_step / (now - self._last_step)
        self._speed = 0.9 * self._speed + 0.1 * speed if self._speed else speed
        self._last_step = now
        if scores.images and now - self._last_reading >= _READING_INTERVAL:
            self._bar.scores = f"{_scores(*scores.mean())}  {self._val}"
            self._last_reading = now
        self._bar.update(
            self._task,
            completed=(epoch - 1) * work.steps + step,
            description=f"{_epoch(epoch, work.epochs, before=work.before_training)}  step {step:>3}/{work.steps}",
            speed=f"{self._speed:,.0f} images/s",
        )

    def on_epoch(self, row: EpochRow) -> None:
        self._val = _val_scores([row]) or self._val
        self._bar.scores = f"{_scores(row.loss, row.accuracy)}  {self._val}"
        self._last_step = time.perf_counter()  # excludes the validation from the speed

    def on_end(self) -> None:
        self._bar.stop()


def _how_to_resume(epochs: int, folder: Path) -> str:
    saved = "1 epoch is" if epochs == 1 else f"{epochs} epochs are"
    run = shlex.quote(path_text(folder))
    trust = f" --trust {run}" if is_own_model(RunDirectory(folder).recipe.model.name) else ""
    return f"{saved} saved; resume with: stridednet train --resume {run}{trust}"


def _epoch(number: int, of: int, *, before: bool = False) -> str:
    return f"{'choosing a recipe: ' if before else ''}epoch {number:>{len(str(of))}}/{of}"


def _val_scores(history: Iterable[EpochRow]) -> str:
    """Format the last validation, followed by a separator; empty if there was none."""
    return "".join(f"{_scores(*scores, 'val_')}  " for _, scores in validations(history)[-1:])


def _scores(loss: float, accuracy: float, prefix: str = "") -> str:
    return f"{prefix}loss {loss:.4f}  {prefix}accuracy {accuracy:.4f}"
