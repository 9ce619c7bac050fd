import json
import os
import re
import signal
import subprocess
import sys
import time
from multiprocessing.connection import wait
from pathlib import Path

import pytest

from conftest import Command, copy_digits
from stridednet.cli.main import main
from stridednet.run import Run
from test_pipeline import SMALL, assert_same_result
from warm import CAN_FORK, STRIDEDNET, run_warm, start_warm

SETTINGS = [part for key, value in SMALL.items() for part in ("--set", f"{key}={json.dumps(value)}")]
LONGER = [*SETTINGS, "--set", "epochs=40"]

needs_fork = pytest.mark.skipif(not CAN_FORK, reason="needs forked processes and their signals")


def _main(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    monkeypatch.setattr(sys, "argv", ["stridednet", *map(str, arguments)])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "nowhere"], "no such folder or archive: nowhere; built-in data sets: "),
        (["train", ""], "setting 'data.dataset': should be a folder, an archive of one, or the name of a built-in"),
        (["train", "--out", ""], "Invalid value for '--out': expected a path. Received: ''."),
        (["train", "--plot="], "Invalid value for '--plot' / '-p': expected a path. Received: ''."),
        (["train", "--resume="], "Invalid value for '--resume': expected a path. Received: ''."),
        (["train", "--out=~nobody-of-this-name/x"], "Invalid value for '--out': the home directory of '~nobody"),
        (["train", "a", "-d", "b"], "DATASET and --dataset cannot be combined. Received: 'a' and 'b'"),
        (["train", "--recipe", "fats"], "there is no recipe 'fats'; use a TOML file or one of accurate"),
        (["train", "--set", "epoch=3"], "unknown setting 'epoch'; did you mean epochs?"),
        (["train", "--set", "epochs"], "a setting is written KEY=VALUE, for example model.stem_kernel=5."),
        (
            ["train", "-e", "0"],
            "setting 'epochs': input should be greater than or equal to 1, or",
        ),
        (["train", "--labels", " , "], "--labels: expected names separated by commas. Received: ' , '"),
        (
            ["train", "--model", "vggg"],
            "setting 'model.name': there is no model 'vggg'; choose vgg, or your own as FILE.py:function",
        ),
        (["train", "-p", "plot.txt"], "plot: plot.txt: the file name must end in one of"),
        (["train", "--protocol", "30"], "--protocol: expected N/M, such as 30/50. Received: '30'"),
        (["train", "--resume", "gone"], "there is no run directory gone"),
        (
            ["train", "--resume", "gone", "-e", "3"],
            "--resume uses the recipe of the run; it can only be combined with DATASET and --plot",
        ),
        (["train", "-e", "many"], "Invalid value for '--epochs' / '-e': "),
        (["train", "--epoch", "3"], "No such option: --epoch"),
        (["trian"], "No such command 'trian'."),
        (["datasets", "fetch", "mnist"], "unknown data set 'mnist'; built-in data sets: digits, caltech101"),
        (
            ["datasets", "fetch", "digits", "--from", "x"],
            "digits ships with a dependency and needs no copy; omit `copy`",
        ),
    ],
)
def test_invalid_input_is_one_line_and_status_2(
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert _main(monkeypatch, *arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {message}")
    assert error.count("\n") == 1
    assert not re.search(r"[^.?] See stridednet --help", error)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "arguments", [["train", "nowhere"], ["train", "--set", "epoch=3"], ["sweep", "nowhere", "--vary", "epochs=1,2"]]
)
def test_typing_errors_are_reported_before_keras_is_imported(arguments: list[str], tmp_path: Path) -> None:
    code = (
        f"import sys; sys.argv = ['stridednet', *{arguments!r}]\n"
        "from stridednet.cli.main import main\n"
        "try: main()\n"
        "except SystemExit as end: print(end.code, {'keras', 'torch', 'sklearn'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "2 set()\n"
    assert done.stderr.startswith("error: ")


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    from stridednet.errors import RecipeError

    monkeypatch.setattr(sys, "argv", ["stridednet", "train", "--recipe", "fats", "--debug"])
    with pytest.raises(RecipeError):
        main()


def test_without_a_command_it_shows_the_help(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _main(monkeypatch) == 0
    assert "Usage: stridednet" in capsys.readouterr().out


def test_version_and_data_sets(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert _main(monkeypatch, "--version") == 0
    assert re.fullmatch(r"stridednet \d+\.\d+\.\d+\n", capsys.readouterr().out)
    assert _main(monkeypatch, "datasets", "fetch", "digits") == 0
    assert _main(monkeypatch, "datasets") == 0
    lines = capsys.readouterr().out.splitlines()
    assert re.match(r"digits is in .*digits", lines[0])
    assert re.match(r"digits +5,000 handwritten digits .*\(in .*digits\)", lines[1])
    assert re.match(r"caltech101 +9,144 photographs .*\(not downloaded yet; 137 MB\)", lines[2])


def test_a_training_without_a_terminal_prints_lines(few_digits: Path, warm_command: Command, tmp_path: Path) -> None:
    colored = os.environ | {"FORCE_COLOR": "1"}  # as on many CI systems
    done = warm_command("train", few_digits, *SETTINGS, "-p", "figure.png", env=colored)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert f"120 pictures of 3 classes in {few_digits}" in lines
    assert "stratified split: 90 train, 30 test; validation curve on test, report on test" in lines
    epochs = [line for line in lines if line.startswith("epoch ")]
    pattern = r"epoch \d/3  loss [\d.]+  accuracy [\d.]+  val_loss [\d.]+  val_accuracy [\d.]+  80 images  .* images/s"
    assert len(epochs) == 3
    assert all(re.fullmatch(pattern, line) for line in epochs)
    assert (tmp_path / "runs" / "train" / "few-auto" / "report.txt").read_text() in done.stdout
    folder = "runs/train/few-auto"
    assert lines[-3:] == [f"run: {folder}", f"report: {folder}/report.html", "figure: figure.png"]
    assert "</html>" in (tmp_path / folder / "report.html").read_text()
    assert (tmp_path / "figure.png").is_file()
    assert "\x1b" not in done.stdout


def test_an_unexpected_exception_is_one_line_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], few_digits: Path, tmp_path: Path
) -> None:
    def breaks(*_: object) -> None:
        raise KeyError("odd\nkey")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("stridednet.training.setup.build_model", breaks)
    assert _main(monkeypatch, "train", few_digits, *SETTINGS) == 1
    error = capsys.readouterr().err
    assert error == "error: internal error: KeyError: 'odd\\nkey'; rerun with --debug for the traceback\n"


def test_json_keeps_standard_output_clean(few_digits: Path, warm_command: Command) -> None:
    done = warm_command("train", few_digits, *SETTINGS, "--json", "--out", "run")
    assert done.returncode == 0
    assert json.loads(done.stdout)["report"]["support"] == 30
    assert "epoch 3/3" in done.stderr


LOUD = """
import ctypes

import keras
from keras import layers

print("loaded")


class Loud(layers.Layer):
    def call(self, x):
        print("called")
        return x


def build(width, height, depth, classes):
    print("built")
    libc = ctypes.CDLL(None)
    libc.puts(b"a C library")
    image = keras.Input((height, width, depth))
    x = layers.Flatten()(Loud()(layers.Rescaling(1 / 255)(image)))
    return keras.Model(image, layers.Dense(classes, activation="softmax")(x))
"""


def test_a_model_that_prints_does_not_spoil_the_json(few_digits: Path, warm_command: Command, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(LOUD)
    options = ("--set", "image_size=20", "--set", "batch_size=16", "--set", "epochs=1", "--json", "--out")
    done = warm_command("train", few_digits, "--model", "net.py:build", *options, "run")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["report"]["support"] == 30
    model = ("--set", f"model.name={tmp_path / 'net.py'}:build", "--vary", "epochs=1,2", "--seeds", "1", "--folds", "2")
    done_sweep = warm_command("sweep", few_digits, *model, *options, "sweep")
    assert done_sweep.returncode == 0, done_sweep.stderr
    assert len(json.loads(done_sweep.stdout)["comparisons"]) == 2
    for stderr in (done.stderr, done_sweep.stderr):
        assert all(text in stderr for text in ("loaded", "built", "called", "a C library"))


def _on_a_terminal(arguments: list[str], folder: Path) -> str:
    """Run a command on a pseudo-terminal of 80 columns, and return what it wrote."""
    control, terminal = os.openpty()
    device = Path(os.ttyname(terminal))
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}
    process = start_warm(STRIDEDNET, arguments, folder, device, device, environment)
    output = b""
    while control in wait([control, process.sentinel]):
        output += os.read(control, 65536)
    os.close(control)
    os.close(terminal)
    process.join()
    assert process.exitcode == 0
    return output.decode()


@needs_fork
def test_a_training_on_a_terminal_shows_one_bar(few_digits: Path, tmp_path: Path) -> None:
    screen = _on_a_terminal(["train", str(few_digits), *SETTINGS, "--out", "run"], tmp_path)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen)
    frames = [frame for frame in re.split(r"[\r\n]+", text) if frame.startswith("epoch 3/3")]
    assert frames
    assert re.search(r"epoch 3/3  step +5/5 ━+ [\d,]+ images/s \d\d:\d\d left", frames[-1])
    assert all(len(frame) <= 80 for frame in frames)
    assert re.search(r"loss [\d.]+  accuracy [\d.]+  val_loss [\d.]+  val_accuracy [\d.]+", text)


@pytest.fixture(scope="module")
def straight(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was never interrupted."""
    folder = tmp_path_factory.mktemp("straight")
    pictures = copy_digits(digits, folder / "few", "012", 40)
    done = run_warm(STRIDEDNET, ["train", pictures, *LONGER, "--out", "run"], folder)
    assert done.returncode == 0
    return folder / "run"


@needs_fork
@pytest.mark.parametrize("sent", ["SIGINT", "SIGKILL"])
def test_a_stopped_process_can_be_resumed(
    sent: str, few_digits: Path, straight: Path, warm_command: Command, tmp_path: Path
) -> None:
    out, error = tmp_path / "out", tmp_path / "error"
    process = start_warm(STRIDEDNET, ["train", few_digits, *LONGER, "--out", "run"], tmp_path, out, error)
    while not (tmp_path / "run" / "checkpoint" / "state.npz").exists():
        assert process.is_alive()
        time.sleep(0.01)
    assert process.pid is not None
    os.kill(process.pid, getattr(signal, sent))
    process.join(timeout=60)
    assert not (tmp_path / "run" / "report.json").exists()
    if sent == "SIGINT":
        assert process.exitcode == 130
        assert error.read_text() == "interrupted\n"
        assert re.search(r"\d+ epochs? (is|are) saved; resume with: stridednet train --resume run\n", out.read_text())
    resumed = warm_command("train", "--resume", "run")
    assert resumed.returncode == 0
    assert_same_result(tmp_path / "run", straight)
    again = warm_command("train", "--resume", "run")
    assert (again.returncode, again.stderr) == (
        2,
        "error: the run run is already finished; its report is run/report.txt\n",
    )


def test_the_protocol_reports_the_mean_per_class_accuracy(
    warm_command: Command, few_digits: Path, tmp_path: Path
) -> None:
    done = warm_command("train", few_digits, *SETTINGS, "--protocol", "8/5", "--out", "run")
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    classes = report["report"]["classes"].values()
    assert report["data"]["images"]["train"] == 8 * len(classes)
    assert all(entry["support"] <= 5 for entry in classes)
    mean = sum(entry["recall"] for entry in classes) / len(classes)
    assert report["report"]["mean_class_accuracy"] == pytest.approx(mean)
    assert f"mean per-class accuracy ({len(classes)} classes): {mean:.3f}\n" in done.stdout
    assert {row.subset for row in Run.open(tmp_path / "run").split} <= {"train", "test", "unused"}
