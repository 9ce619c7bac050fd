"""Files of models that run code when Keras loads them, and are refused here."""

import pickle
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import MagicMock

import keras
import pytest
from hostile_models import (
    SIDE,
    Config,
    Payload,
    bytecode,
    called,
    function,
    keras_3_8,
    keras_3_10,
    lambda_layer,
    layer,
    sequential,
    torch_pickle,
    with_layer,
    write_model,
)

from conftest import Command
from stridednet.errors import ModelError
from stridednet.models.keras_file import load_keras_file


@dataclass(frozen=True)
class Attack:
    """A change of a model's configuration that makes Keras create a file.

    Args:
        change: The change, for the path of the file that is created.
        keras: The Keras on which the attack works, the installed one or an earlier one.
        reason: A part of the message with which it is refused here.
        safe_mode: Keras' argument; True where the attack works nevertheless.
    """

    change: Callable[[Path], Callable[[Config], object]]
    keras: Callable[[], AbstractContextManager[None]]
    reason: str
    safe_mode: bool = False


def _touch(module: str, name: str, *, registered_name: str | None = None) -> Callable[[Path], Callable[[Config], None]]:
    """CVE-2025-1550: a function of any module is called as if it were a layer."""
    return lambda marker: with_layer(called(function(module, name, registered_name), f"touch '{marker}'"))


def _popen(marker: Path) -> Callable[[Config], None]:
    return with_layer(called(function("subprocess", "check_call"), ["touch", str(marker)]))


def _get_file(marker: Path) -> Callable[[Config], None]:
    """CVE-2025-8747: Keras' own function that downloads a file to any place; here it "downloads" this module."""
    origin = Path(__file__).as_uri()
    return with_layer(
        called(function("keras.utils", "get_file"), marker.name, origin, cache_dir=str(marker.parent), cache_subdir="")
    )


def _unsafe_deserialization(marker: Path) -> Callable[[Config], None]:
    """CVE-2025-9906: the configuration itself turns safe mode off, before an argument of a node contains code."""

    def change(config: Config) -> None:
        with_layer(layer("Identity"))(config)
        config["config"]["layers"][1]["inbound_nodes"][0]["kwargs"] = {"mask": sequential(lambda_layer(marker))}
        off = called(function("keras.config", "enable_unsafe_deserialization")) | {"name": "off"}
        config["config"]["layers"].insert(1, off)

    return change


def _nested_compile_config(marker: Path) -> Callable[[Config], None]:
    """A model in the model is compiled as its configuration says, even with ``compile=False``."""
    inner = sequential(layer("Identity", name="nothing"))
    inner["compile_config"] = {"optimizer": sequential(lambda_layer(marker))}
    return with_layer(inner)


def _activation(marker: Path) -> Callable[[Config], None]:
    code = bytecode(marker)["config"]
    value = {"class_name": "__lambda__", "config": {"value": [code["code"], None, code["closure"]]}}
    return with_layer(layer("Activation", activation=value))


ATTACKS = {
    "Lambda": Attack(
        lambda marker: with_layer(lambda_layer(marker)), nullcontext, "contains a Lambda layer, 'evil', whose Python"
    ),
    "bytecode as an activation": Attack(_activation, nullcontext, "contains Python code (a lambda)"),
    "Lambda in a model": Attack(
        lambda marker: with_layer(sequential(lambda_layer(marker))), nullcontext, "contains a Lambda layer"
    ),
    "nested compile_config": Attack(_nested_compile_config, nullcontext, "contains a Lambda layer"),
    "pickle of a PyTorch module": Attack(
        lambda marker: with_layer(layer("TorchModuleWrapper", module=torch_pickle(marker))),
        nullcontext,
        "contains keras.layers.TorchModuleWrapper, which is not loaded from a file; if you trust its author",
    ),
    "CVE-2025-1550, os.system": Attack(_touch("os", "system"), keras_3_8, "'system'", safe_mode=True),
    "CVE-2025-1550, subprocess": Attack(_popen, keras_3_8, "'check_call'", safe_mode=True),
    "registered_name": Attack(
        _touch("os", "relu", registered_name="system"), keras_3_8, "a custom function, 'relu'", safe_mode=True
    ),
    "CVE-2025-8747, keras.utils.get_file": Attack(
        _get_file, keras_3_10, "the function keras.utils.get_file", safe_mode=True
    ),
    "CVE-2025-9906, enable_unsafe_deserialization": Attack(
        _unsafe_deserialization, keras_3_10, "contains a Lambda layer", safe_mode=True
    ),
}


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """Return the path of the file that an attack creates."""
    folder = tmp_path / "marks"
    folder.mkdir()
    return folder / "executed"


@pytest.fixture(autouse=True)
def _safe_mode_as_before() -> Iterator[None]:
    from keras.src.saving.serialization_lib import SafeModeScope

    with SafeModeScope(None):
        yield


def _refused(file: Path, command: Command) -> str:
    """Return the reason for which a file is refused, by the function and by the command, in one line."""
    before = {path: path.read_bytes() for path in file.parent.rglob("*") if path.is_file()}
    with pytest.raises(ModelError) as caught:
        load_keras_file(file)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(file))
    done = command("summary", file)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"error: {message}\n")
    assert before == {path: path.read_bytes() for path in file.parent.rglob("*") if path.is_file()}
    return message


