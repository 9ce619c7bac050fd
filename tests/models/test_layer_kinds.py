"""Costs and receptive fields of each kind of layer, of nested models, and of layers that are unknown."""

import itertools
import math
from typing import Any

import stridednet  # noqa: F401  -- before keras, to choose its backend

import keras  # isort: skip
import pytest
from keras import layers

from stridednet.models.description import describe


def _counted(*axes: tuple[int, int], per_position: int) -> int:
    """Count the multiply-adds of windows in loops, with ``(positions, taps)`` along each axis."""
    count = 0
    for _ in itertools.product(*(range(positions) for positions, _ in axes)):
        for _ in itertools.product(*(range(taps) for _, taps in axes)):
            count += per_position
    return count


@pytest.mark.parametrize(
    ("shape", "layer", "expected"),
    [
        ((9, 4), layers.Conv1D(6, 3, strides=2, groups=2), _counted((4, 3), per_position=2 * 6)),
        ((7, 6, 4), layers.Conv2D(6, (3, 2)), _counted((5, 3), (5, 2), per_position=4 * 6)),
        ((5, 6, 4, 2), layers.Conv3D(3, 2), _counted((4, 2), (5, 2), (3, 2), per_position=2 * 3)),
        ((9, 4), layers.Conv1DTranspose(6, 3, strides=2), _counted((9, 3), per_position=4 * 6)),
        ((5, 4, 3), layers.Conv2DTranspose(6, (4, 3), strides=2), _counted((5, 4), (4, 3), per_position=3 * 6)),
        ((3, 4, 2, 3), layers.Conv3DTranspose(5, 2), _counted((3, 2), (4, 2), (2, 2), per_position=3 * 5)),
        ((9, 4), layers.DepthwiseConv1D(3, depth_multiplier=2), _counted((7, 3), per_position=4 * 2)),
        ((7, 6, 4), layers.DepthwiseConv2D(3, depth_multiplier=2), _counted((5, 3), (4, 3), per_position=4 * 2)),
        (
            (9, 4),
            layers.SeparableConv1D(5, 3, depth_multiplier=2),
            _counted((7, 3), per_position=8) + _counted((7, 1), per_position=8 * 5),
        ),
        (
            (7, 6, 4),
            layers.SeparableConv2D(5, 3),
            _counted((5, 3), (4, 3), per_position=4) + _counted((5, 1), (4, 1), per_position=4 * 5),
        ),
        ((7,), layers.Dense(5), _counted((1, 7), per_position=5)),
        ((6, 7), layers.Dense(5), _counted((6, 7), per_position=5)),
        ((3, 6, 7), layers.Dense(5), _counted((3, 1), (6, 7), per_position=5)),
        ((2, 7, 6, 4), layers.TimeDistributed(layers.Conv2D(6, 3)), 2 * _counted((5, 3), (4, 3), per_position=4 * 6)),
        ((8, 8, 2), layers.UpSampling2D(2), 0),
        ((8, 8, 2, 1), layers.MaxPooling3D(2), 0),
    ],
)
def test_multiply_adds_match_counted_loops(shape: tuple[int, ...], layer: Any, expected: int) -> None:
    image = keras.Input(shape)
    model = keras.Model(image, layer(image))
    network = describe(model)
    assert network.multiply_adds == expected
    assert network.parameters == model.count_params()


def _backbone(shape: tuple[int | None, ...]) -> Any:
    convolutions = [layers.Conv2D(8 * 2**number, 3, strides=2, padding="same") for number in range(4)]
    return keras.Sequential([keras.Input(shape), *convolutions[:3], layers.GroupNormalization(4)], name="backbone")


