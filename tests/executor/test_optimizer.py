from typing import Any

import keras
import numpy as np
import pytest
import torch

from stridednet.executor.backend import Backend
from stridednet.executor.optimizer import Optimizer
from stridednet.executor.parameters import Parameters, WorkingCopy
from stridednet.executor.schedule import Schedule
from stridednet.settings import OptimizerSettings

pytestmark = pytest.mark.usefixtures("implementation")


def _model() -> keras.Model:
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.layers.Input((6,)), keras.layers.Dense(5)])


class _Ours:
    """A model and the optimizer that is looked at."""

    def __init__(self, settings: OptimizerSettings, epochs: int, steps: int) -> None:
        self.model = _model()
        parameters = Parameters(self.model)
        self.weights = WorkingCopy(parameters, torch.float32)
        self.optimizer = Optimizer(Schedule(settings, epochs, steps), parameters, Backend.choose("float32"))

    def step(self, gradients: list[np.ndarray]) -> float:
        for variable, gradient in zip(self.model.variables, gradients, strict=True):
            self.weights.tensor(variable).grad = torch.from_numpy(gradient)
        with torch.no_grad():
            return float(self.optimizer.step(self.weights))


def _assert_same_step(ours: _Ours, reference: Any, theirs: keras.Model, gradients: list[np.ndarray]) -> None:
    ours.step(gradients)
    reference.apply([torch.from_numpy(gradient) for gradient in gradients], theirs.trainable_variables)
    for our, their in zip(ours.model.get_weights(), theirs.get_weights(), strict=True):
        assert np.allclose(our, their, atol=1e-5)


def test_the_steps_are_those_of_keras_adam_with_the_former_decay() -> None:
    ours, theirs = _Ours(OptimizerSettings(learning_rate=0.01, decay=0.5), 4, 5), _model()
    reference = keras.optimizers.Adam(
        keras.optimizers.schedules.InverseTimeDecay(0.01, decay_steps=1, decay_rate=0.5 / 4)
    )
    rng = np.random.default_rng(0)
    for step in range(20):
        assert ours.optimizer.rate() == pytest.approx(0.01 / (1 + 0.5 / 4 * step))
        # Tiny gradients too, where epsilon counts.
        gradients = [
            (rng.normal(size=v.shape) * 10.0 ** rng.integers(-8, 1)).astype(np.float32) for v in theirs.variables
        ]
        _assert_same_step(ours, reference, theirs, gradients)


def test_adam_takes_the_papers_first_step() -> None:
    ours = _Ours(OptimizerSettings(learning_rate=1e-3, decay=0.0), 1, 1)
    before = ours.model.get_weights()
    ours.step([np.full_like(weights, -0.5) for weights in before])
    # Kingma and Ba 2015, arXiv:1412.6980: with corrected moments the first step is the rate, against the sign.
    assert ours.model.get_weights()[0] == pytest.approx(before[0] + 1e-3, abs=1e-6)


def test_adamw_decays_kernels_and_nothing_else_as_keras_does() -> None:
    settings = OptimizerSettings(name="adamw", learning_rate=0.01, decay=0.0, weight_decay=0.3, beta_2=0.9)
    ours, theirs = _Ours(settings, 1, 20), _model()
    reference = keras.optimizers.AdamW(0.01, weight_decay=0.3, beta_2=0.9)
    reference.exclude_from_weight_decay(var_names=["bias"])
    rng = np.random.default_rng(0)
    for model in (ours.model, theirs):
        model.variables[1].assign(np.ones(5, np.float32))
    for _ in range(20):
        gradients = [rng.normal(size=v.shape).astype(np.float32) for v in theirs.variables]
        _assert_same_step(ours, reference, theirs, gradients)


def test_regularizers_are_in_the_step_and_in_the_loss() -> None:
    model = _model()
    model.layers[0].kernel.regularizer = keras.regularizers.L1L2(0.01, 0.1)
    kernel, bias = model.get_weights()
    parameters = Parameters(model)
    weights = WorkingCopy(parameters, torch.bfloat16)
    optimizer = Optimizer(
        Schedule(OptimizerSettings(learning_rate=1e-3, decay=0.0), 1, 1), parameters, Backend.choose("float32")
    )
    with torch.no_grad():
        penalty = float(optimizer.step(weights))  # no other gradients
    assert penalty == pytest.approx(0.01 * np.abs(kernel).sum() + 0.1 * (kernel**2).sum(), rel=1e-5)
    first = optimizer.state()["optimizer/exp_avg"]
    moment = parameters.view(torch.from_numpy(first), model.layers[0].kernel).numpy()
    assert np.allclose(moment, 0.1 * (0.01 * np.sign(kernel) + 0.2 * kernel), atol=1e-7)
    after, bias_after = model.get_weights()
    assert np.allclose(after, kernel - 1e-3 * np.sign(kernel), atol=1e-6)
    assert np.array_equal(bias_after, bias)
    # The working copy has followed.
    copy = parameters.view(weights.flat, model.layers[0].kernel)
    assert torch.equal(copy, torch.from_numpy(after).bfloat16())


def test_a_kernel_of_a_convolution_and_its_gradient_may_lie_in_another_order() -> None:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, use_bias=False)])
    before = model.get_weights()[0]
    parameters = Parameters(model)
    weights = WorkingCopy(parameters, torch.float32)
    optimizer = Optimizer(
        Schedule(OptimizerSettings(learning_rate=1e-3, decay=0.0), 1, 1), parameters, Backend.choose("float32")
    )
    gradient = np.random.default_rng(0).normal(size=before.shape).astype(np.float32)
    weights.leaves[0].grad = torch.from_numpy(gradient)  # rows first, unlike the leaf
    with torch.no_grad():
        optimizer.step(weights)
    assert np.allclose(model.get_weights()[0], before - 1e-3 * np.sign(gradient), atol=1e-6)
