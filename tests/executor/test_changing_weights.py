"""Layers that change their own weights in each call of a training."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from small_trainings import batches_of_noise, equals_fit

from stridednet.executor.backend import Backend
from stridednet.executor.schedule import Schedule
from stridednet.executor.trainer import Trainer
from stridednet.settings import OptimizerSettings


def _called_twice(make: Callable[[], Any]) -> keras.Model:
    keras.utils.set_random_seed(0)
    inputs = layers.Input((16, 16, 3))
    normalized = layers.SpectralNormalization(make())
    x = normalized(normalized(layers.Rescaling(1 / 255)(inputs)))
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling2D()(x)))


@pytest.mark.parametrize("kernel_size", [1, 3])
def test_a_spectrally_normalized_convolution_that_is_called_twice(kernel_size: int) -> None:
    equals_fit(lambda: _called_twice(lambda: layers.Conv2D(3, kernel_size, padding="same")))


def test_a_spectrally_normalized_dense_layer_equals_a_convolution_of_one_pixel() -> None:
    # Keras' own training of the dense layer fails, since it has changed the kernel before the backward pass.
    dense, convolution = _called_twice(lambda: layers.Dense(3)), _called_twice(lambda: layers.Conv2D(3, 1))
    shapes = [weights.shape for weights in convolution.get_weights()]
    convolution.set_weights([w.reshape(shape) for w, shape in zip(dense.get_weights(), shapes, strict=True)])
    for model in (dense, convolution):
        trainer = Trainer(model, Schedule(OptimizerSettings(learning_rate=0.01), 1, 4), Backend.choose("float32"))
        for batch in batches_of_noise(3, 8, 16):
            trainer.train_batch(batch)
    for ours, theirs in zip(dense.get_weights(), convolution.get_weights(), strict=True):
        assert np.allclose(ours.ravel(), theirs.ravel(), atol=1e-5)
