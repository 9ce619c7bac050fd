"""``stridednet sweep``."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from stridednet.cli.data_options import Exclude, Labels, LabelsFrom, SkipEmpty, data_settings
from stridednet.cli.duration import parse_duration
from stridednet.cli.json_output import only_json_on_stdout, print_json
from stridednet.cli.paths import path_option
from stridednet.cli.trust import TrustedFiles, trusted
from stridednet.errors import FigureError, InputError
from stridednet.storage import path_text

if TYPE_CHECKING:
    from stridednet.sweeps.claims import Expected
    from stridednet.sweeps.experiment import SweepResult


@only_json_on_stdout
def sweep_command(
    dataset: Annotated[
        str | None,
        typer.Argument(help="A folder with one sub-folder per class, an archive of one, or a name. [default: digits]"),
    ] = None,
    vary: Annotated[
        list[str] | None,
        typer.Option(
            "--vary",
            metavar="KEY=V1,V2,...",
            help="A setting and the values to try. Repeat it to try all combinations of several settings.",
        ),
    ] = None,
    plan: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="A sweep plan: what to vary around which base, and the claim that this tests. Built-in plans have "
            "names; stridednet guide --claims lists them.",
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            help="Number of repetitions, with other seeds and folds. [default: the plan's, or 2; with --until or "
            "--budget at most 12]"
        ),
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(help="Trainings of each variant in a repetition, each measured on one fold. [default: 4]"),
    ] = None,
    margin: Annotated[
        float | None,
        typer.Option(help="Differences in accuracy up to this size count as none. [default: 0.01, which is one point]"),
    ] = None,
    until: Annotated[
        Literal["decided"] | None,
        typer.Option(help="decided: repeat until each effect is certain, or certain to remain undecided."),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="As --until decided, but end after this time, such as 90s, 20m or 1.5h, whatever is undecided then.",
        ),
    ] = None,
    one_at_a_time: Annotated[
        bool, typer.Option("--one-at-a-time", help="Vary one setting at a time instead of all combinations.")
    ] = False,
    jobs: Annotated[
        int, typer.Option(help="Trials that run at once, each on its share of the cores with about 0.7 GB of memory.")
    ] = 1,
    recipe: Annotated[
        str | None, typer.Option(help="The base: a recipe by name, or a TOML file. [default: the plan's, or fast]")
    ] = None,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a setting of the base.")
    ] = None,
    labels: Labels = None,
    labels_from: LabelsFrom = None,
    exclude: Exclude = None,
    skip_empty: SkipEmpty = False,
    out: Annotated[
        Path | None,
        typer.Option(
            parser=path_option,
            metavar="DIR",
            help="The sweep's folder; finished trials in it are not repeated. [default: a folder in runs/sweep]",
        ),
    ] = None,
    trust: TrustedFiles = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print comparison.json on standard output.")] = False,
) -> None:
    """Measure the effect of settings: train variants on folds of the training pictures, and compare with a base.

    To continue an interrupted sweep, run the same command again. The test subset is not used.
    """
    from stridednet.recipe import parse_override
    from stridednet.sweeps.design import DEFAULT_FOLDS, DEFAULT_RECIPE, design_sweep
    from stridednet.sweeps.effect import MARGIN
    from stridednet.sweeps.plan import SweepPlan

    if plan is not None and vary:
        raise InputError("--plan defines what is varied; omit --vary, or add it to the plan")
    if plan is None and not vary:
        raise InputError("nothing to vary: give --vary KEY=V1,V2,... (such as model.stem_kernel=3,5,7) or --plan")
    settings = dict(map(parse_override, assignments or []))
    given = data_settings(labels, labels_from, exclude, skip_empty=skip_empty)
    settings |= {key: value for key, value in given.items() if value is not None}
    seconds = None if budget is None else parse_duration(budget)
    trusts_plan, trusts_recipe = trusted(trust, plan, recipe)
    # Mistakes are reported before Keras is imported, which takes seconds.
    if plan is not None:
        design = SweepPlan.read(plan, trust=trusts_plan).design(
            dataset,
            seeds=seeds,
            folds=folds,
            margin=margin,
            until=until,
            budget=seconds,
            recipe=recipe,
            settings=settings,
            one_at_a_time=one_at_a_time or None,
            trust=trusts_recipe if recipe is not None else trusts_plan,
        )
    else:
        design = design_sweep(
            dataset,
            vary or [],
            seeds=seeds,
            folds=DEFAULT_FOLDS if folds is None else folds,
            margin=MARGIN if margin is None else margin,
            until=until,
            budget=seconds,
            recipe=recipe or DEFAULT_RECIPE,
            settings=settings,
            one_at_a_time=one_at_a_time,
            trust=trusts_recipe,
        )

    from stridednet.cli.sweep_screen import sweep_observer
    from stridednet.sweeps.experiment import run_design
    from stridednet.threads import claim_process

    claim_process()
    problem: FigureError | None = None
    try:
        result = run_design(design, out=out, jobs=jobs, observer=sweep_observer(design, quiet=as_json))
    except FigureError as error:
        result, problem = error.result, error
    except KeyboardInterrupt:
        print("Finished trials are saved. To continue, run the same command again.", file=sys.stderr)
        raise
    _print_result(result, design.expect, as_json=as_json)
    if problem is not None:
        raise problem


def _print_result(result: "SweepResult", expect: Mapping[str, "Expected"], *, as_json: bool) -> None:
    from stridednet.cli.sweep_screen import print_table
    from stridednet.sweeps.claims import verdict_lines

    if as_json:
        print_json(json.loads((result.folder / "comparison.json").read_text(encoding="utf-8")))
        return
    print_table(result.comparisons)
    print()
    for sentence in result.sentences:
        print(sentence)
    if result.claim:
        print(f"\nclaim: {result.claim}")
    for line in verdict_lines(expect, result.verdicts):
        print(line)
    print(f"\nsweep: {path_text(result.folder)}")
