"""The loss with class weights equals that of Keras' ``fit`` with ``class_weight``."""

import keras
import numpy as np
import pytest
import torch
from keras import layers
from sklearn.utils.class_weight import compute_class_weight
from small_trainings import batches_of_noise, joined, small_model

from stridednet.data.balance import balanced_weights
from stridednet.data.batches import Batch
from stridednet.executor.backend import Backend
from stridednet.executor.schedule import Schedule
from stridednet.executor.scores import RunningScores
from stridednet.executor.trainer import Trainer
from stridednet.settings import OptimizerSettings

OPTIMIZER = OptimizerSettings(learning_rate=1e-3, decay=0.0)


def _model() -> keras.Model:
    return small_model(layers.Activation("silu"))


@pytest.mark.usefixtures("implementation")
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_a_training_equals_keras_fit(label_smoothing: float) -> None:
    batches = batches_of_noise(4, 8, 16)
    images, targets = joined(batches)
    truth = targets.argmax(axis=1)
    balanced = compute_class_weight("balanced", classes=np.unique(truth), y=truth)
    assert np.allclose(balanced_weights(targets), balanced)
    weights = (balanced * [0.2, 1, 4]).astype(np.float32)
    theirs = _model()
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=label_smoothing)
    theirs.compile(keras.optimizers.Adam(OPTIMIZER.learning_rate), loss, metrics=["accuracy"])
    class_weight = dict(enumerate(weights.tolist()))
    fitted = theirs.fit(images, targets, batch_size=8, shuffle=False, verbose=0, class_weight=class_weight).history
    ours = Trainer(_model(), Schedule(OPTIMIZER, 1, 4), Backend.choose("float32"), label_smoothing, weights)
    ours.start_epoch(0)
    running = RunningScores()
    for batch in batches:
        running.add(ours.train_batch(batch), 8)
    assert running.mean().loss == pytest.approx(float(fitted["loss"][0]), rel=2e-4)
    assert running.mean().accuracy == pytest.approx(float(fitted["accuracy"][0]))
    for found, expected in zip(ours.model.get_weights(), theirs.get_weights(), strict=True):
        assert np.abs(found - expected).max() < 0.05 * OPTIMIZER.learning_rate
    # Neither weights evaluations.
    evaluated = theirs.evaluate(images, targets, batch_size=8, verbose=0)
    assert ours.evaluate(batches) == pytest.approx([float(value) for value in evaluated], rel=2e-4)


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_a_blended_target_has_the_weights_of_its_classes_by_their_parts(label_smoothing: float) -> None:
    images = batches_of_noise(1, 4, 16)[0].images
    targets = np.float32([[1, 0, 0], [0.25, 0, 0.75], [0.5, 0.5, 0], [0, 0, 1]])  # as mixup makes them
    weights = np.float32([0.5, 1.0, 3.0])
    weight_of_image = [0.5, 0.25 * 0.5 + 0.75 * 3.0, 0.75, 3.0]
    model = _model()
    with torch.no_grad():
        outputs = model(images, training=True).numpy()
    smooth = targets * (1 - label_smoothing) + label_smoothing / 3
    expected = np.mean(-(smooth * np.log(outputs)).sum(axis=1) * weight_of_image)
    ours = Trainer(_model(), Schedule(OPTIMIZER, 1, 1), Backend.choose("float32"), label_smoothing, weights)
    ours.start_epoch(0)
    assert float(ours.train_batch(Batch(images, targets)).loss) == pytest.approx(expected, rel=1e-5)


def test_equal_weights_change_nothing() -> None:
    ours = []
    for weights in (None, np.ones(3, np.float32)):
        trainer = Trainer(_model(), Schedule(OPTIMIZER, 1, 2), Backend.choose("float32"), 0.1, weights)
        trainer.start_epoch(0)
        ours.append([float(trainer.train_batch(batch).loss) for batch in batches_of_noise(2, 8, 16)])
    assert ours[0] == ours[1]
