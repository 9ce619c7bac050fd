"""Tests of what the guide says about Keras and StridedNet."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from stridednet.conv2d.parameters import PARAMETERS
from stridednet.errors import ModelError
from stridednet.models.strided import StridedNet

PLAIN = {"filters": 4, "kernel_size": 3}
IMAGE = np.random.default_rng(0).normal(size=(8, 12, 12, 4)).astype("float32")


def _numbers(tensor: object) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(tensor))


def _built(image: np.ndarray = IMAGE, **arguments: object) -> layers.Conv2D:
    layer = layers.Conv2D(**(PLAIN | arguments))
    layer.build(image.shape)
    return layer


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"strides": (2, 1), "dilation_rate": (1, 2)}, "not supported in conjunction"),
        ({"groups": 3}, "number of filters must be evenly divisible"),
        ({"filters": 6, "groups": 3}, "input channels must be evenly divisible"),
        ({"kernel_size": 13}, "zero or negative"),
        ({"kernel_initializer": "identity"}, "can only be used for 2D"),
        ({"kernel_regularizer": "l1_l2"}, "Could not interpret"),
        ({"kernel_constraint": "unit_norm", "lora_rank": 2}, "incompatible with kernel constraints"),
        ({"filters": None}, "fully-defined"),
    ],
)
def test_what_keras_rejects(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _built(**arguments)


def test_what_keras_accepts_silently() -> None:
    assert layers.Conv2D(None, 3).filters is None
    assert _built(kernel_size=13, padding="SAME")(IMAGE).shape == (8, 12, 12, 4)
    assert _built(kernel_regularizer="L1L2").kernel_regularizer.get_config() == {"l1": 0.0, "l2": 0.0}
    assert _built(kernel_regularizer="l2").kernel_regularizer.get_config() == {"l2": 0.01}
    ignored = _built(use_bias=False, bias_initializer="ones", bias_constraint="non_neg", bias_regularizer="l2")
    assert (ignored.bias, ignored.losses) == (None, [])


@pytest.mark.parametrize(
    ("kernel", "strides", "size", "zeros"),
    [(3, 1, 6, (1, 1)), (2, 1, 6, (0, 1)), (4, 1, 6, (1, 2)), (3, 2, 6, (0, 1)), (3, 2, 7, (1, 1)), (2, 2, 6, (0, 0))],
)
def test_zeros_of_same_padding(kernel: int, strides: int, size: int, zeros: tuple[int, int]) -> None:
    layer = layers.Conv2D(1, kernel, strides, padding="same", use_bias=False, kernel_initializer="ones")
    single_rows = np.eye(size, dtype="float32")[:, :, None, None] * np.ones((1, 1, size, 1), "float32")
    seen = _numbers(layer(single_rows))[:, :, size // strides // 2, 0] > 0
    assert (kernel - seen[:, 0].sum(), kernel - seen[:, -1].sum()) == zeros


def test_the_stem_never_reads_the_last_row_and_column() -> None:
    stem = layers.Conv2D(1, 7, 2, kernel_initializer="ones")
    image = np.zeros((1, 96, 96, 1), "float32")
    image[:, 95], image[:, :, 95] = 1, 1
    assert not _numbers(stem(image)).any()
    image[:, 94] = 1
    assert _numbers(stem(image)).any()


def test_activation_none_is_linear_and_a_name_equals_a_layer() -> None:
    assert _built().activation is keras.activations.linear
    layer = _built(activation="relu")
    within = _numbers(layer(IMAGE))
    layer.activation = keras.activations.linear
    assert np.array_equal(within, _numbers(layers.Activation("relu")(layer(IMAGE))))
    assert [weight.name for weight in _built(activation=layers.PReLU()).trainable_weights][:2] == ["kernel", "bias"]
    with_weights = layers.Conv2D(4, 3, activation=layers.PReLU())
    with_weights(IMAGE)
    assert len(with_weights.trainable_weights) == 3


def test_two_linear_layers_are_one_larger_layer() -> None:
    first, second = layers.Conv2D(2, 7, 2, use_bias=False), layers.Conv2D(1, 3, use_bias=False)
    size = 11
    impulses = np.eye(size * size, dtype="float32").reshape(-1, size, size, 1)
    kernel = _numbers(second(first(impulses))).reshape(size, size, 1, 1)
    one = layers.Conv2D(1, size, 2, use_bias=False)
    image = IMAGE[:1, :, :, :1].repeat(3, 1).repeat(3, 2)
    one.build(image.shape)
    one.kernel.assign(kernel)
    np.testing.assert_allclose(_numbers(one(image)), _numbers(second(first(image))), atol=1e-5)


def test_softmax_works_on_the_width_if_channels_come_first() -> None:
    first = np.transpose(IMAGE, (0, 3, 1, 2))
    output = _numbers(layers.Conv2D(4, 3, activation="softmax", data_format="channels_first")(first))
    np.testing.assert_allclose(output.sum(-1), 1, atol=1e-5)
    assert abs(output.sum(1) - 1).max() > 0.1


def test_flatten_with_the_data_format_keeps_the_order() -> None:
    first = np.transpose(IMAGE, (0, 3, 1, 2))
    last = _numbers(layers.Flatten()(IMAGE))
    assert np.array_equal(_numbers(layers.Flatten(data_format="channels_first")(first)), last)
    assert not np.array_equal(_numbers(layers.Flatten()(first)), last)


def test_a_bias_directly_before_batch_normalization_is_canceled() -> None:
    layer, norm = _built(), layers.BatchNormalization()
    before = _numbers(norm(layer(IMAGE), training=True))
    before_relu = _numbers(norm(ops.relu(layer(IMAGE)), training=True))
    layer.bias.assign(np.array([5, -3, 2, 1], "float32"))
    np.testing.assert_allclose(_numbers(norm(layer(IMAGE), training=True)), before, atol=1e-4)
    assert abs(_numbers(norm(ops.relu(layer(IMAGE)), training=True)) - before_relu).max() > 1


def test_a_larger_kernel_is_scaled_back_by_batch_normalization_even_after_relu() -> None:
    layer, norm = _built(), layers.BatchNormalization()
    before = _numbers(norm(ops.relu(layer(IMAGE)), training=True))
    layer.kernel.assign(layer.kernel * 10)
    np.testing.assert_allclose(_numbers(norm(ops.relu(layer(IMAGE)), training=True)), before, atol=0.05)


@pytest.mark.parametrize("seed", [None, 1])
def test_layers_that_share_an_initializer_object_start_alike(seed: int | None) -> None:
    shared = keras.initializers.HeNormal(seed=seed)
    first, second = (_numbers(_built(kernel_initializer=shared).kernel) for _ in range(2))
    assert np.array_equal(first, second)
    first, second = (_numbers(_built(kernel_initializer="he_normal").kernel) for _ in range(2))
    assert not np.array_equal(first, second)


def test_bias_initializer_none_is_not_zeros() -> None:
    assert not _numbers(_built().bias).any()
    assert _numbers(_built(bias_initializer=None).bias).all()


def test_l2_has_no_factor_of_one_half_and_is_included_in_evaluate() -> None:
    assert float(keras.regularizers.L2(0.1)(np.array([1.0, 2.0], "float32"))) == pytest.approx(0.5)
    model = StridedNet.build(96, 96, 3, 4, keras.regularizers.L2(0.0005))
    penalty = sum(float(_numbers(loss)) for loss in model.losses)
    assert penalty == pytest.approx(0.46, abs=0.02)
    model.compile(loss="categorical_crossentropy")
    images, labels = np.zeros((4, 96, 96, 3), "float32"), np.eye(4, dtype="float32")
    predicted = _numbers(model(images, training=False))
    entropy = float(np.mean(-np.log((predicted * labels).sum(1))))
    assert model.evaluate(images, labels, verbose=0) == pytest.approx(entropy + penalty, rel=1e-4)


def test_activity_regularizer_is_divided_by_the_number_of_images_only() -> None:
    def penalty(count: int, size: int) -> float:
        layer = layers.Conv2D(1, 1, kernel_initializer="ones", activity_regularizer="l2")
        layer(np.ones((count, size, size, 1), "float32"))
        return float(_numbers(layer.losses[0]))

    assert penalty(1, 28) == pytest.approx(penalty(8, 28), rel=1e-4)
    assert penalty(1, 96) / penalty(1, 28) == pytest.approx((96 / 28) ** 2, rel=1e-4)
    cut_off = layers.Conv2D(1, 1, kernel_initializer="ones", activation="relu", activity_regularizer="l2")
    cut_off(-np.ones((1, 4, 4, 1), "float32"))
    assert float(_numbers(cut_off.losses[0])) == 0


def test_unit_norm_needs_an_axis_in_a_convolution() -> None:
    kernel = ops.convert_to_tensor(np.random.default_rng(0).normal(size=(3, 3, 2, 4)).astype("float32"))

    def norms(constraint: keras.constraints.Constraint) -> np.ndarray:
        return np.sqrt((_numbers(constraint(kernel)) ** 2).sum((0, 1, 2)))

    np.testing.assert_allclose(norms(keras.constraints.get("unit_norm")), np.sqrt(6), rtol=1e-4)
    np.testing.assert_allclose(norms(keras.constraints.UnitNorm(axis=[0, 1, 2])), 1, rtol=1e-4)
    assert abs(np.sqrt((_numbers(_built(kernel_constraint="unit_norm").kernel) ** 2).sum(0)) - 1).max() > 0.1


def test_weights_with_a_bias_do_not_load_into_a_layer_without() -> None:
    with_bias, without = _built(), _built(use_bias=False)
    with pytest.raises(ValueError, match="weight"):
        without.set_weights(with_bias.get_weights())


def test_one_group_per_channel_is_a_depthwise_convolution() -> None:
    grouped, depthwise = _built(groups=4), layers.DepthwiseConv2D(3)
    depthwise.build(IMAGE.shape)
    depthwise.kernel.assign(ops.reshape(grouped.kernel, (3, 3, 4, 1)))
    np.testing.assert_allclose(_numbers(depthwise(IMAGE)), _numbers(grouped(IMAGE)), atol=1e-5)


def test_dilation_enlarges_the_extent_with_the_same_weights() -> None:
    dilated = _built(dilation_rate=2)
    assert dilated.count_params() == _built().count_params()
    assert dilated(IMAGE).shape[1:3] == (8, 8)


def test_numbers_of_stridednet() -> None:
    def convolutions(**settings: object) -> tuple[int, float]:
        model = StridedNet.build(96, 96, 3, 4, None, **settings)  # type: ignore[arg-type]
        found = [layer for layer in model.layers if isinstance(layer, layers.Conv2D)]
        work = sum(int(np.prod(layer.kernel.shape)) * int(np.prod(layer.output.shape[1:3])) for layer in found)
        return sum(layer.count_params() for layer in found), work / 1e6

    parameters, work = convolutions()
    assert (parameters, round(work)) == (293_120, 50)
    assert convolutions(filters=(64, 128, 256), stem_filters=32)[0] == 1_166_848
    assert convolutions(groups=4)[0] == 75_392
    assert round(convolutions(downsample="max_pool")[1]) == 108
    assert round(convolutions(stem_padding="same")[1] / work - 1, 2) == 0.06
    said = str(PARAMETERS)
    for number in ("293,120", "1,166,848", "75,392", "108 million", "50 million", "adds 6%"):
        assert number in said
    unpadded = StridedNet.build(96, 96, 3, 4, None, padding="valid").get_layer("stage3_conv2")
    assert unpadded.output.shape[1:3] == (3, 3)
    with pytest.raises(ModelError, match="28x28"):
        StridedNet.build(28, 28, 3, 4, None, padding="valid")
