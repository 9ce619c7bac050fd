"""NumPy alone computes what Keras computes: single layers over a grid of arguments, architectures, random models."""

import itertools
from pathlib import Path
from typing import Any

import stridednet  # noqa: F401  -- before keras, to choose its backend

import keras  # isort: skip
import numpy as np
import pytest
from keras import layers

from random_models import RandomModel
from stridednet.deploy.numpy_activations import ACTIVATIONS
from stridednet.deploy.numpy_model import NumpyModel
from stridednet.deploy.portable import portable_model
from stridednet.deploy.portable_file import PortableModel, read_portable, sha256, write_portable
from stridednet.errors import InputError
from stridednet.model_settings import MODEL_SETTINGS
from stridednet.models.catalogue import build_model
from stridednet.recipe import Recipe

_CHANNELS = 4


def _convolutions() -> list[layers.Layer]:
    grid = itertools.product([1, (2, 3), 4], [1, 2, (3, 1)], ["same", "valid"])
    found: list[layers.Layer] = []
    for kernel, strides, padding in grid:
        found.append(layers.Conv2D(6, kernel, strides=strides, padding=padding, groups=2))
        if strides != (3, 1):  # Keras accepts equal strides only
            found.append(layers.DepthwiseConv2D(kernel, strides=strides, padding=padding, depth_multiplier=2))
            found.append(layers.SeparableConv2D(5, kernel, strides=strides, padding=padding, activation="relu"))
    for padding, dilation in itertools.product(["same", "valid"], [2, (1, 3)]):
        found.append(layers.Conv2D(3, 3, padding=padding, dilation_rate=dilation, use_bias=False, activation="tanh"))
    found.append(layers.DepthwiseConv2D(3, padding="same", dilation_rate=2, use_bias=False))
    return found


def _poolings() -> list[layers.Layer]:
    kinds = (layers.MaxPooling2D, layers.AveragePooling2D)
    grid = itertools.product(kinds, [2, 3, (1, 4)], [1, 2, 3, None], ["same", "valid"])
    return [kind(size, strides=strides, padding=padding) for kind, size, strides, padding in grid]


def _others() -> list[layers.Layer]:
    return [
        *(layers.Activation(name) for name in ACTIVATIONS),
        layers.ReLU(max_value=0.5, negative_slope=0.1, threshold=0.2),
        layers.ReLU(max_value=0.25),
        layers.LeakyReLU(0.3),
        layers.ELU(0.7),
        layers.PReLU(shared_axes=[1, 2], alpha_initializer="random_normal"),
        layers.Softmax(axis=1),
        layers.BatchNormalization(),
        layers.BatchNormalization(center=False, epsilon=0.1),
        layers.BatchNormalization(scale=False),
        layers.Rescaling(1 / 3, offset=-0.5),
        layers.Rescaling([1.0, 2.0, 3.0, 4.0], offset=[0.0, 0.1, 0.2, 0.3]),
        layers.Normalization(mean=[0.1, 0.2, 0.3, 0.4], variance=[1.0, 0.0, 3.0, 4.0]),
        layers.ZeroPadding2D(((1, 0), (2, 3))),
        layers.Reshape((-1, 2)),
        layers.Dropout(0.5),
        layers.SpatialDropout2D(0.5),
        layers.GaussianNoise(1.0),
        layers.GlobalAveragePooling2D(keepdims=True),
        layers.GlobalMaxPooling2D(keepdims=True),
        layers.GlobalMaxPooling2D(),
        layers.Dense(3, activation="gelu"),
    ]


def _randomized(model: keras.Model, seed: int = 0) -> keras.Model:
    """Give all variables random values, so that neither statistics nor biases are trivial."""
    rng = np.random.default_rng(seed)
    for variable in model.variables:
        if "float" in str(variable.dtype):
            value = (
                rng.uniform(0.5, 1.5, variable.shape)
                if "variance" in variable.path
                else rng.normal(size=variable.shape)
            )
            scale = 1 if len(variable.shape) < 2 else np.sqrt(2 / np.prod(variable.shape[:-1]))
            variable.assign((value * scale).astype(np.float32))
    return model


def _through_file(model: keras.Model, folder: Path) -> PortableModel | None:
    portable = portable_model(model)
    if portable is None:
        return None
    saved = folder / "model.keras"
    saved.write_bytes(b"the model file, of which only the hash matters")
    write_portable(folder / "predict.npz", portable, saved)
    return read_portable(folder / "predict.npz", saved)


def _differences(model: keras.Model, images: np.ndarray, folder: Path) -> float | None:
    """Return the largest difference relative to the largest output; None if NumPy cannot compute the model."""
    portable = _through_file(model, folder)
    if portable is None:
        return None
    theirs = keras.ops.convert_to_numpy(model(images.astype(np.float32), training=False))
    ours = NumpyModel(portable).predict(images)
    assert ours.dtype == np.float32
    assert ours.shape == theirs.shape
    return float(np.abs(ours - theirs).max() / max(1.0, np.abs(theirs).max()))


