import stridednet  # noqa: F401  -- before keras, to choose its backend

import keras  # isort: skip
import numpy as np
import pytest
from keras import layers

from stridednet.errors import InputError, ModelError
from stridednet.evaluation.feature_maps import first_filters, stages
from stridednet.model_settings import MODEL_SETTINGS
from stridednet.models.catalogue import MODELS, build_model


def _image(size: int = 48) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (size, size, 3), np.uint8)


@pytest.mark.parametrize("name", MODELS)
def test_the_maps_are_keras_and_each_is_the_last_of_its_size(name: str) -> None:
    model = build_model(MODEL_SETTINGS[name](), 48, 3)
    found = stages(model, _image())
    expected = keras.Model(model.inputs[0], [model.get_layer(stage.name).output for stage in found])
    for stage, maps in zip(found, expected.predict(_image()[None], verbose=0), strict=True):
        np.testing.assert_allclose(stage.maps, maps[0], atol=1e-4)
    sizes = [stage.maps.shape[0] for stage in found]
    every = {layer.output.shape[1] for layer in model.layers if len(layer.output.shape) == 4}
    assert sizes == sorted(every - {1} - ({48} if 48 not in sizes else set()), reverse=True)
    order = [layer.name for layer in model.layers]
    for stage in found:
        later = model.layers[order.index(stage.name) + 1]
        assert isinstance(later, layers.Dropout) or later.output.shape[1:3] != stage.maps.shape[:2], stage.name


def test_maps_inside_of_branches_are_left_out() -> None:
    image = keras.Input((16, 16, 3))
    x = layers.Conv2D(4, 3, padding="same", name="before")(image)
    long = layers.Conv2D(4, 3, padding="same", name="long_large")(x)
    long = layers.Conv2D(4, 3, padding="same", strides=2, name="long_small")(long)
    short = layers.Conv2D(4, 1, strides=2, name="short")(x)
    x = layers.Add(name="sum")([long, short])
    x = layers.Activation("relu", name="after")(x)
    model = keras.Model(image, layers.Dense(2)(layers.GlobalAveragePooling2D(keepdims=True)(x)))
    assert [(stage.name, stage.maps.shape) for stage in stages(model, _image(16))] == [
        ("before", (16, 16, 4)),
        ("after", (8, 8, 4)),
    ]


def test_nested_and_channels_first_models() -> None:
    inner = keras.Sequential(
        [
            keras.Input((3, 16, 12)),
            layers.Conv2D(4, 3, padding="same", data_format="channels_first", name="one"),
            layers.Conv2D(5, 3, strides=2, padding="same", data_format="channels_first", name="two"),
        ],
        name="inner",
    )
    pooling = layers.GlobalAveragePooling2D(data_format="channels_first")
    model = keras.Sequential([keras.Input((3, 16, 12)), inner, pooling, layers.Dense(2)])
    image = _image(16)[:, :12].transpose(2, 0, 1)
    found = stages(model, image)
    assert [(stage.name, stage.maps.shape) for stage in found] == [
        ("inner/one", (16, 12, 4)),
        ("inner/two", (8, 6, 5)),
    ]
    maps = keras.Model(inner.inputs[0], inner.layers[0].output).predict(image[None], verbose=0)[0]
    np.testing.assert_allclose(found[0].maps, maps.transpose(1, 2, 0), atol=1e-4)


def test_a_model_without_feature_maps_has_no_stages() -> None:
    model = keras.Sequential([keras.Input((8, 8, 3)), layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(2)])
    assert stages(model, _image(8)) == []
    with pytest.raises(InputError, match=r"^images: the model takes arrays of shape \(n, 8, 8, 3\)"):
        stages(model, _image(9))


def test_the_filters_of_an_rgb_input_have_its_colors() -> None:
    first = layers.Conv2D(2, (1, 2), use_bias=False)
    inner = keras.Sequential([keras.Input((4, 4, 3)), layers.Rescaling(1 / 255), first], name="inner")
    model = keras.Sequential([keras.Input((4, 4, 3)), inner, layers.Flatten(), layers.Dense(2)])
    first.kernel.assign([[[[1, 0], [0, 0], [0, 0]], [[0.2, 0], [-1, 0], [0, 0]]]])
    one, empty = first_filters(model)
    assert one.tolist() == [[[255, 128, 128], [153, 0, 128]]]
    assert (empty == 128).all()


def test_the_filters_of_other_inputs_are_gray() -> None:
    first = layers.Conv2D(2, 1, groups=2, use_bias=False)
    model = keras.Sequential([keras.Input((4, 4, 2)), first, layers.Flatten(), layers.Dense(2)])
    first.kernel.assign([[[[-3.0, 2.0]]]])
    assert [one.tolist() for one in first_filters(model)] == [[[[0, 0, 0]]], [[[255, 255, 255]]]]


def test_a_model_without_convolution_has_no_filters() -> None:
    model = keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(2)], name="flat")
    with pytest.raises(ModelError, match=r"^model 'flat' has no Conv2D layer"):
        first_filters(model)
