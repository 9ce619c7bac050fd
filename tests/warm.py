"""Commands that need not wait for their imports: each is forked from a process that has Keras and PyTorch already."""

import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from subprocess import CompletedProcess
from tempfile import TemporaryDirectory

from stridednet.cli.main import main

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["stridednet.pipeline", "stridednet.sweeps.experiment"])


def run_warm(arguments: Sequence[str | Path], folder: Path) -> "CompletedProcess[str]":
    """Run ``stridednet`` in a folder, as a process of its own."""
    with TemporaryDirectory() as place:
        out, error = Path(place, "out"), Path(place, "error")
        texts = [str(argument) for argument in arguments]
        process = _processes.Process(target=_run, args=(texts, folder, dict(os.environ), out, error))
        process.start()
        process.join()
        assert process.exitcode is not None
        return CompletedProcess(texts, process.exitcode, out.read_text(), error.read_text())


def _run(arguments: list[str], folder: Path, environment: Mapping[str, str], out: Path, error: Path) -> None:
    for stream, file in ((sys.stdout, out), (sys.stderr, error)):
        with file.open("wb") as target:
            os.dup2(target.fileno(), stream.fileno())
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["stridednet", *arguments]
    main()
