"""Real pictures for the tests: handwritten digits that ship with a dependency, and CALTECH-101 where it is at hand."""

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
from warm import run_warm

hypothesis.settings.register_profile("project", deadline=None)  # no test asserts a time
hypothesis.settings.load_profile("project")

PROJECT = Path(__file__).parents[1]
_BESIDE = PROJECT.parent / "shared" / "data" / "101_ObjectCategories.tar.gz"

# A small StridedNet: the same parts, fewer of them.
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

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache of the tests' own, in this process and in those that it starts."""
    folder = tmp_path_factory.mktemp("cache")
    before = os.environ.get("STRIDEDNET_CACHE")
    os.environ["STRIDEDNET_CACHE"] = str(folder)
    yield folder
    if before is None:
        del os.environ["STRIDEDNET_CACHE"]
    else:
        os.environ["STRIDEDNET_CACHE"] = before


@pytest.fixture(scope="session")
def digits() -> Path:
    """The folder of the 5,000 digits."""
    return dataset_root("digits")


@pytest.fixture
def few_digits(digits: Path, tmp_path: Path) -> Path:
    """A data set of three classes with 40 pictures each."""
    return copy_digits(digits, tmp_path / "few", "012", 40)


def copy_digits(digits: Path, folder: Path, labels: str, count: int, skip: int = 0) -> Path:
    """Copy some pictures of each label into a new data set, behind the first ``skip`` ones."""
    for label in labels:
        (folder / label).mkdir(parents=True)
        for picture in sorted((digits / label).iterdir())[skip : skip + count]:
            shutil.copy(picture, folder / label)
    return folder


def write_run(folder: Path, model: "keras.Model", classes: int) -> Path:
    """Write a finished run of a model that was not trained here."""
    from stridednet.recipe import Recipe
    from stridednet.run import Run, SplitRow
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
    """Return the folder or archive of CALTECH-101 on this machine, if there is one."""
    named = os.environ.get("STRIDEDNET_CALTECH101")
    path = Path(named) if named else _BESIDE
    return path if path.exists() else None


needs_caltech101 = pytest.mark.skipif(
    caltech101_path() is None, reason="CALTECH-101 is not here: name its folder or archive in STRIDEDNET_CALTECH101"
)


@pytest.fixture(scope="session")
def caltech101() -> Path:
    """The folder of CALTECH-101's 102 class folders."""
    path = caltech101_path()
    assert path is not None
    return unpacked(path) if path.is_file() else path


@pytest.fixture
def warm_command(tmp_path: Path) -> Command:
    """As `command`, seconds quicker: forked from a process that has made the imports. Not for what depends on them."""
    return lambda *arguments: run_warm(arguments, tmp_path)


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Run ``stridednet`` as a process of its own, in a folder of the test's own."""

    def run(*arguments: str | Path, **options: object) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [Path(sys.executable).with_name("stridednet"), *arguments],
            cwd=tmp_path,
            text=True,
            capture_output=True,
            check=False,
            **options,  # type: ignore[call-overload]
        )

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
