from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
from keras import layers

from stridednet.errors import InputError, ModelError
from stridednet.executor.backend import Backend
from stridednet.executor.predictor import Predictor
from stridednet.executor.schedule import Schedule
from stridednet.executor.trainer import Trainer
from stridednet.models.catalogue import build_model
from stridednet.recipe import Recipe


def _model(name: str = "stridednet") -> keras.Model:
    keras.utils.set_random_seed(0)
    settings = {"model.name": name, "model.filters": [8, 16]}
    model = build_model(Recipe().replace(settings).model, 24, 3)
    rng = np.random.default_rng(1)
    for variable in model.non_trainable_variables:  # moving statistics that normalize by something
        if "moving" in variable.name:
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    return model


def _with_a_layer_of_keras() -> keras.Model:
    keras.utils.set_random_seed(0)
    image = layers.Input((24, 24, 3))
    x = layers.Conv2D(4, 3, activity_regularizer="l2")(layers.Rescaling(1 / 255)(image))
    x = layers.ActivityRegularization(0.1)(layers.LayerNormalization()(x))
    x = layers.Dropout(0.5)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(image, layers.Dense(3, activation="softmax")(x))


def _images(count: int = 150) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 24, 24, 3), np.uint8)


@pytest.mark.usefixtures("implementation")
@pytest.mark.parametrize("name", ["stridednet", "residual", "inception"])
def test_predictions_are_keras(name: str) -> None:
    model, images = _model(name), _images()
    expected = model.predict(images, verbose=0)
    predictor = Predictor(model)
    assert np.allclose(predictor.predict(images), expected, atol=1e-5)
    assert np.allclose(predictor.predict(images, batch_size=7), expected, atol=1e-5)
    assert predictor.predict(images[:0]).shape == (0, 3)
    assert np.allclose(predictor.predict(images[::-1]), expected[::-1], atol=1e-5)  # not contiguous


def test_the_model_is_left_as_it_is() -> None:
    model, images = _model(), _images(20)
    tensors = [variable.value.data_ptr() for variable in model.variables]
    predictor = Predictor(model)
    before = predictor.predict(images)
    assert [variable.value.data_ptr() for variable in model.variables] == tensors
    # A training of the same model later changes nothing here.
    Trainer(model, Schedule(Recipe().optimizer, 1, 1), Backend.choose("float32"))
    for variable in model.variables:
        variable.assign(variable.value * 0)
    assert np.array_equal(predictor.predict(images), before)


def test_a_trainers_predictions_follow_the_training_and_a_predictors_do_not() -> None:
    from stridednet.data.batches import Batch

    model = _model()
    batch = Batch(_images(16), np.eye(3, dtype=np.float32)[np.arange(16) % 3])
    trainer = Trainer(model, Schedule(Recipe().optimizer, 1, 1), Backend.choose("float32"))
    fixed = Predictor(model)
    before = trainer.predict([batch])
    assert np.allclose(fixed.predict(batch.images), before, atol=1e-6)
    trainer.train_batch(batch)
    assert not np.allclose(trainer.predict([batch]), before, atol=1e-6)
    assert np.allclose(fixed.predict(batch.images), before, atol=1e-6)


@pytest.mark.usefixtures("implementation")
@pytest.mark.parametrize("build", [_model, _with_a_layer_of_keras])
def test_threads_share_a_predictor(build: Callable[[], keras.Model]) -> None:
    predictor = Predictor(build())
    parts = [_images(seed + 1) for seed in range(24)]
    expected = [predictor.predict(part) for part in parts]
    with ThreadPoolExecutor(8) as pool:
        for found, wanted in zip(pool.map(predictor.predict, parts), expected, strict=True):
            assert np.allclose(found, wanted, atol=1e-6)


@pytest.mark.parametrize("shape", [(24, 24, 3), (2, 20, 24, 3), (2, 24, 24, 1), (2, 24, 24)])
def test_images_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"images: the model takes arrays of shape \(n, 24, 24, 3\)\. Received: \("):
        Predictor(_model()).predict(np.zeros(shape, np.uint8))


def test_a_model_with_two_outputs_is_refused() -> None:
    image = layers.Input((8, 8, 3))
    x = layers.Flatten()(image)
    with pytest.raises(ModelError, match="one input and one output"):
        Predictor(keras.Model(image, [layers.Dense(2)(x), layers.Dense(2)(x)]))
