"""``stridednet sweep``."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stridednet.cli.screen import wide_console

if TYPE_CHECKING:
    from stridednet.sweeps.comparison import Comparison
    from stridednet.sweeps.experiment import SweepObserver


def sweep_command(
    dataset: Annotated[
        str | None,
        typer.Argument(help="A folder with one sub-folder per class, an archive of one, or a name. [default: digits]"),
    ] = None,
    vary: Annotated[
        list[str] | None,
        typer.Option("--vary", metavar="KEY=V1,V2,...", help="A setting and the values to try. Several make a grid."),
    ] = None,
    seeds: Annotated[int, typer.Option(help="How often everything is repeated.")] = 5,
    one_at_a_time: Annotated[
        bool, typer.Option("--one-at-a-time", help="No grid: vary each setting around the base.")
    ] = False,
    recipe: Annotated[str, typer.Option(help="The base: a recipe by name, or a TOML file.")] = "fast",
    assignments: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting of the base.")
    ] = None,
    labels: Annotated[str | None, typer.Option(help="Classes to use, separated by commas. [default: all]")] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="The sweep's folder; finished trials in it are kept. [default: in runs/sweep]"
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print comparison.json on standard output.")] = False,
) -> None:
    """Measure what settings do: many trainings, compared with the base seed by seed.

    An interrupted sweep goes on when the same command is given again. The test subset is not looked at.
    """
    from stridednet.cli.train import names_of
    from stridednet.recipe import load_recipe, parse_override
    from stridednet.sweeps.axes import parse_axis, variants

    settings = dict(map(parse_override, assignments or []))
    if labels is not None:
        settings["data.labels"] = names_of(labels)
    # A typing error is told before Keras is loaded.
    variants(load_recipe(recipe)[0].replace(settings), [parse_axis(text) for text in vary or []])

    from stridednet.sweeps.experiment import sweep

    result = sweep(
        dataset,
        vary or [],
        seeds=seeds,
        recipe=recipe,
        settings=settings,
        one_at_a_time=one_at_a_time,
        out=out,
        observer=_lines(quiet=as_json),
    )
    if as_json:
        print(json.dumps(json.loads((result.folder / "comparison.json").read_text(encoding="utf-8")), indent=2))
        return
    _print_table(result.comparisons)
    print()
    for sentence in result.sentences:
        print(sentence)
    print(f"\nsweep: {result.folder}")


def _print_table(comparisons: "Sequence[Comparison]") -> None:
    from rich.table import Table

    from stridednet.sweeps.report import table_rows

    header, *rows = table_rows(comparisons)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, title in enumerate(header):
        table.add_column(title, justify="left" if number == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*row)
    print()
    wide_console().print(table)


def _lines(*, quiet: bool) -> "SweepObserver":
    from stridednet.sweeps.axes import Variant
    from stridednet.sweeps.experiment import SweepObserver
    from stridednet.sweeps.trial import Outcome

    class Lines(SweepObserver):
        """One line for each trial, with the time that is left."""

        def __init__(self) -> None:
            self._done = self._trained = self._all = self._width = 0
            self._started = time.perf_counter()

        def on_message(self, text: str) -> None:
            typer.echo(text, err=quiet)

        def on_start(self, variants: Sequence[Variant], trials: int) -> None:
            self._all, self._width = trials, max(len(variant.name) for variant in variants)
            self._started = time.perf_counter()
            self.on_message(f"{len(variants)} variants, {trials} trials")

        def on_outcome(self, outcome: Outcome, *, again: bool) -> None:
            self._done += 1
            self._trained += not again
            each = (time.perf_counter() - self._started) / max(self._trained, 1)
            left = round(each * (self._all - self._done))
            place = (
                f"{self._done:{len(str(self._all))}}/{self._all}  {outcome.variant:{self._width}}  seed {outcome.seed}"
            )
            if outcome.error:
                self.on_message(f"{place}  failed: {outcome.error}")
                return
            waiting = "finished before" if again else f"{left // 60}:{left % 60:02} left"
            self.on_message(f"{place}  val_accuracy {outcome.accuracy:.4f}  {outcome.seconds:.1f} s  {waiting}")

    return Lines()
