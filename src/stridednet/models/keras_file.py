"""Load a Keras model from a ``.keras`` file, or say what the file is instead."""

import copy
import json
import math
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras

from stridednet.errors import ModelError
from stridednet.limits import MAX_MODEL_BYTES, MAX_MODEL_MEMBERS, LimitError, check_json_size, check_zip, parse_json
from stridednet.models.keras_config import refused
from stridednet.models.keras_weights import stored_bytes
from stridednet.models.layer_memory import too_large

# Formats that are never opened: loading some of them runs code that is in the file.
_FOREIGN = {
    ".h5": "an HDF5 file",
    ".hdf5": "an HDF5 file",
    ".joblib": "a pickle file",
    ".npz": "a NumPy archive",
    ".onnx": "an ONNX model",
    ".pb": "a TensorFlow graph",
    ".pickle": "a pickle file",
    ".pkl": "a pickle file",
    ".pt": "a PyTorch file",
    ".pth": "a PyTorch file",
    ".safetensors": "a file of weights",
    ".tflite": "a TensorFlow Lite model",
}
_AS_KERAS = "save the model with model.save('model.keras') in the program that made it"
_REGISTER = "register it before loading with @keras.saving.register_keras_serializable()"
_BUILDER = "give the function that builds the model as FILE.py:function"

_CONFIG, _METADATA, _WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
_TRUST = "if you trust its author, allow it: --trust FILE, or trust=True in Python"
_SIGNATURES = (
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (b"\x80\x02", "a pickle file"),
    (b"\x80\x03", "a pickle file"),
    (b"\x80\x04", "a pickle file"),
    (b"\x80\x05", "a pickle file"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"<!DOCTYPE", "an HTML page"),
    (b"<html", "an HTML page"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself"),
)


def load_keras_file(file: str | Path, *, trust: bool = False) -> keras.Model:
    """Load a model from a ``.keras`` file; the model is not compiled.

    Only files in Keras' native format are loaded, and never Python code that is stored in them. Their layers must be
    those of Keras that compute from numbers alone, or registered by this process.

    Args:
        file: Path of the file.
        trust: Whether to load whatever objects the file names, Python code included, which can do everything that you
            can do. Limits of size hold all the same.

    Raises:
        ModelError: The file does not exist, is not a ``.keras`` file, is damaged, or contains what Keras cannot load
            without the code that defines it. The message says which, and what to do, in one line.

    Examples:
        >>> import tempfile
        >>> image = keras.Input((32, 32, 3))
        >>> model = keras.Model(image, keras.layers.Conv2D(8, 3)(image))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.save(f"{folder}/model.keras")
        ...     load_keras_file(f"{folder}/model.keras").output_shape
        (None, 30, 30, 8)
    """
    path = Path(file)
    if not path.is_file():
        raise ModelError(f"no such model file: {file}")
    _check_format(path)
    config, version, weights = _read_archive(path)
    if not trust:
        _check_config(path, config, version, weights)
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=not trust)
    except Exception as error:
        raise ModelError(_reason(path, config, version, error)) from error
    if not isinstance(model, keras.Model):
        raise ModelError(f"{path} contains a {type(model).__name__}, not a model")
    return model


def _check_format(path: Path) -> None:
    """Raise an error if the name or the first bytes of a file show another format."""
    suffix = path.suffix.lower()
    if suffix in _FOREIGN:
        raise ModelError(f"{path} is {_FOREIGN[suffix]}, which is not loaded; {_AS_KERAS}, or {_BUILDER}")
    if suffix == ".py":
        raise ModelError(f"{path} is a Python file; {_BUILDER}, such as {path}:build")
    with path.open("rb") as stream:
        start = stream.read(64)
    for signature, kind in _SIGNATURES:
        if start.lower().startswith(signature.lower()):
            raise ModelError(f"{path} is {kind}, not a .keras file; {_AS_KERAS}, or {_BUILDER}")
    if not start:
        raise ModelError(f"{path} is an empty file; save or copy the model again")
    if not zipfile.is_zipfile(path):
        if start.startswith(b"PK"):
            raise ModelError(f"{path} is truncated: the end of the archive is missing; save or copy the model again")
        raise ModelError(f"{path} is not a .keras file, which is a zip archive; {_AS_KERAS}")
    if path.suffix != ".keras":
        raise ModelError(f"{path} is a zip archive; if it is a Keras model, rename it so that it ends in .keras")


def _check_config(path: Path, config: Any, version: str, weights: int) -> None:
    """Raise an error if a configuration names what is not allowed, or describes more weights than there are."""
    reason = refused({key: part for key, part in config.items() if key != "compile_config"})
    if reason:
        known = _missing_code(path, config, version)
        raise ModelError(known or f"{path} contains {reason}, which is not loaded from a file; {_TRUST}")
    described = {key: part for key, part in copy.deepcopy(config).items() if key != "compile_config"}
    try:
        with keras.device("meta"):  # of which PyTorch computes shapes, without memory
            model = keras.saving.deserialize_keras_object(described)
    except Exception as error:
        raise ModelError(_reason(path, config, version, error)) from error
    if not isinstance(model, keras.Model):
        raise ModelError(f"{path} contains a {type(model).__name__}, not a model")
    needed = sum(math.prod(variable.shape) for variable in model.weights)
    if needed > max(weights, 1):
        raise ModelError(f"{path} describes {needed:,} weights, but contains {weights:,} bytes of them")
    large = too_large(model)
    if large:
        raise ModelError(f"{path} contains {large}; {_TRUST}")


