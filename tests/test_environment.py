"""What the environment does is reported before the work, in one line, or replaced by something that works."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

import stridednet
from conftest import SMALL, Command, copy_digits
from stridednet.environment import check_device
from stridednet.errors import FigureError, InputError, StorageError
from stridednet.run import Run
from stridednet.storage import cache_folder, check_writable, user_path
from stridednet.training.observer import Observer

NOT_WRITABLE = Path("/proc/stridednet")  # also for root
SETTINGS = [part for key, value in (SMALL | {"epochs": 1}).items() for part in ("--set", f"{key}={json.dumps(value)}")]


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"KERAS_BACKEND": "tensorflow"}, "KERAS_BACKEND: tensorflow is not installed; unset it, or set it to torch"),
        ({"KERAS_BACKEND": "torhc"}, "KERAS_BACKEND: Keras has no such backend, or cannot import it; unset it, or"),
        ({"KERAS_TORCH_DEVICE": "cdua"}, "KERAS_TORCH_DEVICE: PyTorch cannot compute on this device: it is not a"),
        ({"KERAS_TORCH_DEVICE": "meta"}, "KERAS_TORCH_DEVICE: PyTorch cannot compute on this device: "),
    ],
)
def test_keras_variables_are_checked(
    environment: dict[str, str], message: str, few_digits: Path, command: Command
) -> None:
    done = command("train", few_digits, env=os.environ | environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {message}")
    assert done.stderr.count("\n") == 1
    assert done.stderr.endswith(f"Received: {next(iter(environment.values()))!r}\n")


def test_cuda_without_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    monkeypatch.setenv("KERAS_TORCH_DEVICE", "cuda")
    with pytest.raises(InputError, match=r"^KERAS_TORCH_DEVICE: .*; unset it to use the CPU\. Received: 'cuda'$"):
        check_device()


def test_summary_explains_a_missing_device_too(command: Command) -> None:
    done = command("summary", "vgg", env=os.environ | {"KERAS_TORCH_DEVICE": "cdua"})
    assert done.returncode == 2
    assert done.stderr.startswith("error: KERAS_TORCH_DEVICE: ")


@pytest.mark.parametrize("content", ["[1]", '{"floatx": "float17"}', None])
def test_a_broken_keras_json(content: str | None, few_digits: Path, command: Command, tmp_path: Path) -> None:
    file = tmp_path / "home" / "keras.json"
    file.parent.mkdir()
    if content is None:
        file.mkdir()
    else:
        file.write_text(content)
    done = command("train", few_digits, env=os.environ | {"KERAS_HOME": str(file.parent)})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: Keras cannot be imported (")
    assert done.stderr.endswith(f"; correct or remove {file}\n")
    assert done.stderr.count("\n") == 1


def test_the_python_package_explains_it_too() -> None:
    code = "import stridednet\ntry: stridednet.train\nexcept stridednet.StridedNetError as error: print(error)"
    environment = os.environ | {"KERAS_BACKEND": "tensorflow"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("KERAS_BACKEND: tensorflow is not installed; ")


def test_empty_variables_are_as_good_as_none() -> None:
    code = "import stridednet, os; print(os.environ['KERAS_BACKEND'], os.environ['KERAS_TORCH_DEVICE'])"
    environment = os.environ | {"KERAS_BACKEND": "", "KERAS_TORCH_DEVICE": ""}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "torch cpu\n"


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users can reach, which those of pytest are not."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.skipif(
    not hasattr(os, "getuid") or os.getuid() != 0 or shutil.which("setpriv") is None, reason="needs root and setpriv"
)
def test_a_user_without_a_name_and_a_home(few_digits: Path, open_folder: Path) -> None:
    place = open_folder
    os.chown(place, 54321, -1)
    (temporary := place / "tmp").mkdir()
    os.chown(temporary, 54321, -1)
    keep_reading = ["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"]
    command = Path(sys.executable).with_name("stridednet")
    done = subprocess.run(
        ["setpriv", "--reuid", "54321", "--clear-groups", *keep_reading, command, "train", few_digits, *SETTINGS],
        cwd=place,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
            "TMPDIR": str(temporary),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [path.name for path in (place / "runs" / "train").iterdir()] == ["few-auto"]
    cache = temporary / "stridednet-54321"
    assert cache.stat().st_mode & 0o777 == 0o700
    assert {"decoded"} <= {path.name for path in cache.iterdir()}
    assert sorted(path.name for path in place.iterdir()) == ["runs", "tmp"]


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No HOME, and a user id without a name."""
    import pwd
    import tempfile

    def unknown(_: int) -> None:
        raise KeyError("uid not found")

    for name in ("HOME", "XDG_CACHE_HOME", "STRIDEDNET_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path / f"stridednet-{os.getuid()}"


def test_the_cache_of_a_user_without_a_home_is_private(homeless: Path) -> None:
    assert cache_folder() == homeless
    assert homeless.stat().st_mode & 0o777 == 0o700
    homeless.chmod(0o777)
    with pytest.raises(StorageError, match=r"other users can write to it; set STRIDEDNET_CACHE"):
        cache_folder()
    homeless.rmdir()
    homeless.symlink_to(homeless.parent)
    with pytest.raises(StorageError, match="set STRIDEDNET_CACHE"):
        cache_folder()


@pytest.mark.usefixtures("homeless")
def test_a_home_that_is_unknown_is_an_error_where_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"^out: the home directory of '~' is unknown; write .* Received: '~/x'$"):
        user_path("~/x", "out")
    monkeypatch.setenv("STRIDEDNET_CACHE", "~/x")
    with pytest.raises(InputError, match=r"^STRIDEDNET_CACHE: the home directory"):
        cache_folder()


