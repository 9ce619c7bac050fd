import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import stridednet  # noqa: F401  -- before keras, to choose its backend

import keras  # isort: skip

from conftest import Command, write_run
from stridednet.cli.main import main

LAYER = ("28x28x3", "--filters", "4", "--kernel-size", "3")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a run directory that `--run` reads."""
    folder = tmp_path_factory.mktemp("run")
    layers = [keras.Input((28, 28, 3)), keras.layers.Rescaling(1 / 255), keras.layers.Conv2D(4, 5, 2, name="stem")]
    return write_run(folder, keras.Sequential(layers), 4)


def _main(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    monkeypatch.setattr(sys, "argv", ["stridednet", "conv2d", *map(str, arguments)])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


def test_a_figure_of_a_picture(warm_command: Command, digits: Path, tmp_path: Path) -> None:
    picture = next((digits / "3").iterdir())
    before = picture.read_bytes()
    done = warm_command("conv2d", *LAYER, "--strides", "2", "--show", "show.png", "--image", picture)
    assert (done.returncode, done.stderr) == (0, "")
    assert "output           13x13x4" in done.stdout
    assert done.stdout.endswith("\ndrawn: show.png\n")
    with Image.open(tmp_path / "show.png") as figure:
        assert figure.format == "PNG"
        assert figure.width == 1300
        assert 1200 < figure.height < 1500
        assert len(np.unique(np.asarray(figure.convert("RGB")).reshape(-1, 3), axis=0)) > 500
    assert picture.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["show.png"]


def test_an_animation_of_the_built_in_digit(warm_command: Command, tmp_path: Path) -> None:
    done = warm_command("conv2d", *LAYER, "--kernel", "blur", "--show", "show.gif", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["output_shape"] == [26, 26, 4]  # nothing but JSON
    with Image.open(tmp_path / "show.gif") as animation:
        assert (animation.format, animation.n_frames) == ("GIF", 49)


@pytest.mark.parametrize("name", ["show.png", "show.gif"])
def test_the_learned_filters_of_a_run(warm_command: Command, run: Path, tmp_path: Path, name: str) -> None:
    done = warm_command("conv2d", "--run", run, "--show", name)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Conv2D 4,5,strides=2 on 28x28x3\n")
    with Image.open(tmp_path / name) as picture:
        assert getattr(picture, "n_frames", 1) == (49 if name == "show.gif" else 1)


def test_one_kernel_makes_a_smaller_figure_than_three(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    heights = []
    for kernel in ((), ("--kernel", "edge")):
        assert _main(monkeypatch, *LAYER, *kernel, "--show", tmp_path / "show.png") == 0
        with Image.open(tmp_path / "show.png") as figure:
            heights.append(figure.height)
    assert heights[1] < heights[0]


def test_a_layer_may_be_given_as_a_chain_of_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert _main(monkeypatch, "28x28x3", "4,3,padding=same", "--show", tmp_path / "show.gif") == 0
    assert (tmp_path / "show.gif").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            (*LAYER, "--image", "a.png"),
            "--image, --kernel, --run and --trust are only used with --show: add --show FILE",
        ),
        ((*LAYER, "--show", "show.jpg"), "output file show.jpg: the name must end in .png or .gif"),
        ((*LAYER, "--show", "none/show.png"), "there is no folder none; create it first"),
        ((*LAYER, "--show", "show.png", "--image", "none.png"), "image none.png: cannot be read: No such file"),
        ((*LAYER, "--show", "show.png", "--image", "text.png"), "image text.png: not an image"),
        ((*LAYER, "--show", "text.png", "--image", "text.png"), "would overwrite the image; choose another name"),
        (
            (*LAYER, "--show", "show.png", "--kernel", "emboss"),
            "the kernel's name must be edge, blur or sharpen. Received: 'emboss'",
        ),
        (("28x28x3", "4,3", "4,3", "--show", "show.png"), "--show draws a single layer. Received: a chain of 2 layers"),
        (("28x28x5", "4,3", "--show", "show.png"), "1 or 3 input channels can be drawn. Received: 5 channels"),
        (("--show", "show.png"), "missing input shape"),
        (("--run", "none", "--show", "show.png"), "there is no run directory none"),
        (("28x28x3", "--run", "r", "--show", "show.png"), "omit SHAPE"),
        (("--run", "r", "--strides", "1", "--show", "show.png"), "omit --strides"),
        (("--run", "r", "--kernel", "edge", "--show", "show.png"), "omit --kernel"),
    ],
)
def test_errors_are_one_line(
    arguments: tuple[str, ...],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text.png").write_text("text")
    assert _main(monkeypatch, *arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("error: ")
    assert message in output.err
    assert output.err.count("\n") == 1
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"text.png": "text"}


def test_a_damaged_model_is_reported_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], run: Path, tmp_path: Path
) -> None:
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run" / "model.keras").write_text("not a model")
    assert _main(monkeypatch, "--run", tmp_path / "run", "--show", tmp_path / "show.png") == 2
    error = capsys.readouterr().err
    assert "model.keras was changed after the training" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "show.png").exists()


def test_without_show_nothing_heavy_is_imported() -> None:
    code = (
        f"import sys; sys.argv = ['stridednet', 'conv2d', *{LAYER!r}]\n"
        "from stridednet.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('HEAVY', sorted({'torch', 'keras', 'numpy', 'cv2', 'matplotlib', 'PIL'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "HEAVY []" in done.stdout
    assert "output           26x26x4" in done.stdout
