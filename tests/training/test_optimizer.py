import keras
import numpy as np
import pytest

from stridednet.recipe import Recipe
from stridednet.training.optimizer import build_optimizer


def test_the_rate_decays_as_in_the_former_keras_optimizers() -> None:
    optimizer = build_optimizer(Recipe().optimizer, epochs=50)
    variable = keras.Variable(np.zeros(3, np.float32))
    optimizer.build([variable])
    rates = []
    for _ in range(5):
        rates.append(float(optimizer.learning_rate))
        optimizer.apply([keras.ops.ones(3)], [variable])
    assert rates == pytest.approx([1e-4 / (1 + 1e-4 / 50 * step) for step in range(5)], rel=1e-6)


def test_adam_takes_the_papers_first_step() -> None:
    optimizer = build_optimizer(Recipe().replace({"optimizer.decay": 0.0}).optimizer, epochs=1)
    variable = keras.Variable(np.array([1.0, -2.0], np.float32))
    optimizer.build([variable])
    optimizer.apply([keras.ops.convert_to_tensor([3.0, -0.5])], [variable])
    # Kingma and Ba 2015, arXiv:1412.6980: with corrected moments the first step is the rate, against the sign.
    assert variable.value.detach().numpy() == pytest.approx([1.0 - 1e-4, -2.0 + 1e-4], abs=1e-7)