def test_a_tilde_is_the_home_directory(
    few_digits: Path, warm_command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "mine.toml").write_text("epochs = 1\n")
    (home / "net.py").write_text("from stridednet.models import build_vgg as build\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("STRIDEDNET_CACHE", "~/cache")
    done = warm_command(
        "train", few_digits, "--out=~/run", "--plot=~/plot.png", "--recipe=~/mine.toml", "--set", "image_size=32"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert warm_command("summary", "vgg", "--diagram=~/vgg.png").returncode == 0
    assert {path.name for path in home.iterdir()} >= {"run", "plot.png", "cache", "vgg.png"}
    assert not (tmp_path / "~").exists()
    stridednet.train(few_digits, "~/mine.toml", {"image_size": 16}, out="~/python", plot="~/python.png")
    assert Run.open("~/python").recipe.name == "mine"
    with pytest.raises(InputError, match="is already finished"):
        stridednet.resume("~/python")
    assert not (Path.cwd() / "~").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"out": NOT_WRITABLE / "run"}, rf"^cannot write {NOT_WRITABLE}/run: .*; choose another folder with `out`$"),
        ({"plot": NOT_WRITABLE / "a.png"}, rf"^cannot write {NOT_WRITABLE}: .*; choose another file with `plot`$"),
    ],
)
def test_a_place_that_is_not_writable_is_found_before_the_work(
    arguments: dict[str, Path], message: str, few_digits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stridednet.pipeline.prepare", None)
    with pytest.raises(StorageError, match=message):
        stridednet.train(few_digits, settings=SMALL, **arguments)  # type: ignore[arg-type]


def test_the_current_folder(tmp_path: Path, few_digits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stridednet.pipeline.prepare", None)
    (tmp_path / "runs").symlink_to(NOT_WRITABLE / "at" / "all")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StorageError, match=r"^cannot write runs/train: .* choose another folder with `out`$"):
        stridednet.train(few_digits, settings=SMALL)
    with pytest.raises(StorageError, match=r"choose another folder with `out`$"):
        stridednet.sweep(few_digits, ["epochs=1,2"], settings=SMALL, out=NOT_WRITABLE)
    check_writable(tmp_path / "a" / "b", "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["few", "runs"]


def test_a_current_folder_that_was_deleted(tmp_path: Path) -> None:
    code = (
        "import os, sys; os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone')\n"
        "from stridednet.cli.main import main; sys.argv = ['stridednet', 'train', 'x/..']; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


def test_missing_folders_for_temporary_files_and_caches(few_digits: Path, command: Command, tmp_path: Path) -> None:
    environment = os.environ | {
        "TMPDIR": str(tmp_path / "nowhere"),
        "HOME": str(NOT_WRITABLE),
        "STRIDEDNET_CACHE": str(NOT_WRITABLE),
        "MPLCONFIGDIR": str(tmp_path / "matplotlib"),
    }
    done = command("train", few_digits, *SETTINGS, "--out", "run", env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "run" / "plot.png").is_file()
    done = command("train", "digits", *SETTINGS, env=environment)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: cannot write to the cache {NOT_WRITABLE}")
    assert done.stderr.endswith("set STRIDEDNET_CACHE to another folder\n")
    assert done.stderr.count("\n") == 1


def test_without_any_folder_for_temporary_files(tmp_path: Path) -> None:
    pytest.importorskip("resource", reason="needs a limit on the size of files")
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))\n"
        "from stridednet.cli.main import main; sys.argv = ['stridednet', 'summary', 'vgg']; main()"
    )
    # PyTorch looks for a temporary folder when it is imported, unless an earlier import in this process has set this.
    environment = {name: value for name, value in os.environ.items() if name != "TORCHINDUCTOR_CACHE_DIR"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "error: there is no folder in which temporary files can be written; free some space, or set TMPDIR to another "
        "folder\n"
    )


