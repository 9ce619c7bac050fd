"""``stridednet serve``: runs behind HTTP."""

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from stridednet.errors import InputError

_NEEDS = ("fastapi", "uvicorn", "python_multipart", "prometheus_client")


def serve_command(
    runs: Annotated[
        list[str],
        typer.Argument(metavar="RUN...", help="Directories of finished runs. The first one is the default model."),
    ],
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all of the machine's.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for a free one.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, help="Number of server processes, each with its own models.")] = 1,
    queue: Annotated[
        int | None, typer.Option(min=1, help="Pictures that may wait in a process; more get status 503. [default: 256]")
    ] = None,
    max_mb: Annotated[
        float | None, typer.Option(min=0.001, help="Largest request, in megabytes. [default: 16]")
    ] = None,
    max_megapixels: Annotated[
        float | None, typer.Option(min=0.001, max=89, help="Largest picture, in millions of pixels. [default: 50]")
    ] = None,
) -> None:
    """Serve predictions over HTTP, with a page for people, until Ctrl-C or SIGTERM."""
    missing = [name for name in _NEEDS if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(f"serve needs {', '.join(missing)}, which is not installed: pip install 'stridednet[serve]'")
    import sys
    from dataclasses import replace

    from stridednet.deploy.serve.server import serve
    from stridednet.deploy.serve.settings import MEGABYTE, Limits, ServerSettings
    from stridednet.storage import user_path

    folders = _named([user_path(run, "RUN").absolute() for run in runs])
    given = {
        "queue": queue,
        "body": None if max_mb is None else round(max_mb * MEGABYTE),
        "pixels": None if max_megapixels is None else round(max_megapixels * 10**6),
    }
    limits = replace(Limits(), **{name: value for name, value in given.items() if value is not None})

    def started(chosen: int) -> None:
        address = f"http://{f'[{host}]' if ':' in host else host}:{chosen}"
        print(f"serving {', '.join(folders)} at {address} (Ctrl-C to stop)", file=sys.stderr, flush=True)

    serve(ServerSettings(folders, limits, workers), host, port, started)


def _named(folders: list[Path]) -> dict[str, Path]:
    """Return the folders by their names, under which they are served."""
    found: dict[str, Path] = {}
    for folder in folders:
        if folder.name in found:
            raise InputError(
                "two runs have the same name, by which clients choose one; rename a folder. "
                f"Received: {found[folder.name]}, {folder}"
            )
        found[folder.name] = folder
    return found
