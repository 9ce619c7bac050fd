"""``stridednet tune``."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stridednet.cli.data_options import Exclude, Labels, LabelsFrom, SkipEmpty, data_settings
from stridednet.cli.duration import parse_duration
from stridednet.cli.json_output import only_json_on_stdout, print_json
from stridednet.cli.paths import path_option
from stridednet.errors import FigureError
from stridednet.storage import path_text

if TYPE_CHECKING:
    from stridednet.tuning.result import TuneResult


@only_json_on_stdout
def tune_command(
    dataset: Annotated[
        str | None,
        typer.Argument(help="A folder with one sub-folder per class, an archive of one, or a name. [default: digits]"),
    ] = None,
    budget: Annotated[
        str, typer.Option(metavar="TIME", help="What all of it may take, such as 90s, 30m or 1.5h.")
    ] = "30m",
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="A setting that has this value and is not changed. Can be repeated."
        ),
    ] = None,
    labels: Labels = None,
    labels_from: LabelsFrom = None,
    exclude: Exclude = None,
    skip_empty: SkipEmpty = False,
    seed: Annotated[int | None, typer.Option(help="Random seed for the folds and all trainings. [default: 0]")] = None,
    jobs: Annotated[int, typer.Option(help="Short trainings that run at once, each on its share of the cores.")] = 1,
    out: Annotated[
        Path | None,
        typer.Option(parser=path_option, metavar="DIR", help="Folder of the results. [default: one in runs/tune]"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print tune.json on standard output.")] = False,
) -> None:
    """Find out which settings of the network are worth changing for your pictures.

    Tries changes of the default in short trainings, confirms the best one on training pictures that had no part in the
    choice, trains it and the default, and compares them on test. To continue after an interruption, run the same
    command again.
    """
    from stridednet.recipe import parse_override
    from stridednet.tuning.request import make_request

    chosen: dict[str, Any] = {"seed": seed, **data_settings(labels, labels_from, exclude, skip_empty=skip_empty)}
    settings = {key: value for key, value in chosen.items() if value is not None}
    settings |= dict(map(parse_override, assignments or []))
    request = make_request(dataset, parse_duration(budget), settings)

    from stridednet.cli.tune_screen import tune_observer  # only now, since what follows imports Keras
    from stridednet.threads import claim_process
    from stridednet.tuning.tune import run_tuning

    claim_process()
    problem: FigureError | None = None
    try:
        result = run_tuning(request, out=out, jobs=jobs, observer=tune_observer(request.budget, quiet=as_json))
    except FigureError as error:
        result, problem = error.result, error
    except KeyboardInterrupt:
        print("Finished trainings are saved. To continue, run the same command again.", file=sys.stderr)
        raise
    _print_result(result, as_json=as_json)
    if problem is not None:
        raise problem


def _print_result(result: "TuneResult", *, as_json: bool) -> None:
    if as_json:
        print_json(json.loads((result.folder / "tune.json").read_text(encoding="utf-8")))
        return
    print(f"\n{result.sentence}")
    print(f"\nrecipe: {path_text(result.folder / 'recipe.toml')}")
    print(f"report: {path_text(result.folder / 'report.md')}")
