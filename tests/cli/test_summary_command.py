import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import stridednet  # noqa: F401  -- before keras, to choose its backend

import keras  # isort: skip
import pytest

from conftest import write_run
from stridednet.cli.main import main
from stridednet.models.strided import StridedNet


class Done(NamedTuple):
    """The result of a command."""

    returncode: int
    stdout: str
    stderr: str


Command = Callable[..., Done]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run the command in this process, which has already imported Keras."""

    def run(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["stridednet", *arguments])
        with pytest.raises(SystemExit) as caught:
            main()
        return Done(int(caught.value.code or 0), *capsys.readouterr())

    return run


@pytest.fixture(scope="module")
def saved_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("saved") / "model.keras"
    StridedNet.build(64, 64, 3, 5, "l2").save(file)
    return file


def test_summary_of_stridednet(command: Command) -> None:
    done = command("summary", "stridednet")
    assert done.returncode == 0, done.stderr
    rows = {line.split()[0]: line.split() for line in done.stdout.splitlines() if line.strip()}
    assert rows["stem"] == ["stem", "Conv2D", "16,7,strides=2", "45x45x16", "2,368", "4,762,800", "129.6", "kB", "7"]
    assert rows["total"][4] == "2,658,820"
    assert rows["stage1_dropout"][1:3] == ["Dropout", "0.25"]
    assert "advice  first kernel and image size: stem\n    kernel 7x7 on images of 96 pixels\n" in done.stdout
    assert not any(line != line.rstrip() for line in done.stdout.split("\n\n", 1)[1].splitlines())


def test_summary_of_a_model_with_settings_as_json(command: Command) -> None:
    done = command(
        "summary", "stridednet", "--set", "model.stem_kernel=3", "--image-size", "64", "--classes", "9", "--json"
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    model = StridedNet.build(64, 64, 3, 9, "l2", stem_kernel=3)
    assert result["parameters"] == model.count_params()
    assert "first kernel and image size" not in {finding["rule"] for finding in result["findings"]}
    assert result["layers"][-1]["output_shape"] == [9]


def test_summary_of_a_saved_model_and_of_a_run(command: Command, saved_model: Path, tmp_path: Path) -> None:
    before = saved_model.read_bytes()
    from_file = command("summary", str(saved_model), "--json")
    folder = write_run(tmp_path / "run", keras.saving.load_model(saved_model), 5)
    from_folder = command("summary", str(folder), "--json")
    assert from_file.returncode == 0, from_file.stderr
    assert from_file.stdout == from_folder.stdout
    assert json.loads(from_file.stdout)["parameters"] == keras.saving.load_model(saved_model).count_params()
    assert saved_model.read_bytes() == before


def test_summary_draws_the_diagram(command: Command, saved_model: Path, tmp_path: Path) -> None:
    file = tmp_path / "diagram.svg"
    done = command("summary", str(saved_model), "--diagram", str(file))
    assert done.returncode == 0, done.stderr
    assert "<svg" in file.read_text()
    assert done.stdout.endswith(f"diagram: {file}\n")


def test_errors_are_one_line(command: Command, saved_model: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.keras"
    broken.write_bytes(b"not a zip file")
    for arguments, message in (
        (["vggg"], "there is no model 'vggg'; choose vgg"),
        ([str(tmp_path)], f"{tmp_path} is not a run directory: it has no recipe.toml"),
        ([str(broken)], f"{broken} is not a .keras file, which is a zip archive"),
        ([str(tmp_path / "gone.keras")], f"no such model: {tmp_path / 'gone.keras'}; give a run directory"),
        (
            [str(saved_model), "--image-size", "32"],
            "is a saved model: --image-size and --set only apply to",
        ),
        (
            ["stridednet", "--image-size", "8", "--set", "model.stem_kernel=9"],
            "StridedNet cannot be built for images of 8x8 pixels",
        ),
        (["stridednet", "--set", "model.stem_kernl=3"], "did you mean model.stem_kernel"),
    ):
        done = command("summary", *arguments)
        assert done.returncode == 2, done
        assert done.stderr.count("\n") == 1
        assert message in done.stderr


BUILDER = """
import ctypes

