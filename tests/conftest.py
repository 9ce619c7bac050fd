"""Fixtures that many tests share: real pictures, and processes that run commands."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

import stridednet  # noqa: F401  -- chooses the Keras backend before any test imports Keras
from stridednet.data.archive import unpacked
from stridednet.data.scan import dataset_root
from warm import STRIDEDNET, run_warm

hypothesis.settings.register_profile("project", deadline=None)  # tests assert nothing about time
hypothesis.settings.load_profile("project")

PROJECT = Path(__file__).parents[1]
_DEFAULT_ARCHIVE = PROJECT.parent / "shared" / "data" / "101_ObjectCategories.tar.gz"

# Settings of a small StridedNet, with every kind of layer that the default one has.
SMALL = {
    "epochs": 3,
    "image_size": 20,
    "batch_size": 16,
    "precision": "float32",
    "model.stem_kernel": 3,
    "model.filters": [8, 16],
    "model.dense_units": 32,
    "optimizer.learning_rate": 0.002,
    "augmentation.horizontal_flip": False,
}

if TYPE_CHECKING:
    import keras

# The environment of a process in which Keras runs on JAX. Without its optimizations XLA compiles twice as fast.
ON_JAX = {"KERAS_BACKEND": "jax", "PATH": "", "JAX_PLATFORMS": "cpu", "XLA_FLAGS": "--xla_backend_optimization_level=0"}

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def digits() -> Path:
    """Return the folder of the 5,000 digits."""
    return dataset_root("digits")


@pytest.fixture
def few_digits(digits: Path, tmp_path: Path) -> Path:
    """Return a data set of three classes with 40 pictures each."""
    return copy_digits(digits, tmp_path / "few", "012", 40)


def copy_digits(digits: Path, folder: Path, labels: str, count: int, skip: int = 0) -> Path:
    """Copy ``count`` pictures of each label into a new data set, after skipping the first ``skip`` ones."""
    for label in labels:
        (folder / label).mkdir(parents=True)
        for picture in sorted((digits / label).iterdir())[skip : skip + count]:
            shutil.copy(picture, folder / label)
    return folder


def write_run(folder: Path, model: "keras.Model", classes: int) -> Path:
    """Write a finished run of a model that was not trained here."""
    from stridednet.recipe import Recipe
    from stridednet.run import Run
    from stridednet.run_tables import SplitRow
    from stridednet.training.history import EpochRow

    labels = [f"class {number}" for number in range(classes)]
    run = Run.create(Recipe(), folder)
    run.write_labels(labels)
    run.write_split([SplitRow("a.png", labels[0], "train")])
    run.write_history([EpochRow(1, 1.0, 0.5, 1.0, 0.5, 1e-4, 1, 1, 1.0, 1.0)])
    run.write_model(model)
    run.finish("", {"labels": labels})
    return folder


def caltech101_path() -> Path | None:
    """Return the folder or archive of CALTECH-101, or None if this machine has none."""
    named = os.environ.get("STRIDEDNET_CALTECH101")
    path = Path(named) if named else _DEFAULT_ARCHIVE
    return path if path.exists() else None


needs_caltech101 = pytest.mark.skipif(
    caltech101_path() is None, reason="CALTECH-101 was not found: set STRIDEDNET_CALTECH101 to its folder or archive"
)


@pytest.fixture(scope="session")
def caltech101() -> Path:
    """Return the folder that contains the 102 class folders of CALTECH-101."""
    path = caltech101_path()
    assert path is not None
    return unpacked(path) if path.is_file() else path


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Run ``stridednet`` in a folder of the test's own, with a new interpreter. Prefer `warm_command`."""

    def run(*arguments: str | Path, **options: object) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [STRIDEDNET, *arguments],
            cwd=tmp_path,
            text=True,
            capture_output=True,
            check=False,
            **options,  # type: ignore[call-overload]
        )

    return run


@pytest.fixture
def warm_command(tmp_path: Path) -> Command:
    """Run ``stridednet`` as `command` does, but in a process that need not import Keras and PyTorch. See `warm`."""
    return lambda *arguments, env=None: run_warm(STRIDEDNET, arguments, tmp_path, env)


@pytest.fixture
def main_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Command]:
    """Run ``stridednet`` in the process of the test, which is the quickest way, and the one that coverage sees."""
    import cv2
    import torch

    from stridednet import threads
    from stridednet.cli.main import main

    def run(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["stridednet", *map(str, arguments)])
        monkeypatch.setattr(threads, "_free_cores", None)  # and as it was after the test
        capfd.readouterr()
        with pytest.raises(SystemExit) as caught:
            main()
        out, error = capfd.readouterr()
        return subprocess.CompletedProcess(arguments, int(caught.value.code or 0), out, error)

    of_torch, of_opencv = torch.get_num_threads(), cv2.getNumThreads()
    yield run
    torch.set_num_threads(of_torch)
    cv2.setNumThreads(of_opencv)


@pytest.fixture
def warm_python(tmp_path: Path) -> Command:
    """Run a Python script, or a string of Python code, in such a process too."""

    def run(program: str | Path, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        if isinstance(program, str):
            script = tmp_path / "script.py"
            script.write_text(program)
        else:
            script = program
        return run_warm(script, arguments, tmp_path)

    return run


@pytest.fixture(params=["compiled", "pytorch"])
def implementation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a test of the executor with compiled C, and on PyTorch alone as on a machine without a compiler."""
    from stridednet.executor import backend
    from stridednet.executor.compiled.library import Loaded, load_library

    way: str = request.param
    if way == "pytorch":
        monkeypatch.setattr(backend, "load_library", lambda: Loaded(None))
    elif load_library().library is None:
        pytest.skip("no C compiler")
    return way