def _read_archive(path: Path) -> tuple[Any, str, int]:
    """Return the configuration in a .keras file, the version of Keras that saved it, and the bytes of its weights.

    Every byte is checked, after the sizes of the members.
    """
    damaged = f"{path} is damaged; save or copy the model again"
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if _CONFIG not in names:
                raise ModelError(
                    f"{path} is a zip archive but not a .keras file, since it does not contain {_CONFIG}; {_AS_KERAS}"
                )
            if len(set(names)) < len(names) or not set(names) <= {_CONFIG, _METADATA, _WEIGHTS}:
                raise ModelError(
                    f"{path} contains more than a model: {', '.join(sorted(names))[:200]}; only {_CONFIG}, {_METADATA} "
                    f"and {_WEIGHTS} are read"
                )
            check_zip(archive, MAX_MODEL_MEMBERS, MAX_MODEL_BYTES)
            for name in {_CONFIG, _METADATA} & set(names):
                check_json_size(archive.getinfo(name).file_size)
            broken = archive.testzip()
            if broken is not None:
                raise ModelError(f"{damaged}. The checksum of {broken} in it does not match")
            config = parse_json(archive.read(_CONFIG))
            if not isinstance(config, dict) or "class_name" not in config:
                raise ModelError(f"{path} is not a .keras file: its {_CONFIG} does not describe a model; {_AS_KERAS}")
            metadata = parse_json(archive.read(_METADATA)) if _METADATA in names else {}
            content = archive.read(_WEIGHTS) if _WEIGHTS in names else b""
    except ModelError:
        raise
    except LimitError as error:
        raise ModelError(f"{path} is refused: {error}") from None
    except Exception as error:  # zipfile raises many kinds for flipped bytes
        raise ModelError(f"{damaged}. {_one_line(error)}") from error
    version = metadata.get("keras_version") if isinstance(metadata, dict) else None
    try:
        weights = stored_bytes(content)
    except LimitError as error:
        raise ModelError(f"{path} is refused: {error}") from None
    except Exception as error:
        raise ModelError(f"{path} is not a model that Keras can load: {_one_line(error)}") from error
    return config, version if isinstance(version, str) else "", weights


def _reason(path: Path, config: Any, version: str, error: Exception) -> str:
    """Return why Keras cannot load a file that is complete."""
    known = _missing_code(path, config, version)
    if known:
        return known
    if _numbers(version) > _numbers(keras.version()):
        return f"{path} cannot be loaded; {_newer(version)}. {_one_line(error)}"
    return f"{path} is not a model that Keras can load: {_one_line(error)}"


def _newer(version: str) -> str:
    return f"it was saved by Keras {version}, and Keras {keras.version()} is installed: pip install -U keras"


def _missing_code(path: Path, config: Any, version: str) -> str | None:
    """Return which code a configuration needs that is not run from a file or not there; None if it needs none."""
    parts = list(_parts(config))
    for part in parts:
        if part.get("class_name") == "Lambda" and "__lambda__" in json.dumps(part):
            return (
                f"{path} contains a Lambda layer, {_name(part)}, whose Python code is not run from a file; replace it "
                f"by a built-in layer, or {_BUILDER}"
            )
    for part in parts:
        if part.get("class_name") == "__lambda__":
            return f"{path} contains Python code (a lambda), which is not run from a file; {_BUILDER}"
    newer = _numbers(version) > _numbers(keras.version())
    for part in parts:
        if _is_unknown(part):
            kind = part.get("class_name")
            if kind == "function":
                return (
                    f"{path} contains a custom function, '{part.get('config')}', whose code is not in the file; "
                    f"{_BUILDER}, or {_REGISTER}"
                )
            if newer and str(part.get("module")).partition(".")[0] == "keras":
                return f"{path} contains {kind}, which this version of Keras does not have; {_newer(version)}"
            return (
                f"{path} contains a custom layer or object, {kind} ({_name(part)}), whose code is not in the file; "
                f"{_BUILDER}, or {_REGISTER}"
            )
    return None


def _parts(config: Any) -> Iterator[dict[str, Any]]:
    """Yield every object in a configuration."""
    pending = [config]
    while pending:
        part = pending.pop(0)
        if isinstance(part, dict):
            if isinstance(part.get("class_name"), str):
                yield part
            pending += part.values()
        elif isinstance(part, list):
            pending += part


def _name(part: dict[str, Any]) -> str:
    config = part.get("config")
    name = config.get("name") if isinstance(config, dict) else None
    return f"'{name}'" if isinstance(name, str) else "without a name"


def _is_unknown(part: dict[str, Any]) -> bool:
    """Return whether an object in a configuration is neither a part of Keras nor registered."""
    kind, module, registered = str(part["class_name"]), part.get("module"), part.get("registered_name")
    if not {"module", "config"} <= part.keys():
        return False
    if kind == "function":
        registered = part["config"]
    if isinstance(registered, str) and keras.saving.get_registered_object(registered) is not None:
        return False
    if kind == "function":
        return module == "builtins" or not str(module).startswith("keras")
    if module == "builtins":
        return False
    if not isinstance(module, str) or module.partition(".")[0] != "keras":
        return True
    public: Any = keras
    for name in module.split(".")[1:]:
        public = getattr(public, name, None)
    return not module.startswith("keras.src") and not hasattr(public, kind)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def _one_line(error: Exception) -> str:
    """Return an error's message in one line, without the configurations and weights that Keras adds to it."""
    message = str(error).split("Full object config:")[0].rpartition("Exception encountered: ")[2]
    message = re.sub(r",? Target variable: <.*", "", " ".join(message.split()))
    return message or type(error).__name__
