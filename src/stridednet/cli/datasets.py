"""``stridednet datasets``: the built-in data sets."""

from pathlib import Path
from typing import Annotated

import typer

from stridednet.cli.paths import path_option

datasets_app = typer.Typer(help="List or fetch the built-in data sets.", invoke_without_command=True)


@datasets_app.callback()
def _default(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_command()


@datasets_app.command("list")
def list_command() -> None:
    """List the built-in data sets and where they are."""
    from stridednet.data.sources import SOURCES

    for source in SOURCES.values():
        where = f"in {source.folder}" if source.is_here() else source.while_missing
        print(f"{source.name:12}{source.description} ({where})")


@datasets_app.command("fetch")
def fetch_command(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Name of the data set, as listed by `stridednet datasets list`.")
    ],
    copy: Annotated[
        Path | None,
        typer.Option(
            "--from", parser=path_option, metavar="FILE_OR_FOLDER", help="Import a local copy instead of downloading."
        ),
    ] = None,
) -> None:
    """Download a data set into the cache, or import a local copy."""
    from stridednet.data.sources import SOURCES
    from stridednet.errors import DataError

    if name not in SOURCES:
        raise DataError(f"unknown data set '{name}'; built-in data sets: {', '.join(SOURCES)}")
    print(f"{name} is in {SOURCES[name].fetch(copy)}")
