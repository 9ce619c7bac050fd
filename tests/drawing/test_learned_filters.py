from pathlib import Path

import stridednet  # noqa: F401  -- before keras, to choose its backend

import keras  # isort: skip
import numpy as np
import pytest
from keras import layers

from stridednet.drawing.learned_filters import learned_example
from stridednet.errors import ModelError, RunError
from stridednet.models.catalogue import MODELS, build_model
from stridednet.settings import ModelSettings


def _save(folder: Path, *stack: keras.Layer, shape: tuple[int | None, ...] = (28, 28, 3)) -> keras.Model:
    model = keras.Sequential([keras.Input(shape), *stack])
    model.save(folder / "model.keras")
    return model


@pytest.mark.parametrize(
    "convolution",
    [
        {"filters": 5, "kernel_size": 7, "strides": 2},
        {"filters": 6, "kernel_size": (2, 3), "padding": "same", "groups": 3, "kernel_initializer": "he_normal"},
        {"filters": 4, "kernel_size": 3, "dilation_rate": 2, "use_bias": False},
    ],
)
def test_the_maps_are_those_of_the_model(tmp_path: Path, convolution: dict[str, object]) -> None:
    model = _save(tmp_path, layers.Rescaling(1 / 64, -2), layers.Conv2D(**convolution, bias_initializer="ones"))
    example = learned_example(tmp_path, None)
    theirs = keras.ops.convert_to_numpy(model(example.picture[None].astype(np.float32)))[0]
    assert theirs.std() > 0.1
    np.testing.assert_allclose(example.maps, theirs, atol=1e-3)
    assert example.facts.output_shape == theirs.shape
    assert example.facts.parameters == model.count_params()
    assert example.facts.layer.kernel_initializer == convolution.get("kernel_initializer", "glorot_uniform")


def test_it_is_the_first_convolution_without_its_activation(tmp_path: Path) -> None:
    _save(tmp_path, layers.Conv2D(2, 3, activation="relu"), layers.Conv2D(20, 3))
    example = learned_example(tmp_path, None)
    assert len(example.filters) == 2
    assert example.maps.min() < 0


def test_every_model_of_the_catalogue_can_be_drawn(tmp_path: Path) -> None:
    for name in MODELS:
        model = build_model(ModelSettings(name=name), 64, 3)
        model.save(tmp_path / "model.keras")
        example = learned_example(tmp_path, None)
        first = next(layer for layer in model.layers if isinstance(layer, layers.Conv2D))
        assert example.facts.output_shape == first.output.shape[1:], name
        assert example.maps.std() > 0.1, name


def test_sixteen_of_many_filters_are_shown(tmp_path: Path) -> None:
    _save(tmp_path, layers.Conv2D(20, 3))
    example = learned_example(tmp_path, None)
    assert [one.name for one in example.filters] == [f"filter {number}" for number in range(1, 17)]
    assert "16 of the 20 learned filters" in example.about_filters


def test_what_is_no_finished_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no finished run in .*: it has no model.keras"):
        learned_example(tmp_path, None)
    (tmp_path / "model.keras").write_text("no model")
    with pytest.raises(ModelError, match=r"model.keras is no model that Keras can load"):
        learned_example(tmp_path, None)
    _save(tmp_path, layers.Flatten(), layers.Dense(2))
    with pytest.raises(RunError, match="has no Conv2D layer to draw"):
        learned_example(tmp_path, None)
    _save(tmp_path, layers.Conv2D(2, 3), shape=(None, None, 3))
    with pytest.raises(RunError, match="pictures of any size"):
        learned_example(tmp_path, None)
