"""Layers of other types than float32."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from small_trainings import batches_of_noise, joined, small_model

from stridednet.executor.backend import Backend
from stridednet.executor.schedule import Schedule
from stridednet.executor.scores import RunningScores
from stridednet.executor.trainer import Trainer
from stridednet.settings import OptimizerSettings


@pytest.mark.usefixtures("implementation")
@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16", "mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize(
    "make",
    [
        lambda dtype: [layers.BatchNormalization(dtype=dtype)],
        lambda dtype: [layers.Conv2D(4, 3, dtype=dtype, activation="relu"), layers.BatchNormalization()],
        lambda dtype: [layers.Conv2D(4, 3, dtype=dtype, kernel_constraint="unit_norm", kernel_regularizer="l2")],
        lambda dtype: [layers.Dense(4, dtype=dtype), layers.ReLU(dtype=dtype), layers.BatchNormalization(dtype=dtype)],
    ],
)
def test_layers_of_another_type_train_as_keras_trains_them(make: Callable[[str], list[Any]], dtype: str) -> None:
    batches = batches_of_noise(3, 8, 16)
    images, targets = joined(batches)
    theirs = small_model(*make(dtype))
    theirs.compile(keras.optimizers.SGD(0.0), loss="categorical_crossentropy", metrics=["accuracy"])
    fitted = theirs.fit(images, targets, batch_size=8, shuffle=False, verbose=0).history
    settings = OptimizerSettings(learning_rate=1e-4, decay=0.0)
    trainer = Trainer(small_model(*make(dtype)), Schedule(settings, 1, 4), Backend.choose("float32"))
    types = [variable.value.dtype for variable in trainer.model.variables]
    before = trainer.model.get_weights()
    running = RunningScores()
    for batch in batches:
        running.add(trainer.train_batch(batch), 8)
    # Three small steps hardly change the loss; a wrong pointer or a wrong type would.
    assert running.mean().loss == pytest.approx(float(fitted["loss"][0]), rel=0.05)
    assert [variable.value.dtype for variable in trainer.model.variables] == types
    after = trainer.model.get_weights()
    assert all(np.isfinite(weights.astype(np.float64)).all() for weights in after)
    assert sum(not np.array_equal(a, b) for a, b in zip(before, after, strict=True)) > len(after) // 2
    found = trainer.predict(batches)
    assert np.allclose(found, trainer.model.predict(images, verbose=0).astype(np.float32), atol=0.02)
    restored = Trainer(small_model(*make(dtype)), Schedule(settings, 1, 4), Backend.choose("float32"))
    restored.restore(trainer.state())
    assert np.allclose(restored.predict(batches), found, atol=1e-3)
