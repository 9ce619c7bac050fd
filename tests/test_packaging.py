"""The wheel works where there is no checkout: it contains all files that the commands need."""

import os
import shlex
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from conftest import PROJECT

pytestmark = pytest.mark.slow

SMALL = "--set image_size=16 --set 'model.filters=[8]' --set model.dense_units=16"


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into a new virtual environment, and return the folder of its programs."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    offline = ["--no-index", "--no-deps"]
    _run([*pip, "wheel", *offline, "--no-build-isolation", "--wheel-dir", folder, PROJECT], folder)
    (wheel,) = folder.glob("stridednet-*.whl")
    environment = folder / "environment"
    venv.create(environment)
    _run([*pip, "--python", environment, "install", *offline, wheel], folder)
    base = {"base": str(environment), "platbase": str(environment)}
    # The dependencies are those of this environment. Its own .pth files have no effect there, and so neither has the
    # one that makes the checkout importable here.
    dependencies = sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})
    Path(sysconfig.get_path("purelib", "venv", base), "dependencies.pth").write_text("\n".join(dependencies))
    return Path(sysconfig.get_path("scripts", "venv", base))


def _run(command: list[str | Path], folder: Path) -> str:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    return done.stdout


def test_the_installed_package_is_the_wheels(programs: Path, tmp_path: Path) -> None:
    code = (
        "import importlib.metadata, stridednet; print(stridednet.__file__)\n"
        "print([str(file.locate()) for file in importlib.metadata.files('stridednet') if file.name == 'py.typed'])"
    )
    package, marker = _run([programs / "python", "-c", code], tmp_path).splitlines()
    assert Path(package).is_relative_to(programs.parent)
    assert Path(package).with_name("py.typed").is_file()
    assert marker == str([str(Path(package).with_name("py.typed"))])


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("guide", "kernel_size"),
        ("guide strides", "default: (1, 1)"),
        ("conv2d 28x28x1 --filters 4 --kernel-size 3 --show layer.png", "layer.png"),
        ("summary stridednet", "parameters"),
        (f"train digits -e 1 {SMALL}", "run: runs/train/digits-auto"),
        (f"sweep digits --plan strides --seeds 1 --folds 2 --set epochs=1 {SMALL}", "model.downsample"),
    ],
)
def test_commands_run_in_an_empty_folder(programs: Path, tmp_path: Path, line: str, expected: str) -> None:
    assert expected in _run([programs / "stridednet", *shlex.split(line)], tmp_path)