import keras
from keras import layers

print("reading the file")


class Halved(layers.Layer):
    def call(self, x):
        return x[:, ::2, ::2]


def logits(width, height, depth, classes):
    print("building")
    libc = ctypes.CDLL(None)
    libc.puts(b"a C library")
    image = keras.Input((height, width, depth))
    return keras.Model(image, layers.Dense(classes)(layers.Flatten()(image)))


def custom(width, height, depth, classes):
    image = keras.Input((height, width, depth))
    x = layers.Conv2D(8, 7, padding="same", name="stem")(Halved(name="halved")(image))
    x = layers.Conv2D(4, 3, strides=2, name="second")(x)
    return keras.Model(image, layers.Dense(classes)(layers.GlobalAveragePooling2D()(x)), name="net")


def dense(width, height, depth, classes):
    vector = keras.Input((4,))
    return keras.Model(vector, layers.Dense(classes)(layers.Dense(300_000)(vector)), name="net")
"""


@pytest.fixture
def builder(tmp_path: Path) -> Path:
    file = tmp_path / "net.py"
    file.write_text(BUILDER)
    return file


def test_a_builder_that_prints_does_not_spoil_the_json(
    builder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["stridednet", "summary", f"{builder}:logits", "--image-size", "16", "--json"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert not caught.value.code
    output = capfd.readouterr()
    assert json.loads(output.out)["parameters"] == 16 * 16 * 3 * 4 + 4
    assert all(text in output.err for text in ("reading the file", "building", "a C library"))


def test_unknown_layers_are_shown_as_unknown(command: Command, builder: Path, tmp_path: Path) -> None:
    done = command("summary", f"{builder}:custom", "--diagram", str(tmp_path / "net.svg"))
    assert done.returncode == 0, done.stderr
    rows = {line.split()[0]: line.split() for line in done.stdout.splitlines() if line.strip()}
    assert rows["halved"][3:] == ["-", "?", "27.6", "kB", "?"]
    assert rows["stem"][-1] == "?"
    assert rows["total"][5:8] == ["at", "least", "2,861,872"]  # 48 * 48 * 49 * 3 * 8 + 23 * 23 * 9 * 8 * 4 + 4 * 4
    assert "?: unknown; what these layers compute is not analyzed: Halved" in done.stdout
    for rule in (
        "first kernel and image size",
        "receptive field smaller",
        "filters do not grow",
        "activation and depth",
    ):
        assert rule not in done.stdout
    assert "at least 2,861,872 multiply-adds" in (tmp_path / "net.svg").read_text()
    numbers = json.loads(command("summary", f"{builder}:custom", "--json").stdout)
    assert numbers["multiply_adds"] is None
    assert [layer["receptive_field"] for layer in numbers["layers"]] == [None] * 5
    assert [layer["multiply_adds"] for layer in numbers["layers"][:2]] == [None, 48 * 48 * 49 * 3 * 8]


def test_a_network_of_dense_layers_only(command: Command, builder: Path) -> None:
    done = command("summary", f"{builder}:dense")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "no advice"
    assert done.stdout.splitlines()[2].split()[-1] == "all"


@pytest.mark.usefixtures("builder")
def test_other_files_are_named(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").touch()
    (tmp_path / "model.h5").touch()
    for source, expected in (
        ("model.h5", "model.h5 is an HDF5 file, which is not loaded; save the model with model.save('model.keras')"),
        ("gone.h5", "no such model: gone.h5"),
        ("net.py", "net.py is a Python file; give the function that builds the model as FILE.py:function"),
        ("saved", "saved is a TensorFlow SavedModel, which is not loaded"),
    ):
        monkeypatch.chdir(tmp_path)
        done = command("summary", source)
        assert done.returncode == 2
        assert done.stderr.startswith(f"error: {expected}")
        assert done.stderr.count("\n") == 1
    (tmp_path / "vgg").mkdir()
    done = command("summary", "vgg")
    assert done.returncode == 0
    assert done.stderr == "note: vgg is the built-in model; for the file or folder here, write ./vgg\n"
    assert command("summary", "./vgg").returncode == 2
