"""Progress of a sweep: a live table in a terminal, or a line for each trial if the output is redirected."""

import dataclasses
import time
from collections.abc import Sequence

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table

from stridednet.cli.consoles import ProgressConsole
from stridednet.cli.screen import wide_console
from stridednet.sweeps.axes import Variant
from stridednet.sweeps.comparison import Comparison
from stridednet.sweeps.design import SweepDesign
from stridednet.sweeps.observer import SweepObserver
from stridednet.sweeps.report import table_rows
from stridednet.sweeps.schedule import comparisons_of
from stridednet.sweeps.trial import Outcome, trial_name

_WIDE = 150  # terminal columns that the whole table needs
_STYLES = {"higher": "green", "lower": "red", "same": "cyan", "undecided": ""}
_NEEDED = ("variant", "trials", "accuracy", "difference in points", "effect", "time")  # in a narrower one


def sweep_observer(design: SweepDesign, *, quiet: bool) -> "SweepObserver":
    """Return the observer for this terminal or redirected output.

    Args:
        design: The sweep that is observed.
        quiet: Write progress to standard error, so that standard output has nothing but the results.
    """
    console = ProgressConsole(stderr=quiet, highlight=False)
    if console.file.isatty() and not console.is_dumb_terminal:
        return _TableObserver(console, design)
    return _LineObserver(ProgressConsole(stderr=quiet, highlight=False, no_color=True), design)


class _Clock:
    """Count trials, and estimate the time left: that of all trials, or of the budget if this is less.

    Args:
        trials: The greatest number of trials.
        design: The sweep.
    """

    def __init__(self, trials: int, design: SweepDesign) -> None:
        self.trials, self.done, self._trained, self._budget = trials, 0, 0, design.budget
        self._most = "at most " if design.sequential else ""
        self._started = time.perf_counter()

    def count(self, *, restored: bool) -> None:
        """Count a finished trial."""
        self.done += 1
        self._trained += not restored

    def left(self) -> str:
        """Return the estimated time left, in minutes and seconds; ``?`` before the first trial has been timed."""
        if not self._trained:
            return "?"
        each = (time.perf_counter() - self._started) / self._trained
        seconds = each * (self.trials - self.done)
        if self._budget is not None:
            seconds = min(seconds, max(0.0, self._budget - (time.perf_counter() - self._started)))
        whole = round(seconds)
        return f"{self._most}{whole // 60}:{whole % 60:02}"

    def total(self) -> str:
        """Return the number of trials."""
        return f"{self._most}{self.trials}"


class _TableObserver(SweepObserver):
    """Show the comparison so far, with the number of trials and the time left below it."""

    def __init__(self, console: Console, design: SweepDesign) -> None:
        self._console, self._design = console, design
        self._outcomes: list[Outcome] = []

    def on_message(self, text: str) -> None:
        self._console.print(text, markup=False)

    def on_start(self, variants: Sequence[Variant], trials: int) -> None:
        # Settings that the machine chooses, such as the precision, can change which variants there are.
        self._design = dataclasses.replace(self._design, variants=tuple(variants))
        self._clock = _Clock(trials, self._design)
        self._live = Live(console=self._console, refresh_per_second=4, transient=True)
        self._show()
        self._live.start()

    def on_outcome(self, outcome: Outcome, *, restored: bool) -> None:
        self._outcomes.append(outcome)
        self._clock.count(restored=restored)
        if outcome.error:
            self.on_message(f"{trial_name(outcome)} failed: {outcome.error}")
        self._show()

    def on_end(self) -> None:
        self._live.stop()

    def _show(self) -> None:
        clock = self._clock
        table = _table(comparisons_of(self._design, self._outcomes), self._console.width)
        # A new spinner each time, so that another thread, which draws both, never shows a count ahead of the table.
        spinner = Spinner("dots", f"{clock.done} of {clock.total()} trials, {clock.left()} left")
        self._live.update(Group("", table, "", spinner))


class _LineObserver(SweepObserver):
    def __init__(self, console: Console, design: SweepDesign) -> None:
        self._console, self._design = console, design

    def on_message(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)

    def on_start(self, variants: Sequence[Variant], trials: int) -> None:
        self._clock, self._width = _Clock(trials, self._design), max(len(variant.name) for variant in variants)
        self.on_message(f"{len(variants)} variants, {self._clock.total()} trials")

    def on_outcome(self, outcome: Outcome, *, restored: bool) -> None:
        clock = self._clock
        clock.count(restored=restored)
        count = f"{clock.done:{len(str(clock.trials))}}/{clock.trials}"
        place = f"repetition {outcome.repetition + 1}, fold {outcome.fold + 1}"
        trial = f"{count}  {outcome.variant:{self._width}}  {place}"
        if outcome.error:
            self.on_message(f"{trial}  failed: {outcome.error}")
            return
        status = "already finished" if restored else f"{clock.left()} left"
        self.on_message(f"{trial}  accuracy {outcome.accuracy:.4f}  {outcome.seconds:.1f} s  {status}")


def print_table(comparisons: Sequence[Comparison]) -> None:
    """Print the comparison as a table."""
    console = wide_console()
    console.print()
    console.print(_table(comparisons, console.width))


def _table(comparisons: Sequence[Comparison], width: int) -> Table:
    header, *rows = table_rows(comparisons)
    table = Table(box=None, pad_edge=False, header_style="bold")
    shown = [place for place, title in enumerate(header) if width >= _WIDE or title in _NEEDED]
    for place in shown:
        table.add_column(header[place], justify="left" if place == 0 else "right", overflow="fold")
    for row, comparison in zip(rows, comparisons, strict=True):
        table.add_row(*(row[place] for place in shown), style=_STYLES[comparison.effect])
    return table
