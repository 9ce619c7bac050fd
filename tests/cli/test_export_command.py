"""The command on a real training: what it prints and writes, and its exit status."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import stridednet
from conftest import SMALL, Command, copy_digits


@pytest.fixture(scope="module")
def trained(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    copy_digits(digits, folder / "pictures", "012", 20)
    stridednet.train(folder / "pictures", settings=SMALL | {"epochs": 1}, out=folder / "run")
    return folder / "run"


def test_onnx(warm_command: Command, trained: Path, tmp_path: Path) -> None:
    done = warm_command("export", trained, "--format", "onnx", "--quantize", "int8", "--out", "files")
    assert done.returncode == 0, done.stderr
    assert "onnx: files/model.onnx" in done.stdout
    assert "verified on 15 pictures in batches of 1, 7, 64: 100.00% have the run's most probable class" in done.stdout
    assert "onnx int8: files/model-int8.onnx" in done.stdout
    assert (tmp_path / "files" / "preprocessor_config.json").is_file()


def test_json(warm_command: Command, trained: Path, tmp_path: Path) -> None:
    done = warm_command("export", trained, "--format", "openvino", "--format", "torch", "--out", "files", "--json")
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert [result["format"] for result in results] == ["openvino", "torch"]
    assert all((tmp_path / file).is_file() for result in results for file in result["files"])
    assert all(result["verification"]["agreement"] == 1 for result in results)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gone", "--format", "onnx"], "there is no run directory gone"),
        (["RUN", "--format", "pb"], "formats: expected some of onnx, openvino, litert, torch. Received: 'pb'"),
        (["RUN"], "Missing option '--format'"),
    ],
)
def test_wrong_input(warm_command: Command, trained: Path, arguments: list[str], message: str) -> None:
    done = warm_command("export", *[str(trained) if one == "RUN" else one for one in arguments])
    assert done.returncode == 2
    assert message in done.stderr


def test_the_runtimes_need_neither_keras_nor_pytorch() -> None:
    code = "import sys, stridednet.deploy.export.runtimes; print(sorted({'keras', 'torch'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
