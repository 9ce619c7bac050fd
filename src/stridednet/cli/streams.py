"""Standard input, output and error: what a shell may have closed, restricted or connected to a short-lived reader."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from stridednet.errors import StorageError, StridedNetError
from stridednet.storage import cache_folder, check_writable


class OutputClosedError(StridedNetError):
    """Nobody reads the output any longer, as after ``| head -1``; the status is that of a tool killed by SIGPIPE."""

    exit_status = 128 + 13


def prepare_streams() -> None:
    """Make the standard streams safe: closed ones are discarded, and characters that they lack are escaped."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:  # closed by the shell (`>&-`): the next file that is opened would take its place
            os.open(os.devnull, os.O_RDWR)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            with suppress(OSError):  # a terminal in the place of a file cannot tell its position
                stream.reconfigure(errors="backslashreplace")


@contextmanager
def broken_pipes_reported() -> Iterator[None]:
    """Convert a `BrokenPipeError` into an `OutputClosedError`."""
    try:
        yield
    except BrokenPipeError:
        raise OutputClosedError("standard output is closed") from None


def flush_output() -> None:
    """Write what is still buffered, so that a failure is reported instead of ignored when the process ends.

    Raises:
        OutputClosedError: Nobody reads the output.
        StridedNetError: The output cannot be written.
    """
    try:
        if sys.stdout is not None:
            with broken_pipes_reported():
                sys.stdout.flush()
    except OSError as error:
        raise StridedNetError(f"cannot write to standard output: {error.strerror}") from None


@contextmanager
def own_stderr() -> Iterator[TextIO]:
    """Yield a stream to the standard error of the process that stays when descriptor 2 is redirected."""
    with os.fdopen(os.dup(2), "w", encoding="utf-8", errors="backslashreplace") as stream:
        yield stream


def discard_output() -> None:
    """Discard what is still buffered for standard output."""
    with suppress(OSError, ValueError, AttributeError), Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


def prepare_matplotlib() -> None:
    """Let Matplotlib draw to files only, and use our cache if its own folder is not writable.

    It would warn otherwise, and search all fonts each time. A backend that it does not know would end the command.
    """
    os.environ["MPLBACKEND"] = "agg"
    own = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")  # noqa: PTH111 -- without exceptions
    if _is_writable(Path(os.environ.get("MPLCONFIGDIR") or Path(own, "matplotlib"))):
        return
    with suppress(StridedNetError, OSError):
        folder = cache_folder() / "matplotlib"
        if _is_writable(folder):
            os.environ["MPLCONFIGDIR"] = str(folder)


def _is_writable(folder: Path) -> bool:
    try:
        check_writable(folder, "")
    except StorageError:
        return False
    return folder.is_absolute()  # not below a `~` that is unknown
