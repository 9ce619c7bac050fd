"""The command ``stridednet``. Heavy modules are imported inside the commands to keep ``--help`` fast."""

import sys
from importlib.metadata import version
from typing import Annotated, Any, cast

import typer
from typer.core import TyperGroup

from stridednet.cli.check import check_command
from stridednet.cli.conv2d import conv2d_command
from stridednet.cli.datasets import datasets_app
from stridednet.cli.evaluate import evaluate_command
from stridednet.cli.export import export_command
from stridednet.cli.garbage import collect_less
from stridednet.cli.guide import guide_command
from stridednet.cli.predict import predict_command
from stridednet.cli.serve import serve_command
from stridednet.cli.streams import (
    OutputClosedError,
    broken_pipes_reported,
    discard_output,
    flush_output,
    prepare_matplotlib,
    prepare_streams,
)
from stridednet.cli.summary import summary_command
from stridednet.cli.sweep import sweep_command
from stridednet.cli.train import train_command
from stridednet.cli.tune import tune_command
from stridednet.environment import explained
from stridednet.errors import InputError, StridedNetError, one_line

INTERRUPTED = 130

# The base class of all command line errors, which Typer does not export.
_UsageError = cast("type[Exception]", typer.BadParameter.__base__)


class _Commands(TyperGroup):
    """Notices that nobody reads the output before Typer does, which would exit with status 1."""

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        """Parse the command line, and show the help."""
        with broken_pipes_reported():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        with broken_pipes_reported():
            status = super().invoke(ctx)
            flush_output()
            return status


app = typer.Typer(
    cls=_Commands,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog="Add --debug to any command to see the traceback of an error.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("train")(train_command)
app.command("predict")(predict_command)
app.command("sweep")(sweep_command)
app.command("tune")(tune_command)
app.command("evaluate")(evaluate_command)
app.command("export")(export_command)
app.command("serve")(serve_command)
app.command("check")(check_command)
app.command("conv2d")(conv2d_command)
app.command("guide")(guide_command)
app.command("summary")(summary_command)
app.add_typer(datasets_app, name="datasets")


@app.callback(invoke_without_command=True)
def _options(
    context: typer.Context,
    show_version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    """Train a small convolutional image classifier from a folder of pictures on an ordinary CPU."""
    if show_version:
        print(f"stridednet {version('stridednet')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())


def main() -> None:
    """Run the command line and exit with status 0 (success), 1 (failure), 2 (invalid input) or 130 (interrupted)."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    debug = len(arguments) < len(sys.argv) - 1
    collect_less()
    prepare_streams()
    prepare_matplotlib()
    try:
        status = app(arguments, prog_name="stridednet", standalone_mode=False)
        flush_output()  # of --help and --version, which end before a command is invoked
    except OutputClosedError as error:
        discard_output()
        sys.exit(error.exit_status)
    except Exception as error:
        if debug:
            raise
        found = error if isinstance(error, StridedNetError) else explained(error) or error
        print(f"error: {_message(found)}", file=sys.stderr)
        sys.exit(_status(found))
    if status == INTERRUPTED:
        print("interrupted", file=sys.stderr)
    sys.exit(status)


def _message(error: Exception) -> str:
    if isinstance(error, _UsageError):
        text = error.format_message()  # type: ignore[attr-defined]
        return f"{text if text.endswith(('.', '?')) else f'{text}.'} See stridednet --help."
    if isinstance(error, OSError):
        return error.strerror or str(error) if error.filename is None else f"{error.strerror}: {error.filename}"
    if isinstance(error, StridedNetError):
        return str(error)
    return f"internal error: {one_line(error)}; rerun with --debug for the traceback"


def _status(error: Exception) -> int:
    if isinstance(error, StridedNetError):
        return error.exit_status
    return InputError.exit_status if isinstance(error, _UsageError) else StridedNetError.exit_status
