"""Batch normalization fused with the layers around it, against the Keras layers one by one."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import pytest
import torch
import torch.nn.functional as nn
from keras import layers

from stridednet.executor.backend import Backend
from stridednet.executor.block import Around, build_block
from stridednet.executor.chains import chains
from stridednet.executor.context import ForwardPass, LayerContext
from stridednet.executor.graph import Graph
from stridednet.executor.masks import Masks
from stridednet.executor.parameters import Parameters, WorkingCopy
from stridednet.models.nodes import nodes_in_order

pytestmark = pytest.mark.usefixtures("implementation")

STACKS: dict[str, Callable[[], Sequence[Any]]] = {
    "conv, relu, norm, dropout": lambda: [
        layers.Conv2D(5, 3), layers.Activation("relu"), layers.BatchNormalization(), layers.Dropout(0.0)
    ],
    "conv with relu, norm": lambda: [layers.Conv2D(5, 3, activation="relu"), layers.BatchNormalization()],
    "conv, norm, relu": lambda: [layers.Conv2D(5, 3), layers.BatchNormalization(momentum=0.5), layers.ReLU()],
    "conv, relu, norm, relu": lambda: [
        layers.Conv2D(5, 3), layers.ReLU(), layers.BatchNormalization(), layers.Activation("relu")
    ],
    "norm alone": lambda: [layers.BatchNormalization()],
    "norm, no scale, relu": lambda: [layers.BatchNormalization(scale=False), layers.Activation("relu")],
    "norm, no center": lambda: [layers.BatchNormalization(center=False, epsilon=1e-5)],
    "conv, tanh, norm": lambda: [layers.Conv2D(5, 3), layers.Activation("tanh"), layers.BatchNormalization()],
    "leaky relu, norm": lambda: [layers.ReLU(negative_slope=0.1), layers.BatchNormalization()],
    "relu that costs, norm": lambda: [
        layers.Conv2D(5, 3), layers.Activation("relu", activity_regularizer="l2"), layers.BatchNormalization()
    ],
    "dense, relu, norm": lambda: [
        layers.Flatten(), layers.Dense(7), layers.Activation("relu"), layers.BatchNormalization()
    ],
}  # fmt: skip


def _stack(name: str) -> keras.Model:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([layers.Input((7, 9, 3)), *STACKS[name]()])
    rng = np.random.default_rng(1)
    model.set_weights([rng.uniform(-1, 1, weights.shape) if weights.ndim > 1 else rng.uniform(0.5, 1.5, weights.shape)
                       for weights in model.get_weights()])  # fmt: skip
    return model


def _images(shape: tuple[int, ...] = (6, 7, 9, 3)) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).normal(0.3, 1.0, shape).astype(np.float32))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", STACKS)
def test_stacks_give_keras_outputs_gradients_and_statistics(name: str, training: bool) -> None:
    theirs, ours = _stack(name), _stack(name)
    their_images, our_images = _images().requires_grad_(), _images().requires_grad_()
    expected = theirs(their_images, training=training)
    direction = torch.from_numpy(np.random.default_rng(2).normal(size=expected.shape).astype(np.float32))
    (torch.sum(expected * direction) + sum(theirs.losses)).backward()

    weights = WorkingCopy(parameters := Parameters(ours), torch.float32)
    backend = Backend.choose("float32")
    graph, forward = Graph(ours, weights, backend), ForwardPass(training, Masks(backend))
    found = graph.run(our_images, forward)
    (torch.sum(found * direction) + sum(forward.penalties)).backward()
    assert torch.allclose(found, expected, atol=1e-5)
    assert torch.allclose(our_images.grad, their_images.grad, atol=2e-5)
    for our, their in zip(ours.trainable_variables, theirs.trainable_variables, strict=True):
        gradient = weights.leaves[parameters.index(our)].grad
        assert torch.allclose(gradient, their.value.grad, rtol=1e-4, atol=1e-4), our.path
    for our, their in zip(ours.non_trainable_variables, theirs.non_trainable_variables, strict=True):
        assert np.allclose(our.numpy(), their.numpy(), atol=1e-6), our.path
    with torch.no_grad():  # inference without gradients is computed by another function
        assert torch.allclose(graph.run(our_images, ForwardPass()), theirs(their_images, training=False), atol=1e-5)


def test_what_is_computed_as_one() -> None:
    """The chains of StridedNet's kind of stage, and what breaks them."""

    def names(*stack: Any) -> list[list[str]]:
        model = keras.Sequential([layers.Input((9, 9, 3)), *stack, layers.Flatten()])
        return [
            [node.operation.name for node in chain.nodes]
            for chain in chains(nodes_in_order(model), id(model.outputs[0]))
        ]

    def stage(relu: Any, drop: Any) -> list[Any]:
        return [layers.Conv2D(4, 3, name="conv"), relu, layers.BatchNormalization(name="norm"), drop]

    relu, drop = layers.ReLU(name="relu"), layers.Dropout(0.1, name="drop")
    assert names(*stage(relu, drop))[:-1] == [["conv"], ["relu", "norm", "drop"]]
    tanh, noisy = layers.Activation("tanh", name="tanh"), layers.Dropout(0.1, noise_shape=(None, 1, 1, 4), name="noisy")
    assert names(*stage(tanh, noisy))[:-1] == [["conv", "tanh"], ["norm"], ["noisy"]]

    inputs = layers.Input((9, 9, 3))
    shared = layers.ReLU(name="shared")(layers.Conv2D(4, 3, name="conv")(inputs))
    outputs = layers.Add(name="add")([layers.BatchNormalization(name="norm")(shared), shared])
    model = keras.Model(inputs, outputs)
    found = [[node.operation.name for node in chain.nodes] for chain in chains(nodes_in_order(model), id(outputs))]
    assert found == [["conv"], ["shared"], ["norm"], ["add"]]


