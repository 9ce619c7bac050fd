"""ONNX Runtime computes what Keras computes: single layers over a grid of arguments, architectures, random models."""

import itertools
from typing import Any

import stridednet  # noqa: F401  -- before keras, to choose its backend

import keras  # isort: skip
import numpy as np
import onnxruntime
import pytest
from keras import layers

from random_models import RandomModel
from stridednet.deploy.export.onnx_activations import NAMES
from stridednet.deploy.export.onnx_graph import OPSET, onnx_model
from stridednet.deploy.export.onnx_operations import TRANSLATORS
from stridednet.deploy.numpy_activations import ACTIVATIONS
from stridednet.deploy.numpy_layers import OPERATIONS
from stridednet.deploy.portable import portable_model
from stridednet.model_settings import MODEL_SETTINGS
from stridednet.models.catalogue import build_model
from stridednet.recipe import Recipe

_SIZE = 9


def _layers() -> list[layers.Layer]:
    found: list[layers.Layer] = []
    for kernel, strides, padding in itertools.product([1, (2, 3), 4], [1, 2], ["same", "valid"]):
        found.append(layers.Conv2D(6, kernel, strides=strides, padding=padding, groups=2))
        found.append(layers.DepthwiseConv2D(kernel, strides=strides, padding=padding, depth_multiplier=2))
        found.append(layers.SeparableConv2D(5, kernel, strides=strides, padding=padding, activation="relu"))
    found += [layers.Conv2D(3, 3, padding=padding, dilation_rate=2, use_bias=False) for padding in ("same", "valid")]
    for kind, size, strides, padding in itertools.product(
        (layers.MaxPooling2D, layers.AveragePooling2D), [2, 3, (1, 4)], [1, 2, 3], ["same", "valid"]
    ):
        found.append(kind(size, strides=strides, padding=padding))
    found += [layers.Activation(name) for name in sorted(ACTIVATIONS)]
    return [
        *found,
        layers.ReLU(max_value=0.5, negative_slope=0.1, threshold=0.2),
        layers.LeakyReLU(0.3),
        layers.ELU(0.7),
        layers.PReLU(shared_axes=[1, 2], alpha_initializer="random_normal"),
        layers.PReLU(alpha_initializer="random_normal"),
        layers.Softmax(axis=1),
        layers.BatchNormalization(),
        layers.Rescaling([1.0, 2.0, 3.0, 4.0], offset=[0.0, 0.1, 0.2, 0.3]),
        layers.ZeroPadding2D(((1, 0), (2, 3))),
        layers.Reshape((-1, 2)),
        layers.Reshape((6, -1, 2)),
        layers.Dropout(0.5),
        layers.GlobalAveragePooling2D(keepdims=True),
        layers.GlobalAveragePooling2D(),
        layers.GlobalMaxPooling2D(),
        layers.Dense(3, activation="gelu"),
    ]


def _randomized(model: keras.Model) -> keras.Model:
    rng = np.random.default_rng(0)
    for variable in model.variables:
        if "float" in str(variable.dtype):
            positive = "variance" in variable.path
            value = rng.uniform(0.5, 1.5, variable.shape) if positive else rng.normal(0, 0.3, variable.shape)
            variable.assign(value.astype(np.float32))
    return model


def _difference(model: keras.Model) -> float:
    """Return the largest difference of an output between ONNX Runtime and Keras."""
    portable = portable_model(model)
    assert portable is not None
    session = onnxruntime.InferenceSession(onnx_model(portable, _SIZE).SerializeToString())
    worst = 0.0
    for batch in (1, 5):
        images = np.random.default_rng(batch).integers(0, 256, (batch, *model.input_shape[1:])).astype(np.uint8)
        (ours,) = session.run(None, {"images": images})
        theirs = keras.ops.convert_to_numpy(model(images.astype(np.float32), training=False))
        assert ours.shape == theirs.shape
        worst = max(worst, float(np.abs(ours - theirs).max()))
    return worst


def _name(layer: Any) -> str:
    return layer.name if isinstance(layer, layers.Layer) else str(layer)


@pytest.mark.parametrize("layer", _layers(), ids=_name)
def test_layers(layer: layers.Layer) -> None:
    image = keras.Input((_SIZE, _SIZE, 3))
    x = layer(layers.Conv2D(4, 1)(layers.Rescaling(1 / 255)(image)))
    x = layers.Flatten()(x) if len(x.shape) > 2 else x
    model = _randomized(keras.Model(image, layers.Dense(3, activation="softmax")(x)))
    assert _difference(model) < 1e-5


@pytest.mark.parametrize("name", sorted(MODEL_SETTINGS))
def test_architectures(name: str) -> None:
    recipe = Recipe().replace({"model.name": name})
    assert _difference(_randomized(build_model(recipe.model, 32, 5))) < 1e-4


@pytest.mark.parametrize("seed", range(12))
def test_random_models(seed: int) -> None:
    model = RandomModel(seed).build()
    if portable_model(model) is None:
        pytest.skip("this model has a layer without a step")
    assert _difference(_randomized(model)) < 1e-4


def test_each_operation_is_translated() -> None:
    assert TRANSLATORS.keys() == OPERATIONS.keys()
    assert ACTIVATIONS.keys() == NAMES


def test_what_the_file_takes_and_returns() -> None:
    model = build_model(Recipe().model, 32, 5)
    portable = portable_model(model)
    assert portable is not None
    graph = onnx_model(portable, 32)
    assert [one.version for one in graph.opset_import] == [OPSET]
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    (given,), (returned,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.type, given.shape) == ("images", "tensor(uint8)", ["batch", 32, 32, 3])
    assert (returned.name, returned.type, returned.shape) == ("probabilities", "tensor(float)", ["batch", 5])
