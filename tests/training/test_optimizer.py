from typing import Any

import keras
import numpy as np
import pytest
import torch

from stridednet.settings import OptimizerSettings
from stridednet.training.optimizer import Optimizer
from stridednet.training.parameters import Parameters
from stridednet.training.schedule import Schedule


def _model() -> keras.Model:
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.layers.Input((6,)), keras.layers.Dense(5)])


def _assert_same_step(
    optimizer: Optimizer, parameters: Parameters, ours: keras.Model, reference: Any, theirs: keras.Model,
    gradients: list[np.ndarray],
) -> None:  # fmt: skip
    for variable, gradient in zip(ours.variables, gradients, strict=True):
        parameters.view(parameters.grad, variable).copy_(torch.from_numpy(gradient))
    optimizer.step()
    reference.apply([torch.from_numpy(gradient) for gradient in gradients], theirs.trainable_variables)
    for our, their in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        assert np.allclose(our, their, atol=1e-5)


def test_the_steps_are_those_of_keras_adam_with_the_former_decay() -> None:
    ours, theirs = _model(), _model()
    parameters = Parameters(ours)
    optimizer = Optimizer(Schedule(OptimizerSettings(learning_rate=0.01, decay=0.5), 4, 5), parameters)
    reference = keras.optimizers.Adam(
        keras.optimizers.schedules.InverseTimeDecay(0.01, decay_steps=1, decay_rate=0.5 / 4)
    )
    rng = np.random.default_rng(0)
    for step in range(20):
        assert optimizer.rate() == pytest.approx(0.01 / (1 + 0.5 / 4 * step))
        # Tiny gradients too, where epsilon counts.
        gradients = [rng.normal(size=v.shape).astype(np.float32) * 10.0 ** rng.integers(-8, 1) for v in ours.variables]
        _assert_same_step(optimizer, parameters, ours, reference, theirs, gradients)


def test_adam_takes_the_papers_first_step() -> None:
    model = _model()
    before = model.get_weights()[0]
    parameters = Parameters(model)
    parameters.grad.fill_(-0.5)
    Optimizer(Schedule(OptimizerSettings(learning_rate=1e-3, decay=0.0), 1, 1), parameters).step()
    # Kingma and Ba 2015, arXiv:1412.6980: with corrected moments the first step is the rate, against the sign.
    assert model.get_weights()[0] == pytest.approx(before + 1e-3, abs=1e-6)


def test_adamw_decays_kernels_and_nothing_else_as_keras_does() -> None:
    ours, theirs = _model(), _model()
    parameters = Parameters(ours)
    settings = OptimizerSettings(name="adamw", learning_rate=0.01, decay=0.0, weight_decay=0.3, beta_2=0.9)
    optimizer = Optimizer(Schedule(settings, 1, 20), parameters)
    reference = keras.optimizers.AdamW(0.01, weight_decay=0.3, beta_2=0.9)
    reference.exclude_from_weight_decay(var_names=["bias"])
    rng = np.random.default_rng(0)
    for model in (ours, theirs):
        model.variables[1].assign(np.ones(5, np.float32))
    for _ in range(20):
        gradients = [rng.normal(size=v.shape).astype(np.float32) for v in ours.variables]
        _assert_same_step(optimizer, parameters, ours, reference, theirs, gradients)
