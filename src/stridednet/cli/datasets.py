"""``stridednet datasets``: the data sets that have a name."""

from pathlib import Path
from typing import Annotated

import typer

datasets_app = typer.Typer(help="List the data sets that have a name, and fetch one.", invoke_without_command=True)


@datasets_app.callback()
def _default(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_command()


@datasets_app.command("list")
def list_command() -> None:
    """List the data sets that can be given by name."""
    from stridednet.data.sources import SOURCES

    for source in SOURCES.values():
        where = f"in {source.folder}" if source.is_here() else source.while_missing
        print(f"{source.name:12}{source.description} ({where})")


@datasets_app.command("fetch")
def fetch_command(
    name: Annotated[str, typer.Argument(help="The data set, as `stridednet datasets list` shows it.")],
    copy: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE_OR_FOLDER", help="Take it from a copy on this machine, without download."),
    ] = None,
) -> None:
    """Fetch a data set into the cache, where `stridednet train NAME` finds it."""
    from stridednet.data.sources import SOURCES
    from stridednet.errors import DataError

    if name not in SOURCES:
        raise DataError(f"no data set is named '{name}'; known names: {', '.join(SOURCES)}")
    print(f"{name} is in {SOURCES[name].fetch(copy)}")
