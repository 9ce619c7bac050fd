import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import stridednet  # noqa: F401  -- before keras, to choose its backend

import keras  # isort: skip

from conftest import Command
from stridednet.cli.main import main

LAYER = ("28x28x3", "--filters", "4", "--kernel-size", "3")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `--run` reads of a run directory."""
    folder = tmp_path_factory.mktemp("run")
    layers = [keras.Input((28, 28, 3)), keras.layers.Rescaling(1 / 255), keras.layers.Conv2D(4, 5, 2, name="stem")]
    keras.Sequential(layers).save(folder / "model.keras")
    return folder


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


def test_a_layer_may_be_written_as_a_chain_of_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert _main(monkeypatch, "28x28x3", "4,3,padding=same", "--show", tmp_path / "show.gif") == 0
    assert (tmp_path / "show.gif").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((*LAYER, "--image", "a.png"), "--image, --kernel and --run say what --show draws: add --show FILE"),
        ((*LAYER, "--show", "show.jpg"), "the name must end in .png or .gif"),
        ((*LAYER, "--show", "none/show.png"), "there is no folder none; make it first"),
        ((*LAYER, "--show", "show.png", "--image", "none.png"), "--image none.png: cannot be read: No such file"),
        ((*LAYER, "--show", "show.png", "--image", "text.png"), "--image text.png: not an image"),
        ((*LAYER, "--show", "text.png", "--image", "text.png"), "would overwrite the picture that --image names"),
        ((*LAYER, "--show", "show.png", "--kernel", "emboss"), "--kernel is edge, blur or sharpen. Received: 'emboss'"),
        (("28x28x3", "4,3", "4,3", "--show", "show.png"), "--show draws one layer. Received: a chain of 2"),
        (("28x28x5", "4,3", "--show", "show.png"), "1 or 3 channels. Received: 5 channels"),
        (("--show", "show.png"), "the input is missing"),
        (("--run", "none", "--show", "show.png"), "no finished run in none: it has no model.keras"),
        (("28x28x3", "--run", "r", "--show", "show.png"), "leave SHAPE away"),
        (("--run", "r", "--strides", "1", "--show", "show.png"), "leave --strides away"),
        (("--run", "r", "--kernel", "edge", "--show", "show.png"), "leave --kernel away"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(
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
