"""The networks of Keras Applications as classifiers (``keras:MobileNetV2``), and their weights: a download or a file.

https://keras.io/api/applications has their names, sizes and licenses.
"""

import inspect
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from stridednet.errors import ModelError, one_line
from stridednet.limits import MAX_MODEL_BYTES, read_bytes
from stridednet.models.frame import averaged_classifier
from stridednet.models.keras_weights import stored_bytes

_PREFIX = "keras:"


def application_names() -> list[str]:
    """Return the networks that can be used: those that rescale pixels channel by channel.

    >>> "MobileNetV2" in application_names(), "VGG16" in application_names()
    (True, False)
    """
    found = {
        name: function
        for name, function in vars(keras.applications).items()
        if inspect.isfunction(function) and name[0].isupper()
    }
    return sorted(name for name in found if _rescaling(found[name]) is not None)


def build_application(name: str, image_size: int, classes: int, *, dense_dropout: float = 0.2) -> keras.Model:
    """Build a network of Keras Applications with random weights, not compiled, for pixels in 0 to 255.

    Args:
        name: Such as ``keras:MobileNetV2``.
        image_size: Height and width of the images, in pixels.
        classes: Number of classes.
        dense_dropout: Dropout rate before the last layer.

    Raises:
        ModelError: There is no such network, or it does not take images of this size.
    """
    function = _function(name)
    factors = _rescaling(function)
    if factors is None:
        raise ModelError(f"{name} swaps the colors of its pixels, which is not supported; choose {_alternatives()}")
    inputs = layers.Input((image_size, image_size, 3), name="image")
    scale, offset = factors
    x = inputs if scale == [1.0] * 3 and offset == [0.0] * 3 else layers.Rescaling(scale, offset, name="scaled")(inputs)
    try:
        body = function(include_top=False, weights=None, input_tensor=x)
    except ValueError as error:
        raise ModelError(f"{name} at {image_size}x{image_size} pixels: {one_line(error)}") from None
    return averaged_classifier(inputs, body.output, classes, dense_dropout, name.removeprefix(_PREFIX).lower())


def check_application(name: str, weights: str) -> None:
    """Check that there is such a network and such a file, before any picture is read.

    Raises:
        ModelError: There is not.
    """
    _function(name)
    if weights and not Path(weights).is_file():
        raise ModelError(f"{name}: there is no file {weights}; give its weights as a file .weights.h5")


def load_application_weights(model: keras.Model, name: str, weights: str) -> None:
    """Load the pretrained weights of all layers but the last one.

    Args:
        model: What `build_application` returned.
        name: Such as ``keras:MobileNetV2``.
        weights: A file ``.weights.h5`` of the network without its top; empty for those that Keras downloads.

    Raises:
        ModelError: The weights cannot be downloaded, or the file cannot be used.
    """
    function = _function(name)
    size = int(model.input_shape[1])
    try:
        if weights:
            stored_bytes(read_bytes(Path(weights), MAX_MODEL_BYTES))
            body = function(include_top=False, weights=None, input_shape=(size, size, 3))
            body.load_weights(weights)
        else:
            body = function(include_top=False, weights="imagenet", input_shape=(size, size, 3))
    except Exception as error:
        what = f"the file {weights}" if weights else "its weights cannot be downloaded; name a file as `model.weights`"
        raise ModelError(f"{name}: {what}: {one_line(error)}") from error
    own = [layer for layer in model.layers if layer.weights][:-1]
    theirs = [layer for layer in body.layers if layer.weights]
    for layer, source in zip(own, theirs, strict=True):
        layer.set_weights(source.get_weights())


def _function(name: str) -> Any:
    function = getattr(keras.applications, name.removeprefix(_PREFIX), None)
    if not inspect.isfunction(function):
        raise ModelError(f"there is no network '{name}' in Keras Applications; choose {_alternatives()}")
    return function


def _alternatives() -> str:
    return ", ".join(f"{_PREFIX}{name}" for name in application_names())


def _rescaling(function: Any) -> tuple[list[float], list[float]] | None:
    """Return the factor and the offset of each channel by which a network wants pixels; None if it swaps channels."""
    module = inspect.getmodule(function)
    probes = np.concatenate([np.zeros((1, 3)), 255 * np.eye(3)]).astype(np.float32)
    seen = np.asarray(module.preprocess_input(probes.reshape(4, 1, 1, 3).copy()), np.float64).reshape(4, 3)  # type: ignore[union-attr]
    offset = seen[0]
    factors = (seen[1:] - offset) / 255
    if np.abs(factors - np.diag(np.diag(factors))).max() > 1e-6:
        return None
    return np.diag(factors).tolist(), offset.tolist()
