"""Keep standard output free for the JSON of ``--json``, whatever a user's model or a library prints."""

import ctypes
import functools
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any, ParamSpec

Parameters = ParamSpec("Parameters")

_results: list[str] = []


def print_json(value: Any) -> None:
    """Print a value as JSON at the end of a command that is decorated with `only_json_on_stdout`, even if it fails."""
    _results.append(json.dumps(value, indent=2))


def only_json_on_stdout(command: Callable[Parameters, None]) -> Callable[Parameters, None]:
    """Decorate a command: with ``--json``, all that is printed while it runs goes to standard error."""

    @functools.wraps(command)
    def run(*arguments: Parameters.args, **options: Parameters.kwargs) -> None:
        _results.clear()
        try:
            with _stdout_to_stderr() if options.get("as_json") else nullcontext():
                command(*arguments, **options)
        finally:
            for text in _results:
                print(text)

    return run


@contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    stdout = sys.stdout
    stdout.flush()
    kept = None
    with suppress(OSError):  # a standard stream may be closed
        kept = os.dup(1)
        os.dup2(2, 1)  # of C libraries and child processes
    sys.stdout = sys.stderr
    try:
        yield
    finally:
        sys.stdout = stdout
        if kept is not None:
            _flush()
            os.dup2(kept, 1)
            os.close(kept)


def _flush() -> None:
    """Write out what Python and the C library have buffered for standard output."""
    if sys.__stdout__ is not None:
        with suppress(OSError, ValueError):
            sys.__stdout__.flush()
    with suppress(AttributeError, OSError, TypeError):  # Windows has no such handle of the whole process
        ctypes.CDLL(None).fflush(None)