@pytest.mark.parametrize("name", ATTACKS)
def test_code_in_a_model_is_not_run(name: str, marker: Path, tmp_path: Path, main_command: Command) -> None:
    attack = ATTACKS[name]
    file = write_model(tmp_path / "model.keras", attack.change(marker))
    with attack.keras(), suppress(Exception):  # what comes after the code does not matter
        loaded = keras.saving.load_model(file, compile=False, safe_mode=attack.safe_mode)
        loaded(keras.ops.zeros((1, SIDE, SIDE, 3)))
    assert marker.exists(), "the attack does not work on Keras"
    marker.unlink()
    assert attack.reason in _refused(file, main_command)
    assert not marker.exists()


def test_safe_mode_of_keras_lets_a_file_change_its_settings(tmp_path: Path, main_command: Command) -> None:
    evil = layer("Activation", activation=function("keras.config", "set_max_epochs"))
    file = write_model(tmp_path / "model.keras", with_layer(evil))
    with suppress(Exception):
        keras.saving.load_model(file)(keras.ops.zeros((1, SIDE, SIDE, 3)))
    try:
        assert keras.config.max_epochs() is not None
    finally:
        keras.config.set_max_epochs(None)
    assert "contains the function keras.config.set_max_epochs, which is not loaded" in _refused(file, main_command)
    assert keras.config.max_epochs() is None


@pytest.mark.parametrize("kind", ["StringLookup", "IntegerLookup"])
def test_other_files_are_not_read(
    kind: str, tmp_path: Path, main_command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keras reads such a vocabulary with TensorFlow, which need not be installed: a stand-in notes what it is asked."""
    from keras.src.layers.preprocessing import index_lookup, integer_lookup, string_lookup

    secret = tmp_path / "secret.txt"
    secret.write_text("password")
    file = write_model(tmp_path / "model.keras", with_layer(layer(kind, vocabulary=str(secret))))
    tensorflow = MagicMock()
    with monkeypatch.context() as patch, suppress(Exception):
        for module in (index_lookup, integer_lookup, string_lookup):
            patch.setattr(module, "tf", tensorflow)
        keras.saving.load_model(file, safe_mode=False)
    tensorflow.io.gfile.exists.assert_called_once_with(str(secret))
    tensorflow.reset_mock()
    assert f"contains keras.layers.{kind}, which is not loaded" in _refused(file, main_command)
    tensorflow.io.gfile.exists.assert_not_called()


@pytest.mark.parametrize("kind", ["TFSMLayer", "JaxLayer", "FlaxLayer", "TextVectorization", "Hashing"])
def test_layers_that_compute_with_something_else(kind: str, tmp_path: Path, main_command: Command) -> None:
    file = write_model(tmp_path / "model.keras", with_layer(layer(kind)))
    assert f"contains keras.layers.{kind}, which is not loaded" in _refused(file, main_command)


@pytest.mark.parametrize("name", ["model.h5", "model.keras"])
def test_legacy_files_are_not_opened(name: str, marker: Path, tmp_path: Path, main_command: Command) -> None:
    """CVE-2025-9905: Keras ignored safe mode for HDF5 files; now it runs their code if ``safe_mode`` is false."""
    image = keras.Input((SIDE, SIDE, 3))
    path = str(marker)
    touch = keras.layers.Lambda(lambda x: (open(path, "a").close(), x)[1])  # noqa: PTH123
    model = keras.Model(image, touch(image))
    model.save(tmp_path / "saved.h5")
    marker.unlink()
    keras.saving.load_model(tmp_path / "saved.h5", compile=False, safe_mode=False)
    assert marker.exists()
    marker.unlink()
    file = (tmp_path / "saved.h5").rename(tmp_path / name)
    assert "is an HDF5 file" in _refused(file, main_command)
    assert not marker.exists()


@pytest.mark.parametrize("name", ["model.pkl", "model.keras", "model.npz"])
def test_pickles_are_not_opened(name: str, marker: Path, tmp_path: Path, main_command: Command) -> None:
    file = tmp_path / name
    file.write_bytes(pickle.dumps(Payload(marker)))
    pickle.loads(file.read_bytes())  # noqa: S301
    assert marker.exists()
    marker.unlink()
    assert "is a " in _refused(file, main_command)
    assert not marker.exists()


def test_trust_runs_code(marker: Path, tmp_path: Path, main_command: Command) -> None:
    file = write_model(tmp_path / "model.keras", with_layer(lambda_layer(marker)))
    done = main_command("summary", file, "--trust", file)
    assert (done.returncode, done.stderr) == (0, "")
    assert marker.exists()
    marker.unlink()
    other = write_model(tmp_path / "other.keras", with_layer(lambda_layer(marker)))
    done = main_command("summary", other, "--trust", file)
    assert done.returncode == 2
    assert "--trust names a file or run that this command opens" in done.stderr
    assert not marker.exists()
