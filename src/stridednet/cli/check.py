"""``stridednet check``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stridednet.cli.data_options import Exclude, Labels, LabelsFrom, SkipEmpty, data_settings
from stridednet.cli.json_output import only_json_on_stdout, print_json
from stridednet.cli.paths import path_option
from stridednet.cli.trust import TrustedFiles, trusted
from stridednet.errors import InputError
from stridednet.storage import path_text

if TYPE_CHECKING:
    from stridednet.checking.check import CheckResult

_WORST = 3  # issues of each kind that are listed


@only_json_on_stdout
def check_command(
    dataset: Annotated[
        str | None,
        typer.Argument(
            metavar="DATASET",
            help="Folder with one subfolder per class, an archive of one, or a built-in data set. [default: digits]",
        ),
    ] = None,
    folds: Annotated[
        int, typer.Option(help="Number of folds: each picture is checked by a model trained on the other folds.")
    ] = 5,
    recipe: Annotated[
        str, typer.Option(metavar="NAME|FILE", help="What to train in each fold: a recipe by name, or a TOML file.")
    ] = "fast",
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override a setting of the recipe. Can be repeated."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Random seed for the folds and the trainings. [default: 0]")] = None,
    labels: Labels = None,
    labels_from: LabelsFrom = None,
    exclude: Exclude = None,
    skip_empty: SkipEmpty = False,
    out: Annotated[
        Path | None,
        typer.Option(
            parser=path_option, metavar="DIR", help="Folder for the results. [default: a new one in runs/check]"
        ),
    ] = None,
    trust: TrustedFiles = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the issues as JSON to standard output.")] = False,
) -> None:
    """Check a data set: label issues, copies, unusual pictures, unusable files and class balance.

    The data set is only read. The exit status is 0 whether issues are found or not.
    """
    if folds < 2:
        raise InputError(f"--folds: expected at least 2. Received: {folds}")
    chosen: dict[str, Any] = {"seed": seed, **data_settings(labels, labels_from, exclude, skip_empty=skip_empty)}

    from stridednet.cli.progress import console_observer
    from stridednet.evaluation.suspected_labels import require_cleanlab
    from stridednet.recipe import parse_override
    from stridednet.resolve import resolve

    settings = {key: value for key, value in chosen.items() if value is not None}
    settings |= dict(map(parse_override, assignments or []))
    resolution = resolve(dataset, recipe, settings, trust=any(trusted(trust, recipe)))
    require_cleanlab()

    from stridednet.checking import check  # only now, since it imports Keras
    from stridednet.threads import claim_process

    claim_process()
    result = check.follow(resolution, folds=folds, out=out, observer=console_observer(quiet=as_json))
    if as_json:
        print_json(result.as_dict())
    else:
        _print_result(result)


def _print_result(result: "CheckResult") -> None:
    from rich.table import Table
    from rich.text import Text

    from stridednet.checking.issue import KINDS
    from stridednet.cli.screen import wide_console
    from stridednet.data.tree import shown

    console = wide_console()
    counts = result.counts
    console.print()
    for kind in KINDS:
        found = [issue for issue in result.issues if issue.kind is kind]
        if not found:
            continue
        console.print(f"{kind.title}: {len(found):,}", style="bold", markup=False)
        rows = Table(box=None, padding=(0, 2, 0, 2), show_header=False)
        rows.add_column(overflow="fold")
        rows.add_column(overflow="fold", style="dim")
        for issue in found[:_WORST]:
            rows.add_row(Text(shown(issue.path)), Text(shown(issue.details)))
        console.print(rows)
    none = [kind.title.lower() for kind in KINDS if not counts[kind.name]]
    if none:
        console.print(f"None: {', '.join(none)}", markup=False)
    print(f"\nchecked in {result.seconds:.1f} s; out-of-fold accuracy {result.accuracy:.3f}")
    print(f"page:  {path_text(result.page)}")
    print(f"table: {path_text(result.table)}")
