import json
import pickle
import random
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import pytest

from stridednet.errors import ModelError
from stridednet.models.keras_file import load_keras_file


def test_a_saved_model_is_loaded_without_its_optimizer(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 3)])
    model.compile("adam", "mse")
    model.save(tmp_path / "model.keras")
    loaded = load_keras_file(str(tmp_path / "model.keras"))
    assert not loaded.compiled
    assert loaded.count_params() == model.count_params()


def test_a_missing_or_damaged_file_is_reported_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"^no such model file: .*gone\.keras$"):
        load_keras_file(tmp_path / "gone.keras")
    (tmp_path / "model.keras").write_text("not a model")
    with pytest.raises(ModelError, match=r"^[^\n]*model\.keras is not a \.keras file, which is a zip archive; [^\n]+$"):
        load_keras_file(tmp_path / "model.keras")


class _Mine(keras.layers.Layer):
    def call(self, x: Any) -> Any:
        return x


class _Subclassed(keras.Model):
    def call(self, x: Any) -> Any:
        return x


def _activation(x: Any) -> Any:
    return x


def _saved(folder: Path, layer: Any) -> Path:
    image = keras.Input((8, 8, 3))
    keras.Model(image, layer(image)).save(folder / "model.keras")
    return folder / "model.keras"


def _rewritten(file: Path, change: Callable[[str, bytes], bytes | None]) -> Path:
    """Change the files in the archive."""
    with zipfile.ZipFile(file) as archive:
        parts = {name: change(name, archive.read(name)) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in parts.items():
            if content is not None:
                archive.writestr(name, content)
    return file


def _message(file: Path) -> str:
    with pytest.raises(ModelError) as caught:
        load_keras_file(file)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(file))
    return message


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (
            keras.layers.Lambda(lambda x: 2 * x, name="double"),
            "contains a Lambda layer, 'double', whose Python code is",
        ),
        (_Mine(name="mine"), "contains a custom layer or object, _Mine ('mine'), whose code is not in the file; give"),
        (_Subclassed(name="inner"), "custom layer or object, _Subclassed ('inner'), whose code is not in the file"),
        (keras.layers.Activation(_activation), "contains a custom function, '_activation', whose code is not in the"),
        (keras.layers.Conv2D(2, 3, kernel_regularizer=_activation), "contains a custom function, '_activation'"),
    ],
)
def test_code_that_a_file_does_not_contain(layer: Any, expected: str, tmp_path: Path) -> None:
    message = _message(_saved(tmp_path, layer))
    assert expected in message
    assert "FILE.py:function" in message


def test_registered_classes_are_loaded(tmp_path: Path) -> None:
    file = _saved(tmp_path, _Mine())
    with keras.saving.custom_object_scope({"_Mine": _Mine}):
        assert load_keras_file(file).count_params() == 0


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        (
            "model.h5",
            b"anything",
            "is an HDF5 file, which is not loaded; save the model with model.save('model.keras')",
        ),
        ("model.HDF5", b"", "is an HDF5 file, which is not loaded"),
        ("model.pkl", b"", "is a pickle file, which is not loaded"),
        ("model.pth", b"", "is a PyTorch file, which is not loaded"),
        ("model.onnx", b"", "is an ONNX model, which is not loaded"),
        ("model.keras", b"\x89HDF\r\n\x1a\n and more", "is an HDF5 file, not a .keras file"),
        ("model.keras", pickle.dumps({"a": 1}), "is a pickle file, not a .keras file"),
        ("model.keras", b"<!doctype html><html>", "is an HTML page, not a .keras file"),
        ("model.keras", b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer, not the file itself"),
        ("model.keras", b"", "is an empty file"),
        ("model.keras", b"PK\x03\x04 and more", "is truncated"),
        (
            "net.py",
            b"def build(): ...",
            "is a Python file; give the function that builds the model as FILE.py:function",
        ),
    ],
)
def test_other_formats_are_named(name: str, content: bytes, expected: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    assert expected in _message(tmp_path / name)


def test_foreign_formats_are_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    monkeypatch.setattr(Path, "open", lambda *_: pytest.fail("the file was opened"))
    assert "HDF5" in _message(tmp_path / "model.h5")


def test_archives_that_are_damaged_or_hold_something_else(tmp_path: Path) -> None:
    whole = _saved(tmp_path, keras.layers.Conv2D(2, 3)).read_bytes()
    file = tmp_path / "model.keras"
    file.write_bytes(whole[: len(whole) // 2])
    assert "is truncated: the end of the archive is missing; save or copy the model again" in _message(file)
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 255
    file.write_bytes(flipped)
    assert _message(file).endswith(
        "is damaged; save or copy the model again. The checksum of model.weights.h5 in it does not match"
    )
    for change, expected in [
        (lambda name, content: None if name == "config.json" else content, "does not contain config.json"),
        (lambda name, content: content[:50] if name == "config.json" else content, "is damaged; save or copy"),
        (lambda name, content: b"[1]" if name == "config.json" else content, "config.json does not describe a model"),
        (lambda name, content: b"no" if name.endswith("h5") else content, "is not a model that Keras can load: Unable"),
    ]:
        file.write_bytes(whole)
        assert expected in _message(_rewritten(file, change))
    file.write_bytes(whole)
    file.rename(tmp_path / "model.zip")
    assert "rename it so that it ends in .keras" in _message(tmp_path / "model.zip")


def test_random_damage_never_ends_in_another_exception(tmp_path: Path) -> None:
    whole = _saved(tmp_path, keras.layers.Conv2D(2, 3)).read_bytes()
    rng = random.Random(0)
    file, refused = tmp_path / "model.keras", 0
    for _ in range(40):
        content = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        file.write_bytes(content[: rng.randrange(len(content))] if rng.random() < 0.2 else content)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                load_keras_file(file)
        except ModelError as error:
            refused += 1
            assert "\n" not in str(error)  # noqa: PT017
    assert refused > 30


def test_a_model_of_a_newer_keras(tmp_path: Path) -> None:
    def newer(name: str, content: bytes, kind: str, argument: str) -> bytes:
        if name == "metadata.json":
            return json.dumps(json.loads(content) | {"keras_version": "99.1.0"}).encode()
        return content.replace(b'"Conv2D"', f'"{kind}"'.encode()).replace(b'"groups"', f'"{argument}"'.encode())

    hint = f"it was saved by Keras 99.1.0, and Keras {keras.version()} is installed: pip install -U keras"
    file = _rewritten(
        _saved(tmp_path, keras.layers.Conv2D(2, 3)), lambda name, text: newer(name, text, "ConvX", "groups")
    )
    assert _message(file) == f"{file} contains ConvX, which this version of Keras does not have; {hint}"
    file = _rewritten(
        _saved(tmp_path, keras.layers.Conv2D(2, 3)), lambda name, text: newer(name, text, "Conv2D", "new")
    )
    assert _message(file).startswith(
        f"{file} cannot be loaded; {hint}. Unrecognized keyword arguments passed to Conv2D"
    )
