import itertools
from collections.abc import Sequence

import stridednet  # noqa: F401  -- before keras, to choose its backend

import keras  # isort: skip
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from keras import layers

from stridednet.conv2d.arithmetic import Conv2DLayer, Pair, Shape, chain, never_read, unread_share
from stridednet.conv2d.initialization import INITIALIZERS, standard_deviation
from stridednet.conv2d.window import windows
from stridednet.errors import ModelError

# The seven convolutions of the tutorial's network and their outputs at 96x96x3, from its table.
STRIDEDNET = (
    (Conv2DLayer(16, (7, 7), (2, 2)), (45, 45, 16)),
    (Conv2DLayer(32, (3, 3), padding="same"), (45, 45, 32)),
    (Conv2DLayer(32, (3, 3), (2, 2), "same"), (23, 23, 32)),
    (Conv2DLayer(64, (3, 3), padding="same"), (23, 23, 64)),
    (Conv2DLayer(64, (3, 3), (2, 2), "same"), (12, 12, 64)),
    (Conv2DLayer(128, (3, 3), padding="same"), (12, 12, 128)),
    (Conv2DLayer(128, (3, 3), (2, 2), "same"), (6, 6, 128)),
)


def test_the_layers_of_stridednet() -> None:
    facts = chain((96, 96, 3), [layer for layer, _ in STRIDEDNET])
    assert [fact.output_shape for fact in facts] == [shape for _, shape in STRIDEDNET]
    # The other layers: batch normalization, with two trainable and two non-trainable vectors each, and dense layers.
    norms = 4 * (32 + 32 + 64 + 64 + 128 + 128 + 512)
    dense = (6 * 6 * 128 + 1) * 512 + (512 + 1) * 4
    assert sum(fact.parameters for fact in facts) + norms + dense == 2_658_820


def keras_layer(layer: Conv2DLayer) -> layers.Conv2D:
    return layers.Conv2D(
        layer.filters,
        layer.kernel_size,
        layer.strides,
        layer.padding,
        dilation_rate=layer.dilation_rate,
        groups=layer.groups,
        use_bias=layer.use_bias,
    )


pairs = some.tuples(some.integers(1, 5), some.integers(1, 5))
unit = some.just((1, 1))


@given(
    size=some.tuples(some.integers(1, 24), some.integers(1, 24)),
    kernel_size=pairs,
    spread=some.one_of(some.tuples(pairs, unit), some.tuples(unit, pairs)),
    padding=some.sampled_from(["same", "valid"]),
    groups=some.sampled_from([1, 2, 3]),
    multiples=some.tuples(some.integers(1, 2), some.integers(1, 3)),
    use_bias=some.booleans(),
)
@settings(max_examples=120, deadline=None)
def test_shapes_parameters_and_unread_pixels_are_those_of_keras(
    size: Pair, kernel_size: Pair, spread: tuple[Pair, Pair], padding: str, groups: int, multiples: Pair, use_bias: bool
) -> None:
    strides, dilation_rate = spread
    channels, filters = groups * multiples[0], groups * multiples[1]
    layer = Conv2DLayer(filters, kernel_size, strides, padding, dilation_rate, groups, use_bias)  # type: ignore[arg-type]
    real = keras_layer(layer)
    try:
        (fact,) = chain((*size, channels), [layer])
    except ModelError:
        with pytest.raises(ValueError, match="negative"):
            real(keras.KerasTensor((1, *size, channels)))
        return
    # With weights of 1, the gradient of the sum of all outputs is the number of windows that read each pixel.
    real.build((1, *size, channels))
    real.trainable = False
    real.kernel.assign(np.ones(real.kernel.shape))
    image = keras.ops.convert_to_tensor(np.zeros((1, *size, channels), "float32")).requires_grad_()
    outputs = real(image)
    outputs.sum().backward()
    assert outputs.shape[1:] == fact.output_shape
    assert real.count_params() == fact.parameters
    counts = image.grad.detach().numpy()[0, :, :, 0]
    rows, columns = fact.unread
    assert tuple(np.flatnonzero(~counts.any(1))) == (rows if len(columns) < size[1] else tuple(range(size[0])))
    assert tuple(np.flatnonzero(~counts.any(0))) == (columns if len(rows) < size[0] else tuple(range(size[1])))
    # Each window reads `fan_in` values, except those in the padding.
    taps = sum(len(fact.rows.read([row])) for row in range(fact.rows.output))
    taps *= sum(len(fact.columns.read([column])) for column in range(fact.columns.output))
    assert counts.sum() == taps * filters / groups
    if not any(fact.padding):
        assert fact.multiply_adds == taps * channels // groups * filters


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(("strides", "dilation"), [(1, 1), (2, 1), (3, 1), (1, 2)])
def test_padding_is_where_keras_puts_it(padding: str, strides: int, dilation: int) -> None:
    for size, kernel in itertools.product((7, 8), (1, 2, 3, 4)):
        layer = Conv2DLayer(1, (kernel, kernel), (strides,) * 2, padding, (dilation,) * 2, use_bias=False)  # type: ignore[arg-type]
        (fact,) = chain((size, size, 1), [layer])
        image = np.random.default_rng(0).normal(size=(1, size, size, 1)).astype("float32")
        real = keras_layer(layer)
        expected = keras.ops.convert_to_numpy(real(image))
        top, bottom, left, right = fact.padding
        bare = Conv2DLayer(1, (kernel, kernel), (strides,) * 2, "valid", (dilation,) * 2, use_bias=False)
        unpadded = keras_layer(bare)
        padded = np.pad(image, ((0, 0), (top, bottom), (left, right), (0, 0)))
        unpadded.build(padded.shape)
        unpadded.kernel.assign(real.kernel)
        np.testing.assert_allclose(keras.ops.convert_to_numpy(unpadded(padded)), expected, atol=1e-5)


