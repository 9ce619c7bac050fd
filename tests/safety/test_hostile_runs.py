"""Runs from a stranger: links out of them, changed models, pickles and bombs instead of arrays."""

import io
import json
import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from bombs import write_zip_bomb
from bounded_reader import opened
from hostile_models import Payload, lambda_layer, with_layer, write_model
from hostile_runs import copy_with, write_finished, write_unfinished

from conftest import Command
from stridednet.deploy.portable_file import read_portable
from stridednet.errors import RunError
from stridednet.run_directory import RunDirectory
from tiny_pictures import noise

_CHECKPOINT = "checkpoint/state.npz"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a finished run."""
    return write_finished(tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture(scope="module")
def unfinished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run with a checkpoint."""
    return write_unfinished(tmp_path_factory.mktemp("runs") / "unfinished")


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """Return a picture to predict."""
    noise(0).save(tmp_path / "picture.png")
    return tmp_path / "picture.png"


def _array(value: object, shape: tuple[int, ...] | None = None, *, pickled: bool = False) -> bytes:
    """Return the content of a ``.npy`` file, whose header may declare another shape."""
    file = io.BytesIO()
    if shape is None:
        np.lib.format.write_array(file, np.asarray(value, object if pickled else None), allow_pickle=pickled)
    else:
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        file.write(bytes(64))
    return file.getvalue()


def _npz(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return file.getvalue()


def _checkpoint_error(folder: Path) -> str:
    with pytest.raises(RunError) as caught:
        RunDirectory.unfinished(folder).load_checkpoint()
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{folder}/{_CHECKPOINT} is damaged (")
    return message


@pytest.mark.parametrize(
    "name", ["labels.txt", "split.csv", "model.keras", "report.html", _CHECKPOINT, "export/a.onnx"]
)
def test_a_symbolic_link_out_of_a_run(
    name: str, run: Path, picture: Path, tmp_path: Path, main_command: Command
) -> None:
    folder = shutil.copytree(run, tmp_path / "copy")
    secret = tmp_path / "secret.txt"
    secret.write_text("password\nsecret\n")
    place = folder / name
    place.parent.mkdir(exist_ok=True)
    place.unlink(missing_ok=True)
    place.symlink_to(secret)
    assert place.read_text() == "password\nsecret\n"
    done = main_command("predict", folder, picture)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"error: the run {folder} is refused: {name} is a symbolic link to a place outside of the run; "
        "copy what it refers to into the run\n"
    )


@pytest.mark.parametrize("name", ["checkpoint", "export"])
def test_a_folder_of_a_run_that_is_a_link(name: str, run: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(run, tmp_path / "copy")
    (tmp_path / "elsewhere").mkdir()
    (folder / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunError, match=f"{name} is a symbolic link to a place outside of the run"):
        RunDirectory.open(folder)


def test_links_within_a_run_and_to_a_run_are_followed(run: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(run, tmp_path / "copy")
    (folder / "labels.txt").rename(folder / "names.txt")
    (folder / "labels.txt").symlink_to("names.txt")
    (tmp_path / "latest").symlink_to(folder)
    assert RunDirectory.open(tmp_path / "latest").labels == ["cat", "dog"]


def test_a_changed_model_is_refused(run: Path, tmp_path: Path, main_command: Command) -> None:
    marker = tmp_path / "executed"
    evil = write_model(tmp_path / "evil.keras", with_layer(lambda_layer(marker))).read_bytes()
    folder = copy_with(run, tmp_path / "copy", "model.keras", evil)
    done = main_command("summary", folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert "model.keras was changed after the training: its SHA-256 is not that in report.json" in done.stderr
    assert done.stderr.count("\n") == 1
    report = json.loads((folder / "report.json").read_text())
    del report["sha256"]["model.keras"]
    (folder / "report.json").unlink()
    (folder / "report.json").write_text(json.dumps(report))
    done = main_command("summary", folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert "contains a Lambda layer, 'evil', whose Python code is not run from a file" in done.stderr
    assert not marker.exists()


def test_a_changed_predict_npz_is_not_used(run: Path, picture: Path, tmp_path: Path, main_command: Command) -> None:
    marker = tmp_path / "executed"
    evil = _npz(description=_array(Payload(marker), pickled=True))
    with np.load(io.BytesIO(evil), allow_pickle=True) as arrays:
        _ = arrays["description"]
    assert marker.exists(), "the attack does not work on NumPy"
    marker.unlink()
    folder = copy_with(run, tmp_path / "copy", "predict.npz", evil)
    assert read_portable(folder / "predict.npz", folder / "model.keras") is None
    done = main_command("predict", folder, picture)
    assert done.returncode == 0
    assert done.stderr.startswith("note: predict.npz is damaged or was not made from this model.keras")
    assert not marker.exists()


def test_a_pickle_in_a_checkpoint(unfinished: Path, tmp_path: Path) -> None:
    marker = tmp_path / "executed"
    evil = _npz(weight=_array(Payload(marker), pickled=True))
    folder = copy_with(unfinished, tmp_path / "copy", _CHECKPOINT, evil)
    with np.load(folder / _CHECKPOINT, allow_pickle=True) as arrays:
        _ = arrays["weight"]
    assert marker.exists(), "the attack does not work on NumPy"
    marker.unlink()
    assert "an array of Python objects, which are pickled" in _checkpoint_error(folder)
    assert not marker.exists()


def test_a_pickle_named_as_a_checkpoint(unfinished: Path, tmp_path: Path) -> None:
    import pickle

    marker = tmp_path / "executed"
    folder = copy_with(unfinished, tmp_path / "copy", _CHECKPOINT, pickle.dumps(Payload(marker)))
    np.load(folder / _CHECKPOINT, allow_pickle=True)
    assert marker.exists(), "the attack does not work on NumPy"
    marker.unlink()
    _checkpoint_error(folder)
    assert not marker.exists()


def test_arrays_that_declare_more_than_there_is(unfinished: Path, tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    copy_with(unfinished, folder / "header", _CHECKPOINT, _npz(weight=_array(0, (2**30,))))
    bomb = write_zip_bomb(tmp_path / "bomb.npz", "weight.npy", 640 * 2**20).read_bytes()
    copy_with(unfinished, folder / "zip-bomb", _CHECKPOINT, bomb)
    reasons = {
        "header": "an array declares the shape (1073741824,), which is more than the file contains",
        "zip-bomb": "it is a decompression bomb",
    }
    naive = {result.name: result for result in opened("naive numpy", folder, 512)}
    assert naive["header"].error == "MemoryError"
    for ours in opened("checkpoint", folder, 512):
        assert ours.is_ours
        assert reasons[ours.name] in ours.message
        assert ours.grown < 32


def test_a_fifo_in_a_run_is_not_waited_for(run: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(run, tmp_path / "copy")
    (folder / "labels.txt").unlink()
    os.mkfifo(folder / "labels.txt")
    with pytest.raises(RunError, match=r"is damaged: labels\.txt is missing"):
        RunDirectory.open(folder)
