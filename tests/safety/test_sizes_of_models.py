"""Small ``.keras`` files for which Keras allocates more memory than there is, or reads other files."""

import io
import json
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pytest
from bombs import write_zip_bomb
from bounded_reader import Opened, opened
from hostile_models import Config, layer, members_of, plain_model, with_layer, write_members, write_model

from conftest import Command
from stridednet.errors import ModelError
from stridednet.models.keras_file import load_keras_file

_LIMIT = 512  # MiB that may be allocated
_FEW = 64  # MiB that a refusal may take


def _weights(file: Path, change: Callable[[h5py.File], object]) -> Path:
    """Write the plain model with changed weights."""
    members = members_of(plain_model())
    content = io.BytesIO(members["model.weights.h5"])
    with h5py.File(content, "r+") as weights:
        change(weights)
    return write_members(file, members | {"model.weights.h5": content.getvalue()})


_KERNEL = "layers/dense/vars/0"


def _replace_kernel(weights: h5py.File, **options: object) -> None:
    del weights[_KERNEL]
    weights.create_dataset(_KERNEL, **options)


def _large_array(weights: h5py.File) -> None:
    _replace_kernel(weights, shape=(2**29,), dtype="float32", chunks=(1024,))  # 2 GiB, of which nothing is stored


def _wide_dense(config: Config) -> None:
    config["config"]["layers"][-1]["config"]["units"] = 10**9


def _wide_strings(config: Config) -> None:
    text = {"class_name": "__numpy__", "config": {"value": [""], "dtype": "S2000000000"}}
    with_layer(layer("Identity"))(config)
    config["config"]["layers"][1]["inbound_nodes"][0]["kwargs"] = {"mask": text}


def _deep(file: Path) -> None:
    members = members_of(plain_model())
    write_members(file, members | {"config.json": b'{"class_name": ' + b"[" * 10**6})


def _padded_bomb(file: Path) -> None:
    """A member of 640 MiB in an archive that has the size to allow for it, since 4 MiB of nothing precede it."""
    write_zip_bomb(file, "config.json", 640 * 2**20)
    bomb = file.read_bytes()
    with file.open("wb") as stream:
        stream.seek(4 * 2**20)
        stream.write(bomb)


@dataclass(frozen=True)
class _Attack:
    """A file, the naive reader for which it is too much, with that reader's error, and the reason for the refusal."""

    write: Callable[[Path], object]
    naive: str
    error: str
    reason: str


_ATTACKS = {
    "header": _Attack(
        lambda file: _weights(file, _large_array), "naive h5", "Unable to allocate", "its weights declare more than"
    ),
    "dense": _Attack(
        lambda file: write_model(file, _wide_dense), "naive keras", "can't allocate memory", "weights, but contains"
    ),
    "strings": _Attack(
        lambda file: write_model(file, _wide_strings), "naive keras", "", "an array that does not contain numbers"
    ),
    "config-bomb": _Attack(
        lambda file: write_zip_bomb(file, "config.json", 640 * 2**20), "naive zip", "", "it is a decompression bomb"
    ),
    "weights-bomb": _Attack(
        lambda file: write_zip_bomb(file, "model.weights.h5", 640 * 2**20), "naive zip", "", "does not contain config"
    ),
    "padded-bomb": _Attack(_padded_bomb, "naive zip", "", "decompression bomb"),
    "nesting": _Attack(_deep, "naive keras", "recursion", "nested more than 200 levels deep"),
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Opened, Opened]]:
    """Return what became of each attack with the naive reader and with ours."""
    ours, found = tmp_path_factory.mktemp("ours"), {}
    for name, attack in _ATTACKS.items():
        attack.write(ours / f"{name}.keras")
    by_name = {result.name: result for result in opened("model", ours, _LIMIT)}
    for reader in {attack.naive for attack in _ATTACKS.values()}:
        folder = tmp_path_factory.mktemp("naive")
        for name in (name for name, attack in _ATTACKS.items() if attack.naive == reader):
            (folder / f"{name}.keras").symlink_to(ours / f"{name}.keras")
        for result in opened(reader, folder, _LIMIT):
            found[result.name.removesuffix(".keras")] = (result, by_name[result.name])
    return found


