"""Malicious ``.keras`` files, and Keras as it was before it refused them."""

import base64
import importlib
import io
import json
import pickle
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import keras
import pytest
from keras.src.models import functional
from keras.src.saving import serialization_lib
from keras.src.utils import python_utils

Config = dict[str, Any]
SIDE = 8


@cache
def plain_model() -> bytes:
    """Return the ``.keras`` file of a small classifier, with nothing wrong about it."""
    keras.utils.set_random_seed(0)
    image = keras.Input((SIDE, SIDE, 3), name="image")
    x = keras.layers.Flatten(name="flatten")(image)
    model = keras.Model(image, keras.layers.Dense(2, "softmax", name="classes")(x))
    return saved(model)


def saved(model: keras.Model) -> bytes:
    """Return a model as the content of a ``.keras`` file."""
    file = io.BytesIO()
    keras.src.saving.saving_lib.save_model(model, file)
    return file.getvalue()


def members_of(model: bytes) -> dict[str, bytes]:
    """Return the members of a ``.keras`` file."""
    with zipfile.ZipFile(io.BytesIO(model)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_members(file: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    """Write a zip archive."""
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file


def write_model(file: Path, change: Callable[[Config], Config | None], model: bytes | None = None) -> Path:
    """Write the plain model, or another one, with a changed configuration."""
    members = members_of(model or plain_model())
    config = json.loads(members["config.json"])
    config = change(config) or config
    return write_members(file, members | {"config.json": json.dumps(config).encode()})


def with_layer(layer: Config) -> Callable[[Config], None]:
    """Return the change that inserts a layer after the image; one with nodes of its own is not connected to others."""

    def change(config: Config) -> None:
        layers = config["config"]["layers"]
        nodes = layers[1]["inbound_nodes"]
        if "inbound_nodes" not in layer:
            layers[1]["inbound_nodes"] = json.loads(json.dumps(nodes).replace('"image"', '"evil"'))
        layers.insert(1, {"name": "evil", "registered_name": None, "inbound_nodes": nodes} | layer)

    return change


def layer(kind: str, **config: Any) -> Config:
    """Return the configuration of a layer."""
    return {"module": "keras.layers", "class_name": kind, "config": {"name": "evil"} | config, "registered_name": None}


def function(module: str, name: str, registered_name: str | None = None) -> Config:
    """Return the configuration of a function."""
    registered_name = name if registered_name is None else registered_name
    return {"module": module, "class_name": "function", "config": name, "registered_name": registered_name}


def called(called_function: Config, *arguments: Any, **named: Any) -> Config:
    """Return the configuration of a "layer" that is a function, which Keras calls with the arguments of its node."""
    return called_function | {"inbound_nodes": [{"args": list(arguments), "kwargs": named}]}


def bytecode(marker: Path) -> Config:
    """Return the configuration of marshaled bytecode that creates a file."""
    name = str(marker)
    code, _, closure = python_utils.func_dump(lambda x: (open(name, "w").close(), x)[1])  # noqa: PTH123
    return {"class_name": "__lambda__", "config": {"code": code, "defaults": None, "closure": closure}}


def lambda_layer(marker: Path) -> Config:
    """Return the configuration of a Lambda layer whose code creates a file."""
    return layer("Lambda", function=bytecode(marker), arguments={})


def sequential(inner: Config) -> Config:
    """Return the configuration of a model in itself that calls a layer as soon as it is loaded."""
    image = layer("InputLayer", batch_shape=[None, SIDE, SIDE, 3], dtype="float32", sparse=False, name="inner_image")
    config = {"name": "inner", "trainable": True, "layers": [image, inner]}
    return {"module": "keras", "class_name": "Sequential", "config": config, "registered_name": None}


class Payload:
    """Creates a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self._marker = marker

    def __reduce__(self) -> tuple[Callable[..., object], tuple[Path]]:
        return Path.touch, (self._marker,)


def torch_pickle(marker: Path) -> str:
    """Return a pickle as `keras.layers.TorchModuleWrapper` stores it."""
    import torch

    file = io.BytesIO()
    torch.save(Payload(marker), file, pickle_module=pickle)
    return base64.b64encode(file.getvalue()).decode()


@contextmanager
def keras_3_8() -> Iterator[None]:
    """Let Keras look up names as Keras 3.8 did: in any module, CVE-2025-1550.

    Later versions only import modules of Keras, and only call layers.
    """

    def retrieve(
        name: str, registered_name: str, module: str, obj_type: str, full_config: Config, custom_objects: Any = None
    ) -> Any:
        if full_config["class_name"] != "function":
            return now(name, registered_name, module, obj_type, full_config, custom_objects)
        found = vars(importlib.import_module(module))
        return found.get(name) or found[registered_name]

    now = serialization_lib._retrieve_class_or_fn
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serialization_lib, "_retrieve_class_or_fn", retrieve)
        patch.setattr(functional, "Operation", object)
        yield


@contextmanager
def keras_3_10() -> Iterator[None]:
    """Let Keras call any of its own functions, as Keras 3.10 did: CVE-2025-8747 and CVE-2025-9906."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serialization_lib, "NON_MODELING_APIS", frozenset())
        patch.setattr(functional, "Operation", object)
        yield