def test_matplotlib_gets_a_folder(cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from stridednet.cli.streams import prepare_matplotlib

    monkeypatch.setenv("MPLBACKEND", "")  # so that it is restored
    monkeypatch.delenv("MPLCONFIGDIR", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    prepare_matplotlib()
    assert "MPLCONFIGDIR" not in os.environ
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path / "own"))
    prepare_matplotlib()
    assert os.environ["MPLCONFIGDIR"] == str(tmp_path / "own")
    monkeypatch.setenv("MPLCONFIGDIR", str(NOT_WRITABLE))
    prepare_matplotlib()
    assert os.environ["MPLCONFIGDIR"] == str(cache / "matplotlib")
    monkeypatch.delenv("MPLCONFIGDIR")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(NOT_WRITABLE))
    prepare_matplotlib()
    assert os.environ["MPLCONFIGDIR"] == str(cache / "matplotlib")


def test_settings_of_matplotlib_are_no_obstacle(command: Command, tmp_path: Path) -> None:
    environment = os.environ | {"MPLBACKEND": "garbage", "MPLCONFIGDIR": str(NOT_WRITABLE)}
    done = command("summary", "vgg", "--diagram", "vgg.png", env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "vgg.png").is_file()


def test_a_backend_that_matplotlib_does_not_have_is_explained_in_python() -> None:
    code = "import stridednet\ntry: stridednet.train\nexcept stridednet.StridedNetError as error: print(error)"
    environment = os.environ | {"MPLBACKEND": "garbage"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == (
        "MPLBACKEND: Matplotlib has no such backend; unset it, or set it to agg. Received: 'garbage'\n"
    )


class Spoils(Observer):
    """Calls a function after the first epoch."""

    def __init__(self, spoil: Callable[[], object]) -> None:
        self.spoil = spoil

    def on_epoch(self, *_: object) -> None:
        self.spoil()


def test_a_figure_that_cannot_be_written_loses_nothing(digits: Path, tmp_path: Path) -> None:
    pictures, figures = copy_digits(digits, tmp_path / "few", "01", 20), tmp_path / "figures"
    figures.mkdir()

    def spoil() -> None:
        figures.rmdir()
        figures.touch()

    with pytest.raises(FigureError) as caught:
        stridednet.train(
            pictures,
            "tutorial",
            SMALL | {"epochs": 1},
            out=tmp_path / "run",
            plot=figures / "plot.png",
            observer=Spoils(spoil),
        )
    assert str(caught.value).startswith(
        f"the run {tmp_path / 'run'} is finished, but plot is missing: cannot write {figures / 'plot.png'}: "
    )
    assert caught.value.result.report == Run.open(tmp_path / "run").report
    assert (tmp_path / "run" / "plot.png").is_file()


@pytest.mark.parametrize(("name", "function"), [("report.html", "report_page"), ("README.md", "model_card")])
def test_a_page_that_cannot_be_made_loses_nothing_else(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, function: str
) -> None:
    def fails(*_: object) -> None:
        raise ValueError("no such\ncolor")

    pictures, run = copy_digits(digits, tmp_path / "few", "01", 20), tmp_path / "run"
    monkeypatch.setattr(f"stridednet.evaluation.illustrate.{function}", fails)
    with pytest.raises(FigureError) as caught:
        stridednet.train(pictures, "tutorial", SMALL | {"epochs": 1}, out=run)
    assert str(caught.value) == f"the run {run} is finished, but {name} is missing: ValueError: no such color"
    assert caught.value.result.report == Run.open(run).report
    assert {"plot.png", "report.html", "README.md"} - {path.name for path in run.iterdir()} == {name}


def test_a_figure_that_cannot_be_drawn_is_one_line_after_the_report(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from stridednet.cli.main import main

    def no_fonts(*_: object) -> None:
        raise RuntimeError("no\nfonts")

    pictures = copy_digits(digits, tmp_path / "few", "01", 20)
    monkeypatch.setattr("stridednet.evaluation.illustrate.plot_history", no_fonts)
    monkeypatch.setattr(sys, "argv", ["stridednet", "train", str(pictures), *SETTINGS, "--out", str(tmp_path / "run")])
    with pytest.raises(SystemExit) as caught:
        main()
    out, error = capsys.readouterr()
    assert caught.value.code == 1
    assert f"run: {tmp_path / 'run'}" in out
    assert error == (
        f"error: the run {tmp_path / 'run'} is finished, but its figure is missing: RuntimeError: no fonts\n"
    )
    assert Run.open(tmp_path / "run").report["report"]["support"] == 10
