"""Progress of a tuning: a progress bar for each round in a terminal, or a line for each training otherwise."""

import time
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from stridednet.cli.consoles import ProgressConsole
from stridednet.cli.progress import console_observer
from stridednet.executor.scores import RunningScores
from stridednet.sweeps.trial import Outcome
from stridednet.training.history import EpochRow
from stridednet.training.observer import Observer, Workload
from stridednet.tuning.observer import TuneObserver


def tune_observer(budget: float, *, quiet: bool) -> TuneObserver:
    """Return the observer for this terminal or redirected output.

    Args:
        budget: Seconds of the budget.
        quiet: Write progress to standard error, so that standard output has nothing but the results.
    """
    console = ProgressConsole(stderr=quiet, highlight=False)
    if console.file.isatty() and not console.is_dumb_terminal:
        return _BarObserver(console, budget, quiet=quiet)
    return _LineObserver(ProgressConsole(stderr=quiet, highlight=False, no_color=True), quiet=quiet)


class _Quieter(Observer):
    """Passes on a training's progress, without advice on how to resume that single training."""

    def __init__(self, whole: Observer) -> None:
        self._whole = whole

    def on_message(self, text: str) -> None:
        pass  # about the data set, once more

    def on_start(self, workload: Workload) -> None:
        self._whole.on_start(workload)

    def on_step(self, epoch: int, step: int, scores: RunningScores) -> None:
        self._whole.on_step(epoch, step, scores)

    def on_epoch(self, row: EpochRow) -> None:
        self._whole.on_epoch(row)

    def on_end(self) -> None:
        self._whole.on_end()

    def on_interrupt(self, epochs: int, folder: Path) -> None:
        pass  # the command says how to continue all of it


class _LineObserver(TuneObserver):
    def __init__(self, console: Console, *, quiet: bool) -> None:
        self._console, self._quiet = console, quiet

    def on_message(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)

    def on_round(self, title: str, trials: int) -> None:
        self._done, self._trials = 0, trials
        self.on_message(title)

    def on_outcome(self, outcome: Outcome, *, restored: bool) -> None:
        self._done += 1
        count = f"{self._done:{len(str(self._trials))}}/{self._trials}"
        if outcome.error:
            self.on_message(f"{count}  {outcome.variant}  failed: {outcome.error}")
            return
        status = "  already finished" if restored else ""
        self.on_message(
            f"{count}  {outcome.variant}  fold {outcome.fold + 1}  accuracy {outcome.accuracy:.4f}  "
            f"{outcome.elapsed:.1f} s{status}"
        )

    def training(self) -> Observer:
        return _Quieter(console_observer(quiet=self._quiet))


class _BarObserver(TuneObserver):
    """Shows one bar at a time, with what is left of the budget."""

    def __init__(self, console: Console, budget: float, *, quiet: bool) -> None:
        self._console, self._quiet = console, quiet
        self._end = time.monotonic() + budget

    def on_message(self, text: str) -> None:
        self._console.print(text, markup=False)

    def on_round(self, title: str, trials: int) -> None:
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            TextColumn("{task.completed}/{task.total}  {task.fields[left]}"),
            console=self._console,
            expand=True,
            transient=True,
        )
        self._task = self._bar.add_task(title, total=trials, left=self._left())
        self._bar.start()

    def on_outcome(self, outcome: Outcome, *, restored: bool) -> None:  # noqa: ARG002 -- they count as well
        if outcome.error:
            self.on_message(f"{outcome.variant} failed: {outcome.error}")
        self._bar.update(self._task, advance=1, left=self._left())

    def on_end(self) -> None:
        self._bar.stop()

    def training(self) -> Observer:
        return _Quieter(console_observer(quiet=self._quiet))

    def _left(self) -> str:
        seconds = max(0, round(self._end - time.monotonic()))
        return f"{seconds // 60}:{seconds % 60:02} of the budget left"
