"""``stridednet sweep``."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from stridednet.errors import InputError


def sweep_command(
    dataset: Annotated[
        str | None,
        typer.Argument(help="A folder with one sub-folder per class, an archive of one, or a name. [default: digits]"),
    ] = None,
    vary: Annotated[
        list[str] | None,
        typer.Option("--vary", metavar="KEY=V1,V2,...", help="A setting and the values to try. Several make a grid."),
    ] = None,
    plan: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A sweep file: what to vary, around which base, which claim it tests."),
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(help="How often everything is repeated. [default: the plan's, or 5]")
    ] = None,
    one_at_a_time: Annotated[
        bool, typer.Option("--one-at-a-time", help="No grid: vary each setting around the base.")
    ] = False,
    jobs: Annotated[
        int, typer.Option(help="Trials at once, each on its share of the cores; one takes about 0.7 GB.")
    ] = 1,
    recipe: Annotated[
        str | None, typer.Option(help="The base: a recipe by name, or a TOML file. [default: the plan's, or fast]")
    ] = None,
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
    from stridednet.data.scan import check_dataset
    from stridednet.recipe import load_recipe, parse_override
    from stridednet.sweeps.axes import parse_axes, variants
    from stridednet.sweeps.claims import check_expected, verdict
    from stridednet.sweeps.plan import SweepPlan

    if plan is not None and vary:
        raise InputError("--plan says what is varied; leave --vary away, or write it into the plan")
    planned = SweepPlan(vary={}) if plan is None else SweepPlan.read(plan)
    axes = parse_axes(vary or []) if plan is None else parse_axes(planned.vary)
    settings = planned.base | dict(map(parse_override, assignments or []))
    if labels is not None:
        settings["data.labels"] = names_of(labels)
    # A typing error is told before Keras is loaded.
    if seeds is not None and seeds < 1:
        raise InputError(f"--seeds is at least 1. Received: {seeds}")
    recipe = recipe or planned.recipe
    one_at_a_time = one_at_a_time or planned.one_at_a_time
    base = load_recipe(recipe)[0].replace(settings)
    chosen = variants(base, axes, one_at_a_time=one_at_a_time)
    check_expected(planned.expect, [variant.name for variant in chosen[1:]])
    check_dataset(dataset if dataset is not None else base.data.dataset)

    from stridednet.cli.sweep_screen import print_table, sweep_observer
    from stridednet.sweeps.experiment import sweep

    try:
        result = sweep(
            dataset,
            {axis.key: axis.values for axis in axes},
            seeds=seeds or planned.seeds,
            jobs=jobs,
            recipe=recipe,
            settings=settings,
            one_at_a_time=one_at_a_time,
            out=out,
            observer=sweep_observer(quiet=as_json),
        )
    except KeyboardInterrupt:
        print("finished trials are kept; the same command goes on from there", file=sys.stderr)
        raise
    if as_json:
        print(json.dumps(json.loads((result.folder / "comparison.json").read_text(encoding="utf-8")), indent=2))
        return
    print_table(result.comparisons)
    print()
    for sentence in result.sentences:
        print(sentence)
    if planned.claim:
        print(f"\nclaim: {planned.claim}")
    for comparison in result.comparisons:
        name = comparison.variant.name
        if name in planned.expect:
            expected = planned.expect[name]
            print(f"{name}: accuracy expected {expected}: {verdict(expected, comparison.difference)}")
    print(f"\nsweep: {result.folder}")