chains = some.lists(
    some.builds(
        Conv2DLayer,
        filters=some.just(1),
        kernel_size=some.tuples(some.integers(1, 4), some.integers(1, 4)),
        strides=some.tuples(some.integers(1, 3), some.integers(1, 3)),
        padding=some.just("valid"),
        use_bias=some.just(False),
    ),
    min_size=1,
    max_size=3,
)


@given(chosen=chains)
@settings(max_examples=30, deadline=None)
def test_receptive_field_jump_and_pixels_never_read_of_a_chain(chosen: list[Conv2DLayer]) -> None:
    shape: Shape = (90, 90, 1)
    facts = chain(shape, chosen)
    image = keras.ops.convert_to_tensor(np.zeros((1, *shape), "float32")).requires_grad_()
    x = image
    for layer in chosen:
        real = keras_layer(layer)
        real.build(x.shape)
        real.kernel.assign(np.ones(real.kernel.shape))
        x = real(x)
    x[0, 0, 0, 0].backward(retain_graph=True)
    first = image.grad.clone().numpy()[0, :, :, 0]
    image.grad = None
    x[0, 1, 1, 0].backward(retain_graph=True)
    second = image.grad.clone().numpy()[0, :, :, 0]
    image.grad = None
    x.sum().backward()
    used = image.grad.numpy()[0, :, :, 0]
    for axis in (0, 1):
        read = np.flatnonzero(first.any(1 - axis))
        assert facts[-1].receptive_field[axis] == read[-1] - read[0] + 1
        assert facts[-1].jump[axis] == np.flatnonzero(second.any(1 - axis))[0] - read[0]
        assert never_read(facts)[axis] == tuple(np.flatnonzero(~used.any(1 - axis)))


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "shift"),
    [
        (8, 3, 1, "same", 0.0),  # an odd kernel keeps every pixel in place
        (8, 2, 1, "same", 0.5),  # an even kernel is offset by half a pixel
        (8, 4, 1, "same", 0.5),
        (8, 3, 2, "same", 0.5),  # windows start at 0, 2, 4, 6: centers 1, 3, 5, 7, mean 4 instead of 3.5
        (7, 3, 2, "same", 0.0),
        (96, 7, 2, "valid", -0.5),  # the last row is unread
        (8, 1, 2, "same", -0.5),  # centers 0, 2, 4, 6
    ],
)
def test_shift_by_hand(size: int, kernel: int, stride: int, padding: str, shift: float) -> None:
    assert windows(size, kernel, stride, padding).shift == shift  # type: ignore[arg-type]


@pytest.mark.parametrize("name", INITIALIZERS)
@pytest.mark.parametrize("shape", [(3, 3, 32, 64), (5, 3, 16, 400), (7, 7, 3, 16)])
def test_standard_deviation_is_that_of_keras(name: str, shape: tuple[int, int, int, int]) -> None:
    initializer = keras.initializers.get(name)
    draws = []
    for seed in range(8):
        if hasattr(initializer, "seed"):
            initializer = type(initializer)(seed=seed)
        draws.append(keras.ops.convert_to_numpy(initializer(shape)))
    expected = standard_deviation(name, shape[:2], shape[2], shape[3])
    assert np.std(draws) == pytest.approx(expected, rel=0.03, abs=1e-9)