def _forward() -> ForwardPass:
    return ForwardPass(training=True, masks=Masks(Backend.choose("float32")))


def _mask(x: torch.Tensor, rate: float, forward: ForwardPass, seed: int = 5) -> torch.Tensor:
    """Return the mask that the next dropout will draw."""
    assert forward.masks is not None
    forward.masks.seed(seed)
    mask = forward.masks.draw(x, rate)
    forward.masks.seed(seed)
    return mask


def _block(channels: int, dtype: torch.dtype, around: Around) -> tuple[Any, WorkingCopy, Any]:
    layer = layers.BatchNormalization()
    model = keras.Sequential([layers.Input((5, 5, channels)), layer])
    rng = np.random.default_rng(0)
    layer.set_weights([rng.uniform(0.5, 1.5, channels) for _ in range(4)])
    weights = WorkingCopy(Parameters(model), dtype)
    backend = Backend.choose("float32" if dtype == torch.float32 else "bfloat16")
    return build_block(LayerContext(layer, weights, backend), around), weights, layer


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("channels", [1, 3, 16, 100, 300])
def test_dropout_behind_it_drops_and_grows(channels: int, dtype: torch.dtype) -> None:
    forward = _forward()
    plain, *_ = _block(channels, dtype, Around(relu_after=True))
    block, weights, layer = _block(channels, dtype, Around(relu_after=True, dropout=0.25))
    x = _images((8, 5, 5, channels)).to(dtype).requires_grad_()
    expected = plain(x, forward).detach().float() / 0.75
    kept = _mask(x, 0.25, forward)
    found = block(x, forward)
    assert found.dtype == dtype
    assert torch.allclose(found.float(), expected * kept, rtol=0.01 if dtype == torch.bfloat16 else 1e-5, atol=1e-6)
    found.sum().backward()
    # The offset's gradient counts what came through: neither cut by the ReLU nor dropped.
    through = ((expected * kept) > 0).sum((0, 1, 2)) / 0.75
    of_offset = weights.full(layer.beta).grad
    assert torch.allclose(of_offset, through, rtol=0.01 if dtype == torch.bfloat16 else 1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("channels", [1, 3, 100, 300])
@pytest.mark.parametrize("relu_before", [True, False])
@pytest.mark.parametrize("relu_after", [True, False])
def test_all_of_it_has_the_gradients_of_float64(
    channels: int, dtype: torch.dtype, relu_before: bool, relu_after: bool
) -> None:
    forward = _forward()
    block, weights, layer = _block(channels, dtype, Around(relu_before, relu_after, 0.25))
    x = _images((8, 5, 5, channels)).to(dtype).requires_grad_()
    direction = torch.from_numpy(np.random.default_rng(2).normal(size=x.shape)).to(dtype)
    kept = _mask(x, 0.25, forward)
    (block(x, forward) * direction).sum().backward()

    exact = x.detach().double().requires_grad_()
    scale, offset = (weights.full(part).detach().double().requires_grad_() for part in (layer.gamma, layer.beta))
    y = torch.relu(exact) if relu_before else exact
    y = nn.batch_norm(y.reshape(-1, channels), None, None, scale, offset, True, 0.0, layer.epsilon).view_as(exact)
    y = torch.relu(y) if relu_after else y
    (y * kept / 0.75 * direction).sum().backward()
    relative, absolute = (0.03, 0.03) if dtype == torch.bfloat16 else (1e-5, 0.0)  # sums of signed values, rounded each
    of_scale, of_offset = (weights.full(part).grad for part in (layer.gamma, layer.beta))
    for found, expected in ((x.grad, exact.grad), (of_scale, scale.grad), (of_offset, offset.grad)):
        assert float((found.double() - expected).norm()) <= relative * float(expected.norm()) + absolute


def test_statistics_are_exact_far_from_zero() -> None:
    block, _, layer = _block(3, torch.float32, Around())
    forward = _forward()
    layer.momentum = 0.0
    x = torch.from_numpy(np.random.default_rng(0).normal(1000.0, 0.5, (32, 40, 40, 3)).astype(np.float32))
    block(x, forward)
    exact = x.double().numpy().reshape(-1, 3)
    assert np.allclose(layer.moving_mean.numpy(), exact.mean(0), rtol=1e-6)
    assert np.allclose(layer.moving_variance.numpy(), exact.var(0), rtol=1e-3)


def test_what_is_no_number_stays_none() -> None:
    for dtype in (torch.float32, torch.bfloat16):
        block, *_ = _block(4, dtype, Around(relu_before=True, relu_after=True))
        forward = _forward()
        x = _images((2, 5, 5, 4)).to(dtype)
        x[1, 2, 3, 0] = float("nan")
        found = block(x, forward)
        assert found[..., 0].isnan().all()
        assert not found[..., 1:].isnan().any()


# PyTorch's own sums depend on the number of threads.
@pytest.mark.parametrize("implementation", ["compiled"], indirect=True)
def test_threads_change_nothing_when_compiled() -> None:
    def results() -> list[torch.Tensor]:
        forward = _forward()
        block, weights, _ = _block(24, torch.bfloat16, Around(relu_before=True, dropout=0.3))
        x = _images((16, 20, 20, 24)).bfloat16().requires_grad_()
        y = block(x, forward)
        (y.float() ** 2).sum().backward()
        return [y.detach(), x.grad, *(leaf.grad for leaf in weights.leaves)]

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = results()
        torch.set_num_threads(2)
        together = results()
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(one, two) for one, two in zip(alone, together, strict=True))