@pytest.mark.parametrize("height", [7, 10])
@pytest.mark.parametrize("made", [_convolutions, _poolings, _others])
def test_layers_equal_keras(made: Any, height: int, tmp_path: Path) -> None:
    images = np.random.default_rng(1).normal(size=(3, height, 9, _CHANNELS)).astype(np.float32)
    for layer in made():
        image = keras.Input(images.shape[1:])
        model = _randomized(keras.Model(image, layer(image)))
        found = _differences(model, images, tmp_path)
        assert found is not None, layer.get_config()
        assert found < 1e-5, (found, layer.get_config())


@pytest.mark.parametrize("name", MODEL_SETTINGS)
def test_architectures_equal_keras(name: str, tmp_path: Path) -> None:
    model = _randomized(build_model(Recipe().replace({"model.name": name}).model, 32, 5))
    images = np.random.default_rng(2).integers(0, 256, (2, 32, 32, 3), np.uint8)
    found = _differences(model, images, tmp_path)
    assert found is not None
    assert found < 1e-5


@pytest.mark.filterwarnings("ignore")
def test_random_models_equal_keras(tmp_path: Path) -> None:
    computed = 0
    for seed in range(40):
        keras.utils.set_random_seed(seed)
        try:
            model = RandomModel(seed).build()
        except (NotImplementedError, ValueError):  # Keras itself rejects the combination
            continue
        images = np.random.default_rng(seed).integers(0, 256, (2, *model.input_shape[1:]), np.uint8)
        found = _differences(model, images, tmp_path)
        computed += found is not None
        assert found is None or found < 1e-5, seed
    assert computed >= 5


def test_nested_shared_and_branching_models(tmp_path: Path) -> None:
    inner_image = keras.Input((None, None, 3))
    inner = keras.Model(inner_image, layers.Conv2D(3, 3, padding="same", activation="relu")(inner_image))
    image = keras.Input((8, 8, 3))
    shared = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(3, 1), layers.BatchNormalization()])
    x = layers.Concatenate()([inner(image), shared(shared(image)), image])
    x = layers.Add()([x, x, layers.Dense(9)(x)])
    model = _randomized(keras.Model(image, layers.Dense(2, activation="softmax")(layers.Flatten()(x))))
    found = _differences(model, np.random.default_rng(3).normal(size=(2, 8, 8, 3)), tmp_path)
    assert found is not None
    assert found < 1e-5


@pytest.mark.parametrize(
    "layer",
    [
        layers.UpSampling2D(),
        layers.Conv2D(2, 3, data_format="channels_first"),
        layers.Conv2D(2, 3, dtype="mixed_float16"),
        layers.BatchNormalization(axis=1),
        layers.Activation(lambda x: x * 2),
        layers.Lambda(lambda x: x + 1),
    ],
)
def test_unknown_layers_are_left_to_keras(layer: layers.Layer) -> None:
    image = keras.Input((8, 8, 3))
    assert portable_model(keras.Model(image, layer(image))) is None


def test_images_of_another_shape_are_refused(tmp_path: Path) -> None:
    image = keras.Input((8, 8, 3))
    portable = _through_file(keras.Model(image, layers.Flatten()(image)), tmp_path)
    assert portable is not None
    with pytest.raises(InputError, match=r"shape \(n, 8, 8, 3\). Received: \(1, 8, 9, 3\)"):
        NumpyModel(portable).predict(np.zeros((1, 8, 9, 3), np.uint8))


def test_many_images_are_computed_in_parts(tmp_path: Path) -> None:
    image = keras.Input((6, 6, 3))
    model = _randomized(keras.Model(image, layers.Flatten()(layers.Conv2D(2, 3)(image))))
    found = _differences(model, np.random.default_rng(4).integers(0, 256, (37, 6, 6, 3), np.uint8), tmp_path)
    assert found is not None
    assert found < 1e-5


def test_a_file_is_read_for_its_own_model_only(tmp_path: Path) -> None:
    image = keras.Input((4, 4, 3))
    assert _through_file(keras.Model(image, layers.Flatten()(image)), tmp_path) is not None
    path, saved = tmp_path / "predict.npz", tmp_path / "model.keras"
    whole = path.read_bytes()
    path.write_bytes(whole[:-40])
    assert read_portable(path, saved) is None
    path.write_bytes(whole)
    assert read_portable(path, saved) is not None
    saved.write_bytes(b"another model")
    assert read_portable(path, saved) is None
    assert sha256(saved) != sha256(path)


def test_the_file_holds_no_pickles(tmp_path: Path) -> None:
    saved = tmp_path / "model.keras"
    saved.write_bytes(b"")
    np.savez(tmp_path / "predict.npz", description=np.array([{"format": 1}], dtype=object))
    assert read_portable(tmp_path / "predict.npz", saved) is None
