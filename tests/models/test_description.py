import stridednet  # noqa: F401  -- before keras, to choose its backend

import keras  # isort: skip
import numpy as np
import pytest
from keras import layers

from stridednet.errors import ModelError
from stridednet.models.catalogue import MODELS, build_model
from stridednet.models.description import describe, initializer_name
from stridednet.recipe import Recipe


@pytest.mark.parametrize("name", sorted(MODELS))
def test_layers_shapes_and_parameters_match_the_model(name: str) -> None:
    model = build_model(Recipe().replace({"model.name": name}).model, 64, 4)
    network = describe(model)
    inner = [layer for layer in model.layers if not isinstance(layer, layers.InputLayer)]
    assert {layer.name for layer in network.layers} == {layer.name for layer in inner}
    assert network.parameters == model.count_params()
    for layer in inner:
        assert network.by_name[layer.name].output_shape == tuple(layer.output.shape[1:])
        assert network.by_name[layer.name].parameters == layer.count_params()


@pytest.mark.parametrize("name", sorted(MODELS))
def test_the_receptive_field_matches_the_extent_of_the_gradient(name: str) -> None:
    model = build_model(Recipe().replace({"model.name": name}).model, 96, 4)
    network = describe(model)
    last, conv = network.convolutions[-1]
    for layer in model.layers:  # equal weights, so that gradients cannot cancel: a zero is due to geometry
        for variable in layer.weights:
            if len(variable.shape) == 4:
                variable.assign(np.ones(variable.shape) / np.prod(variable.shape[:3]))
    image = keras.ops.convert_to_tensor(np.full((1, 96, 96, 3), 200.0, "float32")).requires_grad_()
    features = keras.Model(model.input, model.get_layer(last.name).output)(image)
    height, width = features.shape[1:3]
    features[0, height // 2, width // 2].sum().backward()
    reached = np.flatnonzero(image.grad.numpy()[0].any(axis=(1, 2)))
    field = conv.receptive_field[0]
    span = reached[-1] - reached[0] + 1
    assert span <= field
    if any(layer.kind == "MaxPooling2D" for layer in network.layers):
        assert span > 0.75 * min(field, 96)  # a maximum passes its gradient to one pixel of each window
    elif reached[0] > 0 and reached[-1] < 95:
        assert span == field
    else:  # the border of the image cuts the field off on one side
        assert span > min(field, 96) / 2


def test_multiply_adds_by_hand() -> None:
    image = layers.Input((9, 8, 4))
    x = layers.Conv2D(6, (3, 2), groups=2, name="conv")(image)  # 7x7 outputs, 3 * 2 * 2 weights each, 6 filters
    x = layers.DepthwiseConv2D(3, padding="same", name="depth")(x)  # 7x7x6 outputs of 9 weights
    x = layers.SeparableConv2D(5, 3, name="separable")(x)  # 5x5: 6 * 9 and then 6 * 5
    x = layers.MaxPooling2D(2, name="pool")(x)
    x = layers.Dense(3, name="dense")(layers.Flatten(name="flatten")(x))
    network = describe(keras.Model(image, x))
    counts = {layer.name: layer.multiply_adds for layer in network.layers}
    assert counts == {
        "conv": 7 * 7 * 12 * 6, "depth": 7 * 7 * 6 * 9, "separable": 25 * (54 + 30), "pool": 0, "flatten": 0,
        "dense": 2 * 2 * 5 * 3,
    }  # fmt: skip
    assert network.by_name["pool"].receptive_field == (3 + 2 + 2 + 1, 2 + 2 + 2 + 1)
    assert network.by_name["pool"].jump == (2, 2)
    assert network.by_name["dense"].receptive_field == "all"
    assert network.by_name["conv"].activation_bytes == 7 * 7 * 6 * 4


def test_a_layer_called_twice_is_counted_once() -> None:
    image = layers.Input((8, 8, 4))
    shared = layers.Conv2D(4, 3, padding="same", name="shared")
    model = keras.Model(image, shared(shared(image)))
    network = describe(model)
    assert [layer.name for layer in network.layers] == ["shared", "shared (call 2)"]
    assert network.parameters == model.count_params()
    assert network.layers[-1].receptive_field == (5, 5)


def test_channels_first_is_described_as_channels_last() -> None:
    image = layers.Input((3, 8, 10))
    model = keras.Model(image, layers.ReLU()(layers.Conv2D(4, 3, data_format="channels_first", name="conv")(image)))
    conv = describe(model).by_name["conv"]
    assert (conv.input_shape, conv.output_shape) == ((8, 10, 3), (6, 8, 4))


def test_models_without_a_fixed_shape_are_rejected() -> None:
    image = layers.Input((None, None, 3))
    with pytest.raises(ModelError, match=r"accepts images of any size.*Received: input shape \(None, None, None, 3\)"):
        describe(keras.Model(image, layers.Conv2D(4, 3)(image)))
    with pytest.raises(ModelError, match=r"keras\.Input"):
        describe(keras.Sequential([layers.Conv2D(4, 3)]))


def test_an_initializer_with_custom_arguments_has_no_name() -> None:
    assert initializer_name(keras.initializers.HeNormal(seed=3)) == "he_normal"
    assert initializer_name(keras.initializers.GlorotUniform()) == "glorot_uniform"
    assert initializer_name(keras.initializers.RandomNormal(stddev=0.2)) is None
    assert initializer_name(keras.initializers.Constant(1.0)) is None


def test_unknown_initializers_have_no_standard_deviation_or_gain() -> None:
    image = layers.Input((8, 8, 3))
    convolution = layers.Conv2D(4, 3, kernel_initializer=keras.initializers.RandomNormal(stddev=0.2))
    conv = describe(keras.Model(image, convolution(image))).layers[-1].conv
    assert conv is not None
    assert (conv.layer.kernel_initializer, conv.standard_deviation, conv.gain) == (None, None, None)
    assert str(conv.layer) == "4,3"
