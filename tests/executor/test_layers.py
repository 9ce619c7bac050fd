import itertools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import torch
from keras import layers

from stridednet.executor.backend import Backend
from stridednet.executor.context import ForwardPass, LayerContext
from stridednet.executor.graph import Graph
from stridednet.executor.layers import build_function, build_merge
from stridednet.executor.masks import Masks
from stridednet.executor.parameters import Parameters, WorkingCopy

Make = Callable[[], Any]


def _grid(layer: Any, **choices: list[Any]) -> list[Make]:
    """Every combination of the arguments that Keras itself accepts."""

    def make(arguments: dict[str, Any]) -> Make:
        return lambda: layer(**arguments)

    return [make(dict(zip(choices, values, strict=True))) for values in itertools.product(*choices.values())]


CONVOLUTIONS = [
    *_grid(
        layers.Conv2D, filters=[4], kernel_size=[1, 2, 3, (3, 5)], strides=[1, 2, (1, 3)], padding=["same", "valid"],
        activation=[None, "relu", "gelu"], use_bias=[True, False],
    ),
    *_grid(layers.Conv2D, filters=[4], kernel_size=[2, 3], dilation_rate=[2, (1, 3)], padding=["same", "valid"]),
    *_grid(layers.Conv2D, filters=[4, 8], kernel_size=[3], groups=[2, 4], strides=[1, 2], padding=["same", "valid"]),
    *_grid(
        layers.DepthwiseConv2D, kernel_size=[2, 3], strides=[1, 2], padding=["same", "valid"], depth_multiplier=[1, 2],
        use_bias=[True, False], activation=[None, "relu"],
    ),
    *_grid(layers.SeparableConv2D, filters=[5], kernel_size=[2, 3], strides=[1, 2], padding=["same", "valid"]),
]  # fmt: skip
OTHERS = [
    *_grid(layers.MaxPooling2D, pool_size=[2, 3], strides=[None, 1, 2], padding=["same", "valid"]),
    *_grid(layers.AveragePooling2D, pool_size=[2, 3], strides=[None, 1], padding=["same", "valid"]),
    *_grid(layers.GlobalAveragePooling2D, keepdims=[True, False]),
    *_grid(layers.GlobalMaxPooling2D, keepdims=[True, False]),
    *_grid(layers.BatchNormalization, momentum=[0.99, 0.5], epsilon=[1e-3, 1e-5], center=[True, False], scale=[True]),
    *_grid(layers.BatchNormalization, scale=[False], center=[True, False]),
    *_grid(layers.Activation, activation=["relu", "gelu", "softmax", "linear"]),
    layers.ReLU,
    *_grid(layers.Dense, units=[7], activation=[None, "relu", "softmax"], use_bias=[True, False]),
    *_grid(layers.Rescaling, scale=[1 / 255], offset=[0.0, -1.0]),
    *_grid(layers.ZeroPadding2D, padding=[1, (2, 3), ((0, 1), (2, 0))]),
    *_grid(layers.Normalization, mean=[0.5], variance=[2.0]),
    *_grid(layers.Normalization, mean=[[0.1, 0.2, 0.3, 0.4]], variance=[[0.0, 1.0, 4.0, 9.0]]),
    layers.Flatten,
    lambda: layers.Dropout(0.0),
]  # fmt: skip


def _images(shape: tuple[int, ...] = (3, 9, 11, 4)) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).normal(size=shape).astype(np.float32))


def _filled(layer: Any) -> None:
    """Give all weights values of their own, so that biases and offsets count."""
    rng = np.random.default_rng(1)
    layer.set_weights([rng.uniform(0.5, 1.5, weight.shape) for weight in layer.get_weights()])


@pytest.mark.parametrize("make", [*CONVOLUTIONS, *OTHERS])
@pytest.mark.parametrize("training", [True, False])
def test_each_layer_gives_keras_outputs_gradients_and_statistics(make: Make, training: bool) -> None:
    _check_against_keras(make(), (3, 9, 11, 4), training)


@pytest.mark.usefixtures("implementation")
@pytest.mark.parametrize("shape", [(3, 9, 11, 1), (3, 9, 11, 2), (1, 1, 11, 3), (6, 1, 1, 1), (16, 5), (16, 1)])
def test_batches_of_any_shape_are_normalized_as_keras_does(shape: tuple[int, ...]) -> None:
    _check_against_keras(layers.BatchNormalization(), shape, training=True)


