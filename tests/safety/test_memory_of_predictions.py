"""Small models that need much memory for a prediction, although their own weights and outputs are small."""

from collections.abc import Callable
from pathlib import Path

import keras
import pytest
from bounded_reader import opened
from hostile_models import SIDE, Config, layer, plain_model, saved, write_model
from keras import layers

from stridednet.errors import ModelError
from stridednet.models.keras_file import load_keras_file

_LIMIT = 1024  # MiB that may be allocated


def _nested(image: keras.KerasTensor) -> keras.KerasTensor:
    inner = keras.Input((SIDE, SIDE, 3))
    large = layers.UpSampling2D(1500)(inner)
    return keras.Model(inner, layers.GlobalAveragePooling2D()(large))(image)


def _wrapped(image: keras.KerasTensor) -> keras.KerasTensor:
    pixels = keras.Input((1, 1, 3))
    model = keras.Model(pixels, layers.GlobalMaxPooling2D()(layers.UpSampling2D(12_000)(pixels)))
    rows = layers.TimeDistributed(model)(layers.Reshape((SIDE * SIDE, 1, 1, 3))(image))
    return layers.Flatten()(rows)


def _operation(image: keras.KerasTensor) -> keras.KerasTensor:
    return keras.ops.max(keras.ops.tile(image, (1, 1000, 3000, 1)), axis=(1, 2))


def _padding(image: keras.KerasTensor) -> keras.KerasTensor:
    return layers.Flatten()(layers.MaxPooling2D(20_001, padding="same")(image))


def _attention(image: keras.KerasTensor) -> keras.KerasTensor:
    many = layers.RepeatVector(100_000)(layers.Flatten()(image))
    return layers.GlobalAveragePooling1D()(layers.Attention()([many, many]))


_ATTACKS: dict[str, Callable[[keras.KerasTensor], keras.KerasTensor]] = {
    "nested": _nested,
    "operation": _operation,
    "padding": _padding,
    "attention": _attention,
}


def _write(file: Path, attack: Callable[[keras.KerasTensor], keras.KerasTensor]) -> None:
    image = keras.Input((SIDE, SIDE, 3))
    file.write_bytes(saved(keras.Model(image, attack(image))))


def test_a_model_that_needs_much_memory_is_refused(tmp_path: Path) -> None:
    for name, attack in _ATTACKS.items():
        _write(tmp_path / f"{name}.keras", attack)
    for result in opened("naive prediction", tmp_path, _LIMIT):
        assert result.error in ("RuntimeError", "MemoryError"), f"{result.name}: {result.message}"
    _write(tmp_path / "wrapped.keras", _wrapped)
    for name in (*_ATTACKS, "wrapped"):
        with pytest.raises(
            ModelError, match=r"contains the layer '.*', which needs .* numbers per image; if you trust"
        ):
            load_keras_file(tmp_path / f"{name}.keras")


def test_many_layers(tmp_path: Path) -> None:
    def change(config: Config) -> None:
        config["config"]["layers"] += [layer("Identity") for _ in range(2001)]

    file = write_model(tmp_path / "model.keras", change)
    with pytest.raises(ModelError, match="contains more than 2,000 layers"):
        load_keras_file(file)


def test_usual_models_are_loaded(tmp_path: Path) -> None:
    image = keras.Input((None, None, 3))
    x = layers.Conv2D(8, 7, strides=2, padding="same")(image)
    model = keras.Model(image, layers.GlobalAveragePooling2D()(layers.MaxPooling2D(3, padding="same")(x)))
    (tmp_path / "model.keras").write_bytes(saved(model))
    assert load_keras_file(tmp_path / "model.keras").output_shape == (None, 8)
    (tmp_path / "plain.keras").write_bytes(plain_model())
    load_keras_file(tmp_path / "plain.keras")
