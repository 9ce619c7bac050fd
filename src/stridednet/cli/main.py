"""The command ``stridednet``. Heavy modules are imported inside the commands, so that ``--help`` is quick."""

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from stridednet.cli.datasets import datasets_app
from stridednet.cli.train import train_command
from stridednet.errors import StridedNetError

INTERRUPTED = 130

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog="With --debug anywhere, an error shows its whole traceback.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("train")(train_command)
app.add_typer(datasets_app, name="datasets")


@app.callback()
def _options(
    show_version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
) -> None:
    """Train a small convolutional image classifier from a folder of pictures on an ordinary CPU."""
    if show_version:
        print(f"stridednet {version('stridednet')}")
        raise typer.Exit


def main() -> None:
    """Run the command line; the exit status is 0 done, 1 failed, 2 wrong input, 130 interrupted."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        app(arguments)
    except StridedNetError as error:
        if "--debug" in sys.argv:
            raise
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_status)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