def _check_against_keras(layer: Any, shape: tuple[int, ...], training: bool) -> None:
    """Compare outputs, gradients and weights behind one step with what the layer itself computes."""
    inputs = layers.Input(shape[1:])
    model = keras.Model(inputs, layer(inputs))
    _filled(layer)
    before = [weight.copy() for weight in layer.get_weights()]

    theirs = _images(shape).requires_grad_()
    expected = layer(theirs, training=training) if layer._call_has_training_arg else layer(theirs)
    direction = torch.from_numpy(np.random.default_rng(2).normal(size=expected.shape).astype(np.float32))
    expected.backward(direction)
    expected_gradients = [variable.value.grad for variable in model.trainable_variables]
    expected_weights = layer.get_weights()

    layer.set_weights(before)
    parameters = Parameters(model)
    weights, backend = WorkingCopy(parameters, torch.float32), Backend.choose("float32")
    function = build_function(LayerContext(layer, weights, backend))
    assert function is not None
    ours = _images(shape).requires_grad_()
    result = function(ours, ForwardPass(training, Masks(backend)))
    result.backward(direction)

    tolerance = {"rtol": 1e-4, "atol": 1e-4}
    assert result.shape == expected.shape
    assert torch.allclose(result, expected, **tolerance)
    if theirs.grad is not None:
        assert ours.grad is not None
        assert torch.allclose(ours.grad, theirs.grad, **tolerance)
    for variable, gradient in zip(model.trainable_variables, expected_gradients, strict=True):
        leaf = weights.leaves[parameters.index(variable)]
        assert leaf.grad is not None
        assert torch.allclose(leaf.grad, gradient, **tolerance)
    for weight, expected_weight in zip(layer.get_weights(), expected_weights, strict=True):
        assert np.allclose(weight, expected_weight, **tolerance)


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_a_strided_1x1_convolution_of_few_channels_does_not_crash(padding: str) -> None:
    # With sizes like these oneDNN's own strides crash the process, or give wrong gradients; Keras' layer does as well.
    inputs = layers.Input((28, 28, 3))
    layer = layers.Conv2D(16, 1, strides=2, padding=padding)
    model = keras.Model(inputs, layer(inputs))
    parameters = Parameters(model)
    weights, backend = WorkingCopy(parameters, torch.float32), Backend.choose("float32")
    function = build_function(LayerContext(layer, weights, backend))
    assert function is not None
    images = _images((64, 28, 28, 3))
    result = function(images, ForwardPass(True, Masks(backend)))
    result.backward(torch.ones_like(result))
    read = images.numpy()[:, ::2, ::2]
    expected = read @ layer.get_weights()[0][0, 0]
    np.testing.assert_allclose(result.detach().numpy(), expected, rtol=1e-4, atol=1e-4)
    gradient = weights.leaves[parameters.index(layer.kernel)].grad
    assert gradient is not None
    np.testing.assert_allclose(
        gradient.numpy()[0, 0], read.sum(axis=(0, 1, 2))[:, None].repeat(16, axis=1), rtol=1e-3, atol=1e-2
    )


@pytest.mark.parametrize(("padding", "side", "stride"), [("same", 1, 2), ("valid", 3, 4)])
def test_the_gradient_of_a_stride_that_is_wider_than_the_image(padding: str, side: int, stride: int) -> None:
    # In bfloat16, oneDNN leaves parts of such a gradient as they were in memory: some of these are NaN or huge.
    inputs = layers.Input((side, side, 16))
    layer = layers.Conv2D(16, 3, strides=stride, padding=padding)
    parameters = Parameters(keras.Model(inputs, layer(inputs)))
    weights, backend = WorkingCopy(parameters, torch.bfloat16), Backend.choose("bfloat16")
    function = build_function(LayerContext(layer, weights, backend))
    assert function is not None
    images = _images((16, side, side, 16)).bfloat16()
    expected = np.zeros((3, 3, 16))
    margin = (3 - side) // 2
    expected[margin : 3 - margin, margin : 3 - margin] = images.float().numpy().sum(axis=0)
    leaf = weights.leaves[parameters.index(layer.kernel)]
    for _ in range(20):
        junk = [torch.full((count,), torch.nan, dtype=torch.bfloat16) for count in (leaf.numel(),) * 20]
        del junk  # what is allocated next may contain it
        result = function(images, ForwardPass(True, Masks(backend)))
        leaf.grad = None
        result.backward(torch.ones_like(result))
        assert leaf.grad is not None
        found = leaf.grad.float().numpy()
        np.testing.assert_allclose(found, expected[..., None].repeat(16, axis=3), rtol=0.02, atol=0.1)


def test_normalization_that_is_adapted_later_uses_what_it_then_knows() -> None:
    inputs = layers.Input((9, 11, 4))
    layer = layers.Normalization()
    model = keras.Model(inputs, layer(inputs))
    function = build_function(
        LayerContext(layer, WorkingCopy(Parameters(model), torch.float32), Backend.choose("float32"))
    )
    assert function is not None
    layer.adapt(3 * _images().numpy() + 1)
    assert torch.allclose(function(_images(), ForwardPass()), layer(_images()), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("merge", [layers.Add, layers.Concatenate, lambda: layers.Concatenate(axis=1)])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_branches_are_merged_as_keras_does(merge: Make, precision: str) -> None:
    inputs = layers.Input((9, 11, 4))
    branch = layers.Conv2D(4, 3, padding="same")(inputs)
    joined = merge()([branch, inputs, branch])
    model = keras.Model(inputs, layers.Dense(3, activation="softmax")(layers.GlobalMaxPooling2D()(joined)))
    weights = WorkingCopy(Parameters(model), getattr(torch, precision))
    graph = Graph(model, weights, Backend.choose(precision))
    with torch.no_grad():
        ours = graph.outputs(graph.run(_images(), ForwardPass()))
        assert torch.allclose(ours, model(_images()), atol=1e-5 if precision == "float32" else 0.03)
    assert build_merge(merge()) is not None


def test_other_layers_are_left_to_keras() -> None:
    inputs = layers.Input((9, 11, 4))
    for layer in (
        layers.Conv2D(4, 3, data_format="channels_first"),
        layers.LayerNormalization(),
        layers.Dropout(0.5, noise_shape=(None, 1, 1, 4)),
        layers.BatchNormalization(axis=1),
    ):
        model = keras.Model(inputs, layer(inputs))
        weights, backend = WorkingCopy(Parameters(model), torch.float32), Backend.choose("float32")
        assert build_function(LayerContext(layer, weights, backend)) is None
