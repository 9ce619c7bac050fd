"""``FILE.py:function``: the user's own builder, and what can be wrong with what it returns."""

import functools
import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np

from stridednet.errors import ModelError

Builder = Callable[[int, int, int, int], Any]


def is_user_builder(name: str) -> bool:
    """Say whether a model's name is ``FILE.py:function``.

    >>> is_user_builder("nets/mine.py:build"), is_user_builder("vgg"), is_user_builder("mine.py")
    (True, False, False)
    """
    return name.rpartition(":")[0].endswith(".py")


def settled_name(name: str) -> str:
    """Return a name that means the same model from any folder: the path of a user's file becomes absolute."""
    if not is_user_builder(name):
        return name
    file, _, function = name.rpartition(":")
    return f"{Path(file).expanduser().resolve()}:{function}"


def user_builder(name: str) -> Builder:
    """Load the file and return the function.

    Args:
        name: ``FILE.py:function``.

    Raises:
        ModelError: There is no such file or function, or the file raises.
    """
    path, _, function = name.rpartition(":")
    file = Path(path).expanduser().resolve()
    if not file.is_file():
        raise ModelError(f"no such file: {path}; a model of your own is FILE.py:function. Received: '{name}'")
    builder = _module(file, file.stat().st_mtime_ns).get(function)
    if not callable(builder):
        raise ModelError(f"{path} has no function '{function}'")
    return builder  # type: ignore[no-any-return]  # what a user's function returns is checked when it is called


def source_of(name: str) -> str:
    """Return the text of the file that a model's name leads to; nothing for a model that has no file.

    Raises:
        ModelError: The file cannot be read.
    """
    if not is_user_builder(name):
        return ""
    file = Path(name.rpartition(":")[0]).expanduser()
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ModelError(f"{file} cannot be read: {error.strerror}") from None


def build_user_model(name: str, image_size: int, classes: int) -> keras.Model:
    """Call the user's function as ``function(width, height, depth, classes)`` and look at what it returns.

    That has to be a Keras model, not compiled, of raw RGB, ``(batch, height, width, 3)`` in 0 to 255 (so that its first
    layer is a ``Rescaling``), which ends with one probability for each class.

    Raises:
        ModelError: The function cannot be loaded, raises, or returns something else.
    """
    builder = user_builder(name)
    file, _, function = name.rpartition(":")
    with _own_code(Path(file).expanduser().resolve(), f"{function}({image_size}, {image_size}, 3, {classes})"):
        model = builder(image_size, image_size, 3, classes)
    if not isinstance(model, keras.Model):
        raise ModelError(f"{name} has to return a keras.Model. Received: a {type(model).__name__}")
    if model.compiled:
        raise ModelError(f"{name} returns a compiled model; leave compile() out, since the recipe has the optimizer")
    try:
        shapes = [tuple(tensor.shape) for tensor in (*model.inputs, *model.outputs)]
    except (AttributeError, TypeError, ValueError):
        raise ModelError(f"{name} returns a model without a graph of layers; begin it with keras.Input") from None
    wanted = [(None, image_size, image_size, 3), (None, classes)]
    if len(shapes) != 2 or not all(map(_fits, shapes, wanted)):
        said = ", ".join(map(str, shapes))
        raise ModelError(f"{name} has to take {wanted[0]} and to give {wanted[1]}. Received: a model of {said}")
    _check_probabilities(name, model, image_size)
    return model


def _fits(shape: tuple[int | None, ...], wanted: tuple[int | None, ...]) -> bool:
    return len(shape) == len(wanted) and all(
        found is None or expected in (None, found) for found, expected in zip(shape, wanted, strict=True)
    )


def _check_probabilities(name: str, model: keras.Model, image_size: int) -> None:
    """Try the model on noise: a last layer without softmax would train without an error, and learn nothing."""
    pixels = np.random.default_rng(0).integers(0, 256, (2, image_size, image_size, 3)).astype(np.float32)
    outputs = keras.ops.convert_to_numpy(model(pixels, training=False))
    if (outputs < 0).any() or not np.allclose(outputs.sum(axis=1), 1, atol=1e-3):
        raise ModelError(f"{name} has to end with probabilities, such as Dense(classes, activation='softmax')")


@functools.cache
def _module(file: Path, changed: int) -> dict[str, Any]:  # noqa: ARG001 -- a file that has changed is read anew
    """Run a file once, and return its names."""
    name = f"stridednet_user_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ModelError(f"{file} cannot be loaded as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickles look for it there
    with _own_code(file, "the file"):
        spec.loader.exec_module(module)
    return vars(module)


@contextmanager
def _own_code(file: Path, what: str) -> Iterator[None]:
    """Let the user's code import what lies beside it, and tell what it raises in one line."""
    sys.path.insert(0, str(file.parent))
    try:
        yield
    except (Exception, SystemExit) as error:
        message = " ".join(str(error).split())
        raise ModelError(f"{file}{_line(file, error)}: {what} raises {type(error).__name__}: {message}") from error
    finally:
        sys.path.remove(str(file.parent))


def _line(file: Path, error: BaseException) -> str:
    """Return where in the user's file that was, if it was there."""
    if isinstance(error, SyntaxError) and error.filename == str(file):
        return f":{error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
    return f":{lines[-1]}" if lines else ""
