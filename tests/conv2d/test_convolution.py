import itertools

import stridednet  # noqa: F401  -- before keras, to choose its backend

import keras  # isort: skip
import numpy as np
import pytest

from stridednet.conv2d.arithmetic import Conv2DLayer, chain
from stridednet.conv2d.convolution import convolve, pad

_LAYERS = [
    Conv2DLayer(4, kernel, strides, padding, dilation)
    for kernel, strides, padding, dilation in itertools.product(
        ((1, 1), (2, 2), (3, 5), (7, 7)), ((1, 1), (2, 2), (4, 1)), ("same", "valid"), ((1, 1), (2, 2), (1, 3))
    )
    if strides == (1, 1) or dilation == (1, 1)
]


@pytest.mark.parametrize("layer", _LAYERS, ids=str)
def test_it_computes_what_keras_computes(layer: Conv2DLayer) -> None:
    random = np.random.default_rng(1)
    for shape in ((15, 20, 3), (16, 21, 1)):
        image = random.normal(size=shape).astype(np.float32)
        theirs = keras.layers.Conv2D(
            layer.filters, layer.kernel_size, layer.strides, layer.padding, dilation_rate=layer.dilation_rate
        )
        theirs.build((None, *shape))
        kernels = random.normal(size=theirs.kernel.shape).astype(np.float32)
        biases = random.normal(size=layer.filters).astype(np.float32)
        theirs.set_weights([kernels, biases])
        expected = keras.ops.convert_to_numpy(theirs(image[None]))[0]
        ours = convolve(image, kernels, biases, chain(shape, [layer])[0])
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, expected, atol=2e-4)


def test_padding_adds_zeros_on_the_right_sides() -> None:
    image = np.ones((4, 4, 1), np.float32)
    padded = pad(
        image, chain((4, 4, 1), [Conv2DLayer(1, (3, 3), (2, 2), "same")])[0]
    )  # none at the top, one row at the bottom
    assert padded[:, :, 0].tolist() == [[1, 1, 1, 1, 0]] * 4 + [[0] * 5]
