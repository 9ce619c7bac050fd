import keras
import numpy as np
import pytest

from stridednet.data.batches import Batch
from stridednet.errors import RunError
from stridednet.models.catalogue import build_model
from stridednet.recipe import Recipe
from stridednet.training.executor import KerasExecutor, RunningScores, Scores
from stridednet.training.optimizer import build_optimizer

RECIPE = Recipe().replace({"model.dropout": 0.0, "model.dense_dropout": 0.0, "model.filters": [8, 8]})


def _executor(recipe: Recipe = RECIPE) -> KerasExecutor:
    keras.utils.set_random_seed(0)
    return KerasExecutor(build_model(recipe.model, 24, 3), build_optimizer(recipe.optimizer, 2))


def _batches(count: int = 4, size: int = 8) -> list[Batch]:
    rng = np.random.default_rng(0)
    return [
        Batch(
            rng.integers(0, 256, (size, 24, 24, 3), np.uint8),
            np.eye(3, dtype=np.float32)[rng.integers(0, 3, size)],
        )
        for _ in range(count)
    ]


def test_a_training_equals_keras_fit() -> None:
    batches = _batches()
    ours, theirs = _executor(), _executor()
    running = RunningScores()
    for batch in batches:
        running.add(ours.train_batch(batch), len(batch.images))
    images = np.concatenate([batch.images for batch in batches])
    targets = np.concatenate([batch.targets for batch in batches])
    fitted = theirs.model.fit(images, targets, batch_size=8, shuffle=False, verbose=0).history
    assert running.mean() == pytest.approx((float(fitted["loss"][0]), float(fitted["accuracy"][0])), rel=1e-5)
    for our, their in zip(ours.model.get_weights(), theirs.model.get_weights(), strict=True):
        assert np.allclose(our, their, atol=1e-6)
    evaluated = theirs.model.evaluate(images, targets, batch_size=8, verbose=0)
    assert ours.evaluate(batches) == pytest.approx(evaluated, rel=1e-4)
    assert np.allclose(ours.predict(batches), theirs.model.predict(images, verbose=0), atol=1e-5)
    assert ours.learning_rate() == pytest.approx(1e-4 / (1 + 1e-4 / 2 * 4), rel=1e-6)


def test_a_restored_state_goes_on_as_if_nothing_had_happened() -> None:
    recipe = RECIPE.replace({"model.dropout": 0.3})
    batches = _batches()
    straight, first = _executor(recipe), _executor(recipe)
    for executor in (straight, first):
        executor.start_epoch(1)
        for batch in batches:
            executor.train_batch(batch)
    state = first.state()
    second = _executor(recipe)
    second.train_batch(batches[0])
    second.restore(state)
    for executor in (straight, second):
        executor.start_epoch(2)
        for batch in batches:
            executor.train_batch(batch)
    after = second.state()
    assert any(not np.array_equal(state[name], after[name]) for name in state)
    for name, value in straight.state().items():
        assert np.array_equal(value, after[name]), name


def test_another_models_state_is_refused() -> None:
    with pytest.raises(RunError, match="belongs to another model"):
        _executor(RECIPE.replace({"model.filters": [8, 16]})).restore(_executor().state())


def test_scores_weigh_images_not_batches() -> None:
    running = RunningScores()
    running.add(Scores(1.0, 1.0), 30)
    running.add(Scores(3.0, 0.0), 10)
    assert running.images == 40
    assert running.mean() == Scores(1.5, 0.75)