def test_every_initializer_of_a_recipe_is_known() -> None:
    from typing import get_args

    from stridednet.conv2d.initialization import Initializer

    assert set(INITIALIZERS) == set(get_args(Initializer))


def test_gain_matches_real_layers() -> None:
    random = np.random.default_rng(0)
    image = np.abs(random.normal(size=(1, 14, 14, 32))).astype("float32")
    for name in ("he_normal", "glorot_uniform", "lecun_normal", "orthogonal"):
        layer = Conv2DLayer(64, (3, 3), use_bias=False, kernel_initializer=name)
        (fact,) = chain((40, 40, 32), [layer])
        gains = []
        for seed in range(40):
            initializer = type(keras.initializers.get(name))(seed=seed)
            real = layers.Conv2D(64, 3, use_bias=False, kernel_initializer=initializer, activation="relu")
            gains.append(np.square(keras.ops.convert_to_numpy(real(image))).mean() / np.square(image).mean())
        assert np.mean(gains) == pytest.approx(fact.gain, rel=0.15)


@pytest.mark.parametrize(
    ("arguments", "shape", "words"),
    [
        ({"strides": (2, 2), "dilation_rate": (2, 2)}, (8, 8, 4), "strides > 1 together with dilation_rate > 1"),
        ({"groups": 3}, (8, 8, 3), "4 filters; use a common divisor of both"),
        ({"groups": 4}, (8, 8, 6), "6 input channels; use groups 1 or 2"),
        ({"kernel_size": (9, 3)}, (8, 8, 4), "use padding='same'"),
        ({"kernel_size": (0, 3)}, (8, 8, 4), "kernel_size must be at least 1"),
        ({"filters": 0}, (8, 8, 4), "filters must be at least 1"),
        ({"padding": "full"}, (8, 8, 4), "'same' or 'valid'"),
        ({"kernel_initializer": "he"}, (8, 8, 4), "he_normal"),
        ({}, (0, 8, 4), "Received: 0x8x4"),
    ],
)
def test_invalid_layers_raise_and_suggest_a_fix(arguments: dict[str, object], shape: Shape, words: str) -> None:
    chosen = {"filters": 4, "kernel_size": (3, 3), **arguments}
    with pytest.raises(ModelError, match=words):
        chain(shape, [Conv2DLayer(**chosen)])  # type: ignore[arg-type]


def test_keras_rejects_strides_with_dilation_too() -> None:
    with pytest.raises(ValueError, match="dilation_rate"):
        layers.Conv2D(4, 3, strides=(2, 1), dilation_rate=(1, 2))
    with pytest.raises(ModelError, match="together with dilation_rate"):
        Conv2DLayer(4, (3, 3), (2, 1), "same", (1, 2))


@pytest.mark.parametrize(
    ("rows", "columns", "unread"), [((), (), 0), ((0,), (), 6), ((), (1, 5), 8), ((0,), (1, 5), 12), (range(4), (), 24)]
)
def test_unread_share_counts_a_pixel_once(rows: Sequence[int], columns: Sequence[int], unread: int) -> None:
    assert unread_share(rows, columns, (4, 6, 3)) == pytest.approx(unread / 24)


def test_arguments_in_any_form_that_keras_accepts() -> None:
    layer = Conv2DLayer(np.int64(8), 3, [2, 2], "SAME", kernel_initializer="HeNormal")  # type: ignore[arg-type]
    assert layer == Conv2DLayer(8, (3, 3), (2, 2), "same", kernel_initializer="he_normal")
    for wrong in ({"filters": 8.5}, {"filters": "8"}, {"kernel_size": (3, 3, 3)}, {"strides": None}):
        with pytest.raises(ModelError, match="must be an integer"):
            Conv2DLayer(**{"filters": 8, "kernel_size": 3, **wrong})  # type: ignore[arg-type]


def test_every_spelling_of_an_initializer_in_keras_is_accepted() -> None:
    spellings = keras.src.initializers.ALL_OBJECTS_DICT
    accepted = []
    for spelling in spellings:
        try:
            keras.initializers.get(spelling)((3, 3, 2, 4))
        except (KeyError, NotImplementedError, TypeError, ValueError):  # not for a kernel, such as Identity
            with pytest.raises(ModelError, match="kernel_initializer must be one of"):
                Conv2DLayer(4, (3, 3), kernel_initializer=spelling)
            continue
        ours = Conv2DLayer(4, (3, 3), kernel_initializer=spelling).kernel_initializer
        assert isinstance(keras.initializers.get(ours), spellings[spelling])
        accepted.append(spelling)
    assert len(accepted) > 20
