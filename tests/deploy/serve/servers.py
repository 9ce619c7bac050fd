"""Servers as processes of their own, and runs and pictures for them."""

import io
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import stridednet  # noqa: F401  -- before keras, to choose its backend

import keras  # isort: skip
import httpx
from keras import layers

from conftest import write_run
from stridednet.deploy.portable import portable_model
from stridednet.deploy.portable_file import write_portable
from stridednet.recipe import Recipe
from stridednet.run import Run
from tiny_pictures import noise
from warm import STRIDEDNET, start_warm

SIZE = Recipe().image_size
_PATIENCE = 60.0  # seconds


def write_served_run(folder: Path, seed: int = 0, classes: int = 3) -> Path:
    """Write a run of a small model with random weights, and its ``predict.npz``."""
    keras.utils.set_random_seed(seed)
    image = keras.Input((SIZE, SIZE, 3))
    x = layers.Conv2D(8, 5, strides=4, activation="relu")(layers.Rescaling(1 / 255)(image))
    model = keras.Model(image, layers.Dense(classes, activation="softmax")(layers.Flatten()(x)))
    run = Run(write_run(folder, model, classes))
    portable = portable_model(model)
    assert portable is not None
    write_portable(run.portable_file, portable, run.model_file)
    return folder


def png(seed: int, side: int = 40) -> bytes:
    """Return a picture that looks like no other one."""
    file = io.BytesIO()
    noise(seed, side, side).save(file, "png")
    return file.getvalue()


def wait_until(is_true: Callable[[], bool], what: str) -> None:
    """Wait for a condition that another process brings about."""
    deadline = time.monotonic() + _PATIENCE
    while not is_true():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


class Server:
    """A running server."""

    def __init__(self, pid: int, url: str, error: Path) -> None:
        self.pid = pid
        self.url = url
        self._error = error
        self.client = httpx.Client(base_url=url, timeout=_PATIENCE)

    @property
    def log(self) -> str:
        return self._error.read_text()

    def metric(self, line: str) -> float:
        """Return a metric, such as ``stridednet_queue_depth{queue="decoder"}``; 0 if it is not there yet."""
        found = re.search(rf"^{re.escape(line)} (\S+)$", self.client.get("/metrics").text, re.MULTILINE)
        return 0.0 if found is None else float(found[1])

    @property
    def children(self) -> list[int]:
        """The processes below it, such as its decoders."""
        path = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        return [int(number) for number in path.read_text().split()]

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)


def _address(error: Path) -> str:
    wait_until(lambda: "(Ctrl-C to stop)" in error.read_text() or "error:" in error.read_text(), "no server")
    found = re.search(r"http://\S+", error.read_text())
    assert found is not None, error.read_text()
    return found[0]


@contextmanager
def warm_server(folder: Path, *arguments: "str | Path") -> Iterator[Server]:
    """Run ``stridednet serve`` in a process that need not import Keras."""
    out, error = folder / "serve.out", folder / "serve.err"
    error.touch()
    process = start_warm(STRIDEDNET, ["serve", *map(str, arguments), "--port", "0"], folder, out, error)
    try:
        assert process.pid is not None
        server = Server(process.pid, _address(error), error)
        yield server
        server.client.close()
    finally:
        process.terminate()
        process.join(_PATIENCE)
        process.kill()


@contextmanager
def new_server(folder: Path, *arguments: "str | Path") -> Iterator[tuple[Server, "subprocess.Popen[bytes]"]]:
    """Run ``stridednet serve`` in a new interpreter, as a user does."""
    error = folder / "serve.err"
    with error.open("wb") as file:
        process = subprocess.Popen([STRIDEDNET, "serve", *arguments, "--port", "0"], cwd=folder, stderr=file)
        try:
            server = Server(process.pid, _address(error), error)
            yield server, process
            server.client.close()
        finally:
            process.terminate()
            process.wait(_PATIENCE)
