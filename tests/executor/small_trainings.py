"""Small trainings that tests of the executor share, and their comparison with Keras' own ``fit``."""

from collections.abc import Callable
from typing import Any

import stridednet  # noqa: F401  -- before keras, to choose its backend

import keras  # isort: skip
import numpy as np
import pytest
from keras import layers

from stridednet.data.batches import Batch
from stridednet.executor.backend import Backend
from stridednet.executor.schedule import Schedule
from stridednet.executor.scores import RunningScores
from stridednet.executor.trainer import Trainer
from stridednet.settings import OptimizerSettings


def batches_of_noise(count: int = 4, size: int = 8, side: int = 24) -> list[Batch]:
    rng = np.random.default_rng(0)
    return [
        Batch(
            rng.integers(0, 256, (size, side, side, 3), np.uint8),
            np.eye(3, dtype=np.float32)[rng.integers(0, 3, size)],
        )
        for _ in range(count)
    ]


def joined(batches: list[Batch]) -> tuple[np.ndarray, np.ndarray]:
    return np.concatenate([b.images for b in batches]), np.concatenate([b.targets for b in batches])


def equals_fit(build: Callable[[], keras.Model], precision: Any = "float32") -> Trainer:
    """Train natively and with `fit`, and compare losses, accuracies and predictions."""
    batches = batches_of_noise(3, 8, 16)
    images, targets = joined(batches)
    theirs = build()
    theirs.compile(keras.optimizers.Adam(1e-4), loss="categorical_crossentropy", metrics=["accuracy"])
    fitted = theirs.fit(images, targets, batch_size=8, shuffle=False, verbose=0).history
    ours = Trainer(build(), Schedule(OptimizerSettings(learning_rate=1e-4, decay=0.0), 1, 4), Backend.choose(precision))
    running = RunningScores()
    for batch in batches:
        running.add(ours.train_batch(batch), len(batch.images))
    rough = 1 if precision == "float32" else 10
    assert running.mean().loss == pytest.approx(float(fitted["loss"][0]), rel=2e-4 * rough)
    assert running.mean().accuracy == pytest.approx(float(fitted["accuracy"][0]), abs=0.001 * rough)
    assert np.allclose(ours.predict(batches), theirs.predict(images, verbose=0), atol=5e-3 * rough)
    assert np.allclose(ours.predict(batches), ours.model.predict(images, verbose=0), atol=1e-4)
    return ours


def small_model(*middle: Any, last: str | None = "softmax") -> keras.Model:
    keras.utils.set_random_seed(0)
    first = [layers.Input((16, 16, 3)), layers.Rescaling(1 / 255), layers.Conv2D(6, 3)]
    return keras.Sequential([*first, *middle, layers.GlobalAveragePooling2D(), layers.Dense(3, activation=last)])
