"""A sweep on the screen: a line for each trial, then the table."""

import time
from collections.abc import Sequence

import typer
from rich.table import Table

from stridednet.cli.screen import wide_console
from stridednet.sweeps.axes import Variant
from stridednet.sweeps.comparison import Comparison
from stridednet.sweeps.experiment import SweepObserver
from stridednet.sweeps.report import table_rows
from stridednet.sweeps.trial import Outcome


def line_observer(*, quiet: bool) -> SweepObserver:
    """Return what prints one line for each trial, with the time that is left.

    Args:
        quiet: Keep standard output free for machine-readable results, and talk on standard error.
    """
    return _LineObserver(quiet=quiet)


class _LineObserver(SweepObserver):
    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._done = self._trained = self._all = self._width = 0
        self._started = time.perf_counter()

    def on_message(self, text: str) -> None:
        typer.echo(text, err=self._quiet)

    def on_start(self, variants: Sequence[Variant], trials: int) -> None:
        self._all, self._width = trials, max(len(variant.name) for variant in variants)
        self._started = time.perf_counter()
        self.on_message(f"{len(variants)} variants, {trials} trials")

    def on_outcome(self, outcome: Outcome, *, again: bool) -> None:
        self._done += 1
        self._trained += not again
        each = (time.perf_counter() - self._started) / max(self._trained, 1)
        left = round(each * (self._all - self._done))
        count = f"{self._done:{len(str(self._all))}}/{self._all}"
        trial = f"{count}  {outcome.variant:{self._width}}  seed {outcome.seed}"
        if outcome.error:
            self.on_message(f"{trial}  failed: {outcome.error}")
            return
        waiting = "finished before" if again else f"{left // 60}:{left % 60:02} left"
        self.on_message(f"{trial}  val_accuracy {outcome.accuracy:.4f}  {outcome.seconds:.1f} s  {waiting}")


def print_table(comparisons: Sequence[Comparison]) -> None:
    """Print what came of each variant."""
    header, *rows = table_rows(comparisons)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, title in enumerate(header):
        table.add_column(title, justify="left" if number == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*row)
    print()
    wide_console().print(table)
