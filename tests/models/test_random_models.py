"""Whatever Keras model a person has: descriptions, predictions and training steps of random ones.

``STRIDEDNET_FUZZ=300`` raises the number of models, ``STRIDEDNET_FUZZ_SEED=17`` repeats a single one.
"""

import json
import os

import stridednet  # noqa: F401  -- before keras, to choose its backend

import keras  # isort: skip
import numpy as np
import pytest

from random_models import CLASSES, RandomModel
from stridednet.cli.summary import _numbers, _print_findings, _print_layers
from stridednet.conv2d.advice import advise
from stridednet.data.batches import Batch
from stridednet.drawing.diagram_boxes import boxes_of
from stridednet.drawing.diagram_layout import lay_out
from stridednet.errors import ModelError, StridedNetError
from stridednet.executor.backend import Backend
from stridednet.executor.predictor import Predictor
from stridednet.executor.schedule import Schedule
from stridednet.executor.trainer import Trainer
from stridednet.models.description import describe
from stridednet.settings import OptimizerSettings

_AT_ONCE = 5
_STEPS = 2
_MODELS = int(os.environ.get("STRIDEDNET_FUZZ", "15"))
_SEED = os.environ.get("STRIDEDNET_FUZZ_SEED")
_STARTS = [int(_SEED)] if _SEED else range(0, _MODELS, _AT_ONCE)


@pytest.mark.parametrize("start", _STARTS)
@pytest.mark.filterwarnings("ignore")
def test_random_models(start: int) -> None:
    seeds = [start] if _SEED else range(start, min(start + _AT_ONCE, _MODELS))
    failures = []
    for seed in seeds:
        keras.utils.set_random_seed(seed)
        try:
            model = RandomModel(seed).build()
        except (NotImplementedError, ValueError):  # Keras itself rejects the combination
            continue
        for check in (_check_description, _check_predictions, _check_training):
            try:
                check(model, seed)
            except Exception as error:  # noqa: BLE001  -- each is reported with its seed
                text = " ".join(f"{type(error).__name__}: {error}".split())[:400]
                layers = [type(layer).__name__ for layer in model.layers[1:]]
                failures.append(f"STRIDEDNET_FUZZ_SEED={seed}: {check.__name__}: {text}\n    {layers}")
    assert not failures, "\n".join(failures)


def _check_description(model: keras.Model, _seed: int) -> None:
    """What ``summary`` does: only a `ModelError` may come of it."""
    try:
        network = describe(model)
    except ModelError:
        return
    assert network.parameters == model.count_params()
    findings = advise(network)
    json.dumps(_numbers(network, findings))
    _print_layers(network)
    _print_findings(findings)
    lay_out(boxes_of(network))


def _images(model: keras.Model, seed: int, count: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, *model.input_shape[1:]), np.uint8)


def _check_predictions(model: keras.Model, seed: int) -> None:
    """`Predictor` agrees with Keras' own predictions, as far as the precision of its layers allows."""
    images = _images(model, seed)
    theirs = model.predict(images.astype(np.float32), verbose=0).astype(np.float32)
    ours = Predictor(model).predict(images)
    types = {str(layer.compute_dtype) for layer in model._flatten_layers() if hasattr(layer, "compute_dtype")}
    tolerance = 5e-2 if types & {"float16", "bfloat16"} else 2e-4
    if np.isfinite(theirs).all():
        assert np.abs(ours - theirs).max() < tolerance, (ours, theirs)


def _check_training(model: keras.Model, seed: int) -> None:
    """A training step works and leaves finite weights, or raises a `StridedNetError`."""
    images = _images(model, seed)
    targets = np.eye(CLASSES, dtype=np.float32)[np.arange(len(images)) % CLASSES]
    try:
        trainer = Trainer(model, Schedule(OptimizerSettings(), 2, 4), Backend.choose("float32"))
        trainer.start_epoch(seed)
        for _ in range(_STEPS):
            trainer.train_batch(Batch(images, targets))
        scores = trainer.evaluate([Batch(images, targets)])
        probabilities = trainer.predict([Batch(images, targets)])
    except StridedNetError:
        return
    narrow = any("float16" in str(layer.compute_dtype) for layer in model._flatten_layers())
    is_finite = _has_finite_weights(model) and bool(np.isfinite([scores.loss, *probabilities.ravel()]).all())
    # Keras' own training of some models ends in NaN as well; `training.loop` reports that.
    assert is_finite or narrow or not _is_finite_in_keras(seed, images, targets)


def _has_finite_weights(model: keras.Model) -> bool:
    values = (keras.ops.convert_to_numpy(keras.ops.cast(variable.value, "float64")) for variable in model.variables)
    return all(np.isfinite(value).all() for value in values)


def _is_finite_in_keras(seed: int, images: np.ndarray, targets: np.ndarray) -> bool:
    keras.utils.set_random_seed(seed)
    model = RandomModel(seed).build()
    model.compile(keras.optimizers.Adam(1e-4), "categorical_crossentropy")
    for _ in range(_STEPS):
        model.train_on_batch(images.astype(np.float32), targets)
    return _has_finite_weights(model)