def test_a_nested_backbone_counts_like_its_layers() -> None:
    image = keras.Input((64, 64, 3))
    flat = image
    for number in range(3):
        flat = layers.Conv2D(8 * 2**number, 3, strides=2, padding="same", name=f"conv{number}")(flat)
    expected = describe(keras.Model(image, flat))
    assert expected.layers[-1].receptive_field == (15, 15)
    for shape in [(64, 64, 3), (None, None, 3)]:  # a backbone may accept images of any size
        backbone = _backbone(shape)
        model = keras.Model(image, layers.Dense(4)(layers.GlobalAveragePooling2D()(backbone(image))))
        network = describe(model)
        for ours, theirs in zip(network.layers[:3], expected.layers, strict=True):
            assert ours.name.startswith("backbone/conv2d")
            assert (ours.output_shape, ours.multiply_adds, ours.receptive_field, ours.jump, ours.parameters) == (
                *(theirs.output_shape, theirs.multiply_adds, theirs.receptive_field, theirs.jump, theirs.parameters),
            )
        assert network.layers[3].receptive_field == "all"  # the statistics of a group are those of the whole map
        assert network.parameters == model.count_params()


def test_models_that_are_called_twice_or_for_each_step() -> None:
    inner = keras.Sequential([keras.Input((8, 8, 4)), layers.Conv2D(4, 3, padding="same", name="conv")], name="inner")
    image = keras.Input((8, 8, 4))
    network = describe(keras.Model(image, inner(inner(image))))
    assert [layer.name for layer in network.layers] == ["inner/conv", "inner (call 2)/conv"]
    assert network.layers[1].inputs == ("inner/conv",)
    assert network.layers[1].receptive_field == (5, 5)
    assert network.layers[1].parameters == 0
    assert network.parameters == inner.count_params()

    video = keras.Input((5, 8, 8, 4))
    x = layers.TimeDistributed(inner)(video)
    x = layers.TimeDistributed(layers.GlobalAveragePooling2D(), name="pooled")(x)
    network = describe(keras.Model(video, layers.Conv1D(2, 3, name="over_time")(x)))
    conv, pooled, over_time = network.layers
    assert conv.multiply_adds == 5 * 8 * 8 * 9 * 4 * 4
    assert (conv.output_shape, conv.receptive_field, conv.jump) == ((5, 8, 8, 4), (1, 3, 3), (1, 1, 1))
    assert (pooled.output_shape, pooled.receptive_field) == ((5, 4), (1, 8, 8))
    assert over_time.receptive_field == (3, 8, 8)


class _Custom(layers.Layer):
    def call(self, x: Any) -> Any:
        return x[:, ::2]


class _Overridden(layers.Conv2D):
    def call(self, x: Any) -> Any:
        return super().call(x[:, :4])


class _Renamed(layers.Conv2D):
    pass


@pytest.mark.parametrize(
    "unknown",
    [
        _Custom(),
        _Overridden(3, 3),
        layers.Resizing(16, 16),
        layers.Lambda(lambda x: x[:, ::2]),
        layers.Reshape((8, -1, 3)),
    ],
)
def test_unknown_layers_make_the_fields_after_them_unknown(unknown: Any) -> None:
    image = keras.Input((32, 32, 3))
    x = layers.Conv2D(3, 3, padding="same", name="before")(image)
    x = layers.Conv2D(3, 3, padding="same", name="after")(unknown(x))
    x = layers.Dense(2, name="dense")(layers.GlobalAveragePooling2D()(x))
    model = keras.Model(image, x)
    network = describe(model)
    after, dense = network.by_name["after"], network.by_name["dense"]
    assert network.by_name["before"].receptive_field == (3, 3)
    assert (after.receptive_field, after.jump, dense.receptive_field) == (None, None, None)
    assert after.multiply_adds == math.prod(after.output_shape) * 27
    assert network.least_multiply_adds == sum(layer.multiply_adds or 0 for layer in network.layers)
    assert (network.multiply_adds is None) == (not isinstance(unknown, layers.Reshape))
    assert network.parameters == model.count_params()


def test_a_subclass_that_computes_the_same_is_known() -> None:
    image = keras.Input((32, 32, 3))
    network = describe(keras.Model(image, _Renamed(4, 3)(image)))
    assert network.layers[0].receptive_field == (3, 3)
    assert network.convolutions


