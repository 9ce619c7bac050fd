"""Run commands and scripts in processes that need not import Keras and PyTorch, which takes seconds.

Each process is forked from a server that has made these imports. Run a new interpreter instead where a test is about
them: about the Keras backend, about what is imported, or about the first seconds of a process.
"""

import multiprocessing
import os
import runpy
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from subprocess import CompletedProcess
from tempfile import TemporaryDirectory

import coverage

import stridednet

Arguments = Sequence[str | Path]
CAN_FORK = "forkserver" in multiprocessing.get_all_start_methods()  # not on Windows
STRIDEDNET = Path(sys.executable).with_name("stridednet")
_PRELOADED = [
    "stridednet.pipeline",
    "stridednet.sweeps.experiment",
    "stridednet.tuning.tune",
    "stridednet.cli.main",
    "sklearn.model_selection",
    "cleanlab.filter",
]


def run_warm(
    program: Path, arguments: Arguments, folder: Path, env: Mapping[str, str] | None = None
) -> "CompletedProcess[str]":
    """Run `STRIDEDNET` or a Python script in a folder, and return its exit status and its output."""
    texts = [str(argument) for argument in arguments]
    if not CAN_FORK:
        command = [str(program), *texts] if program == STRIDEDNET else [sys.executable, str(program), *texts]
        return subprocess.run(command, cwd=folder, env=env, text=True, capture_output=True, check=False)
    with TemporaryDirectory() as place:
        out, error = Path(place, "out"), Path(place, "error")
        process = start_warm(program, texts, folder, out, error, env)
        process.join()
        assert process.exitcode is not None
        return CompletedProcess(texts, process.exitcode, out.read_text(), error.read_text())


def start_warm(
    program: Path, arguments: Arguments, folder: Path, out: Path, error: Path, env: Mapping[str, str] | None = None
) -> BaseProcess:
    """Start `STRIDEDNET` or a Python script in a folder, with its output in two files or on a terminal."""
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(_PRELOADED)
    texts = [str(argument) for argument in arguments]
    environment = dict(os.environ if env is None else env)
    measured = coverage.Coverage.current()  # of the tests
    coverage_file = None if measured is None else str(Path(measured.get_data().data_filename()).with_name(".coverage"))
    process = server.Process(target=_run, args=(program, texts, folder, environment, out, error, coverage_file))
    process.start()
    return process


def _run(
    program: Path,
    arguments: list[str],
    folder: Path,
    environment: Mapping[str, str],
    out: Path,
    error: Path,
    coverage_file: str | None,
) -> None:
    for stream, file in ((sys.stdout, out), (sys.stderr, error)):
        with file.open("wb") as target:
            os.dup2(target.fileno(), stream.fileno())
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [str(program), *arguments]
    with _measured(coverage_file):
        if program == STRIDEDNET:
            from stridednet.cli.main import main

            main()
        else:
            sys.path.insert(0, str(program.parent))
            runpy.run_path(str(program), run_name="__main__")


@contextmanager
def _measured(file: str | None) -> Iterator[None]:
    """Add the lines that are executed to the coverage of the tests, unless that is not measured."""
    if file is None:
        yield
        return
    measured = coverage.Coverage(file, data_suffix=True, include=[f"{Path(stridednet.__file__).parent}/*"])
    measured.start()
    try:
        yield
    finally:
        measured.stop()
        measured.save()
