import stridednet  # noqa: F401  -- before keras, to choose its backend

import keras  # isort: skip
import numpy as np
import pytest
from keras import layers

from stridednet.drawing.learned_filters import learned_example
from stridednet.errors import ModelError
from stridednet.model_settings import MODEL_SETTINGS
from stridednet.models.catalogue import MODELS, build_model


def _model(*stack: keras.Layer, shape: tuple[int | None, ...] = (28, 28, 3)) -> keras.Model:
    return keras.Sequential([keras.Input(shape), *stack])


@pytest.mark.parametrize(
    "convolution",
    [
        {"filters": 5, "kernel_size": 7, "strides": 2},
        {"filters": 6, "kernel_size": (2, 3), "padding": "same", "groups": 3, "kernel_initializer": "he_normal"},
        {"filters": 4, "kernel_size": 3, "dilation_rate": 2, "use_bias": False},
    ],
)
def test_the_maps_are_those_of_the_model(convolution: dict[str, object]) -> None:
    model = _model(layers.Rescaling(1 / 64, -2), layers.Conv2D(**convolution, bias_initializer="ones"))
    example = learned_example(model, "small", None)
    theirs = keras.ops.convert_to_numpy(model(example.picture[None].astype(np.float32)))[0]
    assert theirs.std() > 0.1
    np.testing.assert_allclose(example.maps, theirs, atol=1e-3)
    assert example.facts.output_shape == theirs.shape
    assert example.facts.parameters == model.count_params()
    assert example.facts.layer.kernel_initializer == convolution.get("kernel_initializer", "glorot_uniform")


def test_it_is_the_first_convolution_without_its_activation() -> None:
    model = _model(layers.Conv2D(2, 3, activation="relu"), layers.Conv2D(20, 3))
    example = learned_example(model, "small", None)
    assert len(example.filters) == 2
    assert "of all 2 learned filters" in example.about_filters
    assert example.maps.min() < 0


def test_every_model_of_the_catalogue_can_be_drawn() -> None:
    for name in MODELS:
        model = build_model(MODEL_SETTINGS[name](), 64, 3)
        example = learned_example(model, name, None)
        first = next(layer for layer in model.layers if isinstance(layer, layers.Conv2D))
        assert example.facts.output_shape == first.output.shape[1:], name
        assert example.maps.std() > 0.1, name


def test_sixteen_of_many_filters_are_shown() -> None:
    example = learned_example(_model(layers.Conv2D(20, 3)), "many", None)
    assert example.title.endswith(" of many: Conv2D 20,3 on 28x28x3")
    assert [one.name for one in example.filters] == [f"filter {number}" for number in range(1, 17)]
    assert "16 of the 20 learned filters" in example.about_filters


def test_models_that_cannot_be_drawn_are_rejected() -> None:
    with pytest.raises(ModelError, match=r"^model 'dense' has no Conv2D layer to draw"):
        learned_example(_model(layers.Flatten(), layers.Dense(2)), "dense", None)
    with pytest.raises(ModelError, match=r"^model 'any' accepts images of any size; a fixed input shape is needed"):
        learned_example(_model(layers.Conv2D(2, 3), shape=(None, None, 3)), "any", None)
