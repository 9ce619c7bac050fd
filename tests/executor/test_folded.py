"""Convolutions with the normalization and the ReLU after them, compared with Keras' own layers."""

from typing import Any

import stridednet  # noqa: F401  -- before keras, to choose its backend

import keras  # isort: skip
import numpy as np
import pytest
import torch
from keras import layers

from stridednet.executor.backend import Backend
from stridednet.executor.chains import chains
from stridednet.executor.context import ForwardPass
from stridednet.executor.graph import Graph
from stridednet.executor.parameters import Parameters, WorkingCopy
from stridednet.executor.predictor import Predictor
from stridednet.models.nodes import nodes_in_order

CONVOLUTIONS = {
    "same": layers.Conv2D(6, 3, padding="same", name="a"),
    "strides": layers.Conv2D(6, 3, strides=2, padding="same", use_bias=False, name="a"),
    "valid": layers.Conv2D(6, (2, 5), padding="valid", name="a"),
    "groups": layers.Conv2D(8, 3, groups=4, padding="same", name="a"),
    "dilation": layers.Conv2D(6, 3, dilation_rate=2, padding="same", name="a"),
    "pointwise": layers.Conv2D(6, 1, strides=2, padding="same", name="a"),
    "depthwise": layers.DepthwiseConv2D(3, padding="same", name="a"),
    "depthwise strides": layers.DepthwiseConv2D(5, strides=2, padding="same", use_bias=False, name="a"),
    "multiplier": layers.DepthwiseConv2D(3, depth_multiplier=3, padding="valid", name="a"),
}
ENDS: dict[str, list[Any]] = {
    "nothing": [],
    "relu": [layers.ReLU()],
    "relu6": [layers.ReLU(6.0)],
    "activation": [layers.Activation("relu6")],
    "leaky": [layers.LeakyReLU()],
}


def network(convolution: Any, end: list[Any], **options: Any) -> keras.Model:
    keras.utils.set_random_seed(3)
    first = [layers.Input((11, 12, 3)), layers.Rescaling(1 / 32, -4), layers.Conv2D(4, 3)]
    copies = [type(layer).from_config(layer.get_config()) for layer in (convolution, *end)]
    normalization = layers.BatchNormalization(epsilon=1e-3, name="norm", **options)
    last = [layers.GlobalAveragePooling2D(), layers.Dense(3, activation="softmax")]
    model = keras.Sequential([*first, copies[0], normalization, *copies[1:], *last])
    rng = np.random.default_rng(0)
    for weight in normalization.weights:
        weight.assign(rng.uniform(0.3, 2.0, weight.shape))
    return model


def images(count: int = 5) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, 11, 12, 3), np.uint8)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("convolution", CONVOLUTIONS)
def test_predictions_are_those_of_keras(convolution: str, end: str) -> None:
    model = network(CONVOLUTIONS[convolution], ENDS[end])
    np.testing.assert_allclose(Predictor(model).predict(images()), model.predict(images(), verbose=0), atol=2e-6)


@pytest.mark.parametrize("options", [{"center": False}, {"scale": False}])
def test_without_scale_or_offset(options: dict[str, bool]) -> None:
    model = network(CONVOLUTIONS["same"], ENDS["relu6"], **options)
    np.testing.assert_allclose(Predictor(model).predict(images()), model.predict(images(), verbose=0), atol=2e-6)


@pytest.mark.parametrize("end", ["nothing", "relu", "relu6"])
@pytest.mark.parametrize("convolution", CONVOLUTIONS)
def test_gradients_through_a_frozen_normalization_are_those_of_keras(convolution: str, end: str) -> None:
    model = network(CONVOLUTIONS[convolution], ENDS[end])
    model.get_layer("norm").trainable = False
    x = torch.from_numpy(images())
    theirs = model(x, training=True).log()[:, 0].sum()
    expected = torch.autograd.grad(theirs, [variable.value for variable in model.trainable_variables])
    expected = [gradient.clone() for gradient in expected]
    backend = Backend.choose("float32")
    parameters = Parameters(model)
    weights = WorkingCopy(parameters, torch.float32)
    graph = Graph(model, weights, backend)
    graph.log_probabilities(graph.run(x, ForwardPass(training=True)))[:, 0].sum().backward()
    for variable, gradient in zip(model.trainable_variables, expected, strict=True):
        found = weights.tensor(variable).grad
        assert found is not None
        np.testing.assert_allclose(found, gradient, rtol=1e-3, atol=1e-5, err_msg=variable.path)


def test_what_is_folded() -> None:
    model = network(CONVOLUTIONS["depthwise"], ENDS["relu6"])

    def names(**options: bool) -> list[list[str]]:
        found = chains(nodes_in_order(model), id(model.outputs[0]), **options)
        return [[node.operation.name for node in chain.nodes] for chain in found if chain.folded is not None]

    (learning, constant) = names(), names(constant=True)
    assert learning == []
    assert [chain[:2] for chain in constant] == [["a", "norm"]]
    assert len(constant[0]) == 3
    model.get_layer("norm").trainable = False
    assert names() == constant
