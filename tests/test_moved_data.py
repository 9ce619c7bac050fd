"""Resuming a run whose data set was moved, and paths that are not valid UTF-8."""

import json
import os
import shutil
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pytest

import stridednet
from conftest import SMALL, Command, copy_digits
from stridednet.errors import DataError, RunError
from stridednet.recipe import Recipe, load_recipe
from stridednet.run import Run
from stridednet.storage import path_text, user_path
from stridednet.training.observer import Observer

CAFE = "caf\udce9"  # b"caf\xe9": Latin-1

needs_bytes_in_names = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="file names on this system are Unicode"
)


class Stops(Observer):
    """Interrupts before the first epoch or after it."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def on_start(self, *_: object) -> None:
        if self.epochs == 0:
            raise KeyboardInterrupt

    def on_epoch(self, *_: object) -> None:
        raise KeyboardInterrupt


def interrupted(pictures: Path | str, run: Path, epochs: int = 1, **settings: object) -> None:
    with pytest.raises(KeyboardInterrupt):
        stridednet.train(pictures, "tutorial", settings=SMALL | settings, out=run, observer=Stops(epochs))


@pytest.fixture
def pictures(digits: Path, tmp_path: Path) -> Path:
    return copy_digits(digits, tmp_path / "few", "01", 20)


@pytest.mark.parametrize("epochs", [0, 1])
def test_a_run_is_resumed_after_its_data_set_was_moved(pictures: Path, tmp_path: Path, epochs: int) -> None:
    run = tmp_path / "run"
    interrupted(pictures, run, epochs)
    moved = pictures.rename(tmp_path / "moved")
    with pytest.raises(DataError, match=r"no such folder .*few; .*; if the data set was moved, give its new path as"):
        stridednet.resume(run)
    result = stridednet.resume(run, moved)
    assert len(result.history) == 3
    assert load_recipe(run / "recipe.toml")[0].data.dataset == str(moved)
    assert json.loads((run / "report.json").read_text())["dataset"] == str(moved)


@pytest.mark.parametrize("epochs", [0, 1])
def test_other_data_is_refused(digits: Path, pictures: Path, tmp_path: Path, epochs: int) -> None:
    run = tmp_path / "run"
    interrupted(pictures, run, epochs)
    before = (run / "recipe.toml").read_bytes()
    other = copy_digits(digits, tmp_path / "other", "01", 20, skip=20)
    with pytest.raises(RunError, match=rf"^dataset: the content of {other} differs .*; start a new run$"):
        stridednet.resume(run, other)
    with pytest.raises(DataError, match=r"^no such folder or archive: .*nowhere; built-in"):
        stridednet.resume(run, tmp_path / "nowhere")
    assert (run / "recipe.toml").read_bytes() == before


def test_the_command_resumes_with_a_relative_path(pictures: Path, tmp_path: Path, warm_command: Command) -> None:
    interrupted(pictures, tmp_path / "run")
    pictures.rename(tmp_path / "moved")
    done = warm_command("train", "--resume", "run", "moved")
    assert (done.returncode, done.stderr) == (0, "")
    assert Run.open(tmp_path / "run").recipe.data.dataset == str(tmp_path / "moved")
    assert "--resume uses the recipe" in warm_command("train", "--resume", "run", "moved", "-e", "3").stderr


@needs_bytes_in_names
def test_a_path_that_is_not_utf_8_survives(
    pictures: Path, tmp_path: Path, warm_command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = f"file://{tmp_path}/caf%E9"
    cafe = pictures.rename(tmp_path / CAFE)
    run = tmp_path / "run"
    interrupted(cafe, run)
    assert tomllib.loads((run / "recipe.toml").read_text())["data"]["dataset"] == shown
    shutil.copytree(run, tmp_path / "again")
    assert Run.unfinished(run).recipe.data.dataset == shown
    stridednet.resume(run)
    assert json.loads((run / "report.json").read_text())["dataset"] == shown
    # The form on the screen is one that can be given back.
    cafe.rename(tmp_path / "plain")
    assert f"{shown}; built-in" not in warm_command("train", "--resume", "again").stderr
    (tmp_path / "plain").rename(cafe)
    done = warm_command("train", "--resume", "again", shown)
    assert (done.returncode, done.stderr) == (0, "")
    monkeypatch.chdir(tmp_path)
    done = warm_command("train", CAFE, "--out", "r\udce9n", *_SETTINGS, "-e", "1")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"run: file://{tmp_path}/r%E9n" in done.stdout.splitlines()
    assert Run.open(f"file://{tmp_path}/r%E9n").recipe.data.dataset == shown


_SETTINGS = [part for key, value in SMALL.items() for part in ("--set", f"{key}={json.dumps(value)}")]


@needs_bytes_in_names
def test_a_model_and_a_class_that_are_not_utf_8_survive(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / f"{CAFE}.py").write_text(
        "import keras\n"
        "def build(width, height, depth, classes):\n"
        "    inputs = keras.Input((height, width, depth))\n"
        "    flat = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs))\n"
        "    return keras.Model(inputs, keras.layers.Dense(classes, activation='softmax')(flat))\n"
    )
    (pictures / "0").rename(pictures / CAFE)
    run = tmp_path / "run"
    model = {"epochs": 2, "image_size": 16, "model.name": f"{tmp_path}/{CAFE}.py:build"}
    settings = model | {"data.labels": [CAFE, "1"]}
    with pytest.raises(KeyboardInterrupt):
        stridednet.train(pictures, "tutorial", settings=settings, out=run, observer=Stops(1))
    assert Run.unfinished(run).recipe.model.name == f"file://{tmp_path}/caf%E9.py:build"
    assert len(stridednet.resume(run, trust=True).history) == 2


@needs_bytes_in_names
def test_a_class_that_is_not_utf_8_on_the_command_line(pictures: Path, tmp_path: Path, warm_command: Command) -> None:
    (pictures / "0").rename(pictures / CAFE)
    done = warm_command("train", pictures, "--labels", f"{CAFE},1", "--out", "run", *_SETTINGS, "-e", "1")
    assert (done.returncode, done.stderr) == (0, "")
    run = Run.open(tmp_path / "run")
    assert run.labels == ["1", CAFE]
    assert Counter(row.label for row in run.split) == {"1": 20, r"caf\udce9": 20}
    assert run.recipe.data.labels == (r"caf\udce9", "1")  # which --labels accepts too
    (tmp_path / "run" / "report.json").unlink()
    assert warm_command("train", "--resume", "run").returncode == 0
    done = warm_command("train", pictures, "--labels", f"{CAFE},9\udcff", *_SETTINGS)
    assert done.returncode == 2
    assert done.stderr == f"error: {pictures} has no class '9\\udcff'; available labels: 1, caf\\udce9\n"


@needs_bytes_in_names
def test_the_escape_is_reversible_and_leaves_ordinary_paths_alone() -> None:
    for name in (b"/a/caf\xe9", b"/a/100%\xff \xf0\x9f\x98\x80", b"/%41/\x80#?"):
        path = Path(os.fsdecode(name))
        assert user_path(path_text(path), "path") == path
        path_text(path).encode("ascii")
    for text in ("/a/café", "/a/100%41", "a b/c#d", "/file:/x"):
        assert path_text(Path(text)) == text
        assert user_path(text, "path") == Path(text)
    assert Recipe().replace({"data.dataset": "pets"}).data.dataset == "pets"