def test_vectors_matrices_and_merges() -> None:
    vector = keras.Input((7,))
    network = describe(keras.Model(vector, layers.Dense(2)(layers.Dense(5)(layers.Rescaling(2.0)(vector)))))
    assert [layer.receptive_field for layer in network.layers] == [(1,), "all", "all"]
    assert (network.multiply_adds, network.input_shape) == (7 * 5 + 5 * 2, (7,))

    digit = keras.Input((28, 28))
    x = layers.Conv2D(4, 3)(layers.Reshape((28, 28, 1))(digit))
    network = describe(keras.Model(digit, x))
    assert network.layers[-1].receptive_field == (3, 3)
    network = describe(keras.Model(digit, layers.Dense(3)(layers.Flatten()(digit))))
    assert [layer.receptive_field for layer in network.layers] == [(1, 1), "all"]

    image = keras.Input((16, 16, 4))
    x = layers.Conv2D(4, 3, padding="same")(image)
    squeezed = layers.Dense(4, activation="sigmoid")(layers.GlobalAveragePooling2D(keepdims=True)(x))
    x = layers.Multiply()([x, squeezed])
    assert describe(keras.Model(image, x)).layers[-1].receptive_field == "all"
    one, two = layers.Conv2D(4, 3, strides=2)(image), layers.Conv2D(4, 5)(image)
    x = layers.Concatenate()([layers.Flatten()(one), layers.Flatten()(two)])
    network = describe(keras.Model(image, layers.Dense(3)(x)))
    assert [layer.receptive_field for layer in network.layers[-2:]] == [(5, 5), "all"]
    beside = layers.Concatenate(axis=1)([image, image])
    assert describe(keras.Model(image, beside)).layers[-1].receptive_field is None
    assert describe(keras.Model(image, image * 2.0 + image)).layers[-1].receptive_field == (1, 1)


def test_channels_first_through_nested_models_and_permutations() -> None:
    image = keras.Input((3, 20, 30))
    inner = keras.Sequential(
        [keras.Input((3, 20, 30)), layers.ReLU(), layers.Conv2D(4, 3, data_format="channels_first")]
    )
    x = layers.Permute((2, 3, 1))(layers.ReLU()(inner(image)))
    network = describe(keras.Model(image, layers.Conv2D(5, (1, 3))(x)))
    assert network.input_shape == (20, 30, 3)
    assert [layer.output_shape for layer in network.layers] == [
        (20, 30, 3), (18, 28, 4), (18, 28, 4), (18, 28, 4), (18, 26, 5),
    ]  # fmt: skip
    assert [layer.receptive_field for layer in network.layers] == [(1, 1), (3, 3), (3, 3), (3, 3), (3, 5)]


def test_normalizations_over_positions_depend_on_all_of_them() -> None:
    image = keras.Input((8, 8, 4))
    for layer, field in [
        (layers.LayerNormalization(), (1, 1)),
        (layers.LayerNormalization(axis=[1, 2, 3]), "all"),
        (layers.LayerNormalization(axis=2), (1, 8)),
        (layers.GroupNormalization(2), "all"),
        (layers.BatchNormalization(), (1, 1)),
        (layers.Softmax(axis=1), (8, 1)),
        (layers.Activation("softmax"), (1, 1)),
        (layers.AdaptiveAveragePooling2D((4, 2)), (2, 4)),
        (layers.AdaptiveAveragePooling2D((3, 3)), None),
    ]:
        assert describe(keras.Model(image, layer(image))).layers[-1].receptive_field == field, layer


def test_channels_first_after_a_permute_costs_as_much_as_channels_last() -> None:
    def network(data_format: str) -> keras.Model:
        image = layers.Input((24, 30, 3))
        x = layers.Permute((3, 1, 2))(image) if data_format == "channels_first" else image
        x = layers.Conv2D(4, 5, strides=2, data_format=data_format)(x)
        return keras.Model(image, layers.Conv2D(6, 3, padding="same", data_format=data_format)(x))

    first, last = describe(network("channels_first")), describe(network("channels_last"))
    assert first.multiply_adds == last.multiply_adds
    assert first.layers[-1].output_shape == last.layers[-1].output_shape == (10, 13, 6)
    assert first.layers[-1].receptive_field == last.layers[-1].receptive_field == (9, 9)