@pytest.mark.parametrize("name", _ATTACKS)
def test_what_is_too_large_is_refused_before_it_is_allocated(
    name: str, outcomes: dict[str, tuple[Opened, Opened]]
) -> None:
    naive, ours = outcomes[name]
    assert naive.error is not None, "the naive reader opens it"
    assert naive.error == "MemoryError" or _ATTACKS[name].error in naive.message
    assert ours.is_ours
    assert _ATTACKS[name].reason in ours.message
    assert "\n" not in ours.message
    assert f"{name}.keras" in ours.message
    assert ours.grown < _FEW


def _refused(file: Path, command: Command) -> str:
    """Return the reason for which a file is refused, by the function and by the command, in one line."""
    with pytest.raises(ModelError) as caught:
        load_keras_file(file)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(file))
    done = command("summary", file)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"error: {message}\n")
    return message


def _link(weights: h5py.File, secret: Path) -> None:
    del weights[_KERNEL]
    weights[_KERNEL] = h5py.ExternalLink(str(secret), "password")


def _external(weights: h5py.File, secret: Path) -> None:
    raw = secret.with_suffix(".raw")
    raw.write_bytes(np.arange(4, dtype="float32").tobytes())
    _replace_kernel(weights, shape=(4,), dtype="float32", external=[(str(raw), 0, 16)])


def _virtual(weights: h5py.File, secret: Path) -> None:
    layout = h5py.VirtualLayout(shape=(4,), dtype="float32")
    layout[:] = h5py.VirtualSource(str(secret), "password", shape=(4,))
    del weights[_KERNEL]
    weights.create_virtual_dataset(_KERNEL, layout)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_link, "its weights have a link to another place or file, '0'"),
        (_external, "its weights have an array in another file, '0'"),
        (_virtual, "its weights have an array in another file, '0'"),
    ],
)
def test_weights_in_another_file_are_not_read(
    change: Callable[[h5py.File, Path], None], reason: str, tmp_path: Path, main_command: Command
) -> None:
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["password"] = np.arange(4, dtype="float32")
    model = _weights(tmp_path / "model.keras", lambda weights: change(weights, secret))
    with zipfile.ZipFile(model) as archive:
        extracted = archive.extract("model.weights.h5", tmp_path)  # as Keras does if there is little memory
    with h5py.File(extracted) as weights:
        assert weights[_KERNEL][:].tolist() == [0, 1, 2, 3], "h5py does not read the other file"
    assert reason in _refused(model, main_command)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda weights: _replace_kernel(weights, data=b"text"), "an array that does not contain numbers"),
        (lambda weights: _replace_kernel(weights, data=h5py.Empty("f4")), "an array without a shape"),
        (lambda weights: weights.__setitem__("type", np.dtype("f4")), "something that is not an array"),
        (lambda weights: weights.__setitem__("again", weights["layers"]), "a group in two places"),
        (lambda weights: weights.__setitem__("soft", h5py.SoftLink("/layers")), "a link to another place or file"),
    ],
)
def test_what_weights_do_not_contain(
    change: Callable[[h5py.File], None], reason: str, tmp_path: Path, main_command: Command
) -> None:
    assert reason in _refused(_weights(tmp_path / "model.keras", change), main_command)


@pytest.mark.parametrize("name", ["assets/../../outside.txt", "/outside.txt", "model.weights.npz", "code.py"])
def test_other_members_are_refused(name: str, tmp_path: Path, main_command: Command) -> None:
    model = write_members(tmp_path / "model.keras", members_of(plain_model()) | {name: b"anything"})
    names = ", ".join(sorted([name, *members_of(plain_model())]))
    assert f"contains more than a model: {names}; only" in _refused(model, main_command)
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]


def test_a_member_that_is_there_twice(tmp_path: Path, main_command: Command) -> None:
    """Of two members with the same name, some programs check the first, and Keras reads the last."""
    members = members_of(plain_model())
    config = json.loads(members["config.json"])
    with_layer(layer("Identity"))(config)
    model = write_members(tmp_path / "model.keras", members)
    with zipfile.ZipFile(model, "a") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        archive.writestr("config.json", json.dumps(config))
    with zipfile.ZipFile(model) as archive:
        first, last = (archive.read(member) for member in archive.infolist() if member.filename == "config.json")
        assert first != last == archive.read("config.json")
    assert "contains more than a model: config.json, config.json, metadata.json" in _refused(model, main_command)
