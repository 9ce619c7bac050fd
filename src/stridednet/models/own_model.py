"""``FILE.py:function``: a model of the user's own, and checks of what the function returns."""

import functools
import importlib.util
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stridednet.errors import ModelError, UntrustedError
from stridednet.model_settings import is_own_model
from stridednet.storage import path_text, user_path

if TYPE_CHECKING:
    import keras

Builder = Callable[[int, int, int, int], Any]


def absolute_name(name: str, folder: Path | None = None) -> str:
    """Return a name that means the same model in any folder: with the absolute path of the file.

    Args:
        name: ``FILE.py:function``.
        folder: What the path is relative to; None for the current folder.
    """
    path, _, function = name.rpartition(":")
    file = user_path(path, "model")
    return f"{path_text((folder / file if folder else file).resolve())}:{function}"


def check_file(name: str) -> Path:
    """Return the file of a user's own model.

    Args:
        name: ``FILE.py:function``.

    Raises:
        ModelError: The file does not exist.
    """
    path, _, _ = name.rpartition(":")
    file = user_path(path, "model").resolve()
    if not file.is_file():
        raise ModelError(f"there is no file {path}; your own model is written FILE.py:function. Received: '{name}'")
    return file


def check_named_by(file: str | os.PathLike[str], name: str, *, trust: bool) -> None:
    """Check that a file may choose the model of a training.

    Args:
        file: A recipe, a sweep plan, or the recipe of a run.
        name: The model that it names.
        trust: Whether its author may run code.

    Raises:
        UntrustedError: The model is Python code, and the file is not trusted.
    """
    if is_own_model(name) and not trust:
        raise UntrustedError(
            f"{path_text(Path(file))} names Python code to run, {name}; if you trust its author, allow it: --trust "
            f"{path_text(Path(file))}, or trust=True in Python"
        )


def load_builder(name: str) -> Builder:
    """Load the file and return the function.

    Args:
        name: ``FILE.py:function``.

    Raises:
        ModelError: The file or the function does not exist, or the file raises an exception.
    """
    file = check_file(name)
    path, _, function = name.rpartition(":")
    builder = _module(file, file.stat().st_mtime_ns).get(function)
    if not callable(builder):
        raise ModelError(f"{path} has no function '{function}'")
    return builder  # type: ignore[no-any-return]  # what a user's function returns is checked when it is called


def source_of(name: str) -> str:
    """Return the source of the file in a model's name, or an empty text for a built-in model.

    Raises:
        ModelError: The file cannot be read.
    """
    if not is_own_model(name):
        return ""
    file = user_path(name.rpartition(":")[0], "model")
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ModelError(f"{file} cannot be read: {error.strerror}") from None


def build_own_model(name: str, image_size: int, classes: int) -> "keras.Model":
    """Build a model of the user's own, and check that it can be trained.

    It has to be a Keras model, not compiled, that takes raw RGB pixels, ``(batch, height, width, 3)`` in 0 to 255
    (so its first layer is usually a ``Rescaling``), and returns one probability per class.

    Raises:
        ModelError: The function cannot be loaded, raises an exception, or returns something else.
    """
    model = call_builder(name, image_size, classes)
    if model.compiled:
        raise ModelError(f"{name} returns a compiled model; remove compile(), since the recipe sets the optimizer")
    shapes = [tuple(tensor.shape) for tensor in (*model.inputs, *model.outputs)]
    wanted = [(None, image_size, image_size, 3), (None, classes)]
    if len(shapes) != 2 or not all(map(_fits, shapes, wanted)):
        said = ", ".join(map(str, shapes))
        raise ModelError(f"{name} has to map {wanted[0]} to {wanted[1]}. Received: a model with {said}")
    _check_probabilities(name, model, image_size)
    return model


def call_builder(name: str, image_size: int, classes: int) -> "keras.Model":
    """Call the user's function as ``function(width, height, depth, classes)``, and return the model.

    Its outputs may be anything, such as logits: only training needs probabilities.

    Raises:
        ModelError: The function cannot be loaded, raises an exception, or does not return a model with a graph.
    """
    import keras

    builder = load_builder(name)
    with _own_code(_file_of(name), _call_of(name, image_size, classes)):
        model = builder(image_size, image_size, 3, classes)
    if not isinstance(model, keras.Model):
        raise ModelError(f"{name} has to return a keras.Model. Received: a {type(model).__name__}")
    try:
        known = all(tensor is not None for tensor in (*model.inputs, *model.outputs))
    except (AttributeError, TypeError, ValueError):
        known = False
    if not known:
        raise ModelError(f"{name} returns a model without a graph of layers; start it with keras.Input")
    return model


def _file_of(name: str) -> Path:
    return user_path(name.rpartition(":")[0], "model").resolve()


def _call_of(name: str, image_size: int, classes: int) -> str:
    return f"{name.rpartition(':')[2]}({image_size}, {image_size}, 3, {classes})"


def _fits(shape: tuple[int | None, ...], wanted: tuple[int | None, ...]) -> bool:
    return len(shape) == len(wanted) and all(
        found is None or expected in (None, found) for found, expected in zip(shape, wanted, strict=True)
    )


def _check_probabilities(name: str, model: "keras.Model", image_size: int) -> None:
    """Run the model on noise: without a final softmax it would train without an error, and learn nothing."""
    import keras

    pixels = np.random.default_rng(0).integers(0, 256, (2, image_size, image_size, 3)).astype(np.float32)
    with _own_code(_file_of(name), "the model"):
        outputs = keras.ops.convert_to_numpy(model(pixels, training=False)).astype(np.float32)
    if (outputs < 0).any() or not np.allclose(outputs.sum(axis=1), 1, atol=1e-3):
        raise ModelError(f"{name} has to end with probabilities, such as Dense(classes, activation='softmax')")


@functools.cache
def _module(file: Path, changed: int) -> dict[str, Any]:  # noqa: ARG001 -- a changed file is read again
    """Execute a file once, and return its names."""
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
    """Let the user's code import modules from its own folder, and report exceptions in one line."""
    sys.path.insert(0, str(file.parent))
    try:
        yield
    except (Exception, SystemExit) as error:
        message = " ".join(str(error).split())
        raise ModelError(f"{file}{_line(file, error)}: {what} raises {type(error).__name__}: {message}") from error
    finally:
        sys.path.remove(str(file.parent))


def _line(file: Path, error: BaseException) -> str:
    """Return the line of the user's file where an exception was raised, if it was raised there."""
    if isinstance(error, SyntaxError) and error.filename == str(file):
        return f":{error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
    return f":{lines[-1]}" if lines else ""
