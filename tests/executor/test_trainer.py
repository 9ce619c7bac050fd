from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import torch
from keras import layers
from small_trainings import batches_of_noise, equals_fit, joined, small_model

from stridednet.errors import RunError
from stridednet.executor.backend import Backend
from stridednet.executor.context import ForwardPass
from stridednet.executor.graph import Graph
from stridednet.executor.masks import Masks
from stridednet.executor.parameters import Parameters, WorkingCopy
from stridednet.executor.schedule import Schedule
from stridednet.executor.scores import BatchScores, RunningScores
from stridednet.executor.trainer import Trainer
from stridednet.models.catalogue import build_model
from stridednet.recipe import Recipe
from stridednet.settings import OptimizerSettings

Make = Callable[[], Any]

RECIPE = Recipe().replace({"model.dropout": 0.0, "model.dense_dropout": 0.0, "precision": "float32"})


def _training() -> ForwardPass:
    return ForwardPass(training=True, masks=Masks(Backend.choose("float32")))


def _score(scores: BatchScores) -> float:
    return float(scores.loss) + float(scores.penalty)


def _trainer(recipe: Recipe = RECIPE, size: int = 24) -> Trainer:
    keras.utils.set_random_seed(0)
    return Trainer(
        build_model(recipe.model, size, 3), Schedule(recipe.optimizer, 2, 4), Backend.choose(recipe.precision)
    )


def _compiled(recipe: Recipe = RECIPE, size: int = 24) -> keras.Model:
    keras.utils.set_random_seed(0)
    model = build_model(recipe.model, size, 3)
    schedule = keras.optimizers.schedules.InverseTimeDecay(
        recipe.optimizer.learning_rate, decay_steps=1, decay_rate=recipe.optimizer.decay / 2
    )
    model.compile(keras.optimizers.Adam(schedule), loss="categorical_crossentropy", metrics=["accuracy"])
    return model


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"model.downsample": "max_pool", "model.stem_padding": "same"},
        {"model.kernel_regularizer": "l1_l2(0.001, 0.01)", "model.bias_regularizer": "l1(0.01)"},
        {"model.activity_regularizer": "l2(0.001)", "model.activation": "gelu"},
        {"model.kernel_constraint": "max_norm(0.9)", "model.bias_constraint": "non_neg"},
        {"model.groups": 4, "model.dilation_rate": 2, "model.use_bias": False},
        {"optimizer.learning_rate": 0.0005, "optimizer.decay": 0.5},
    ],
)
@pytest.mark.usefixtures("implementation")
def test_a_training_equals_keras_fit(settings: dict[str, Any]) -> None:
    recipe = RECIPE.replace({"model.filters": [8, 16]} | settings)
    batches = batches_of_noise()
    ours, theirs = _trainer(recipe), _compiled(recipe)
    running = RunningScores()
    ours.start_epoch(0)
    for batch in batches:
        running.add(ours.train_batch(batch), len(batch.images))
    images, targets = joined(batches)
    fitted = theirs.fit(images, targets, batch_size=8, shuffle=False, verbose=0).history
    assert running.mean().loss == pytest.approx(float(fitted["loss"][0]), rel=2e-4)
    assert running.mean().accuracy == pytest.approx(float(fitted["accuracy"][0]))
    # Adam's first steps have the size of the rate whatever the gradient, so that some weights whose gradient is nought
    # but for rounding go either way; nearly all must agree.
    differences = np.concatenate(
        [np.abs(a - b).ravel() for a, b in zip(ours.model.get_weights(), theirs.get_weights(), strict=True)]
    )
    assert np.mean(differences > 0.05 * recipe.optimizer.learning_rate) < 0.01
    evaluated = theirs.evaluate(images, targets, batch_size=8, verbose=0)
    assert ours.evaluate(batches) == pytest.approx([float(value) for value in evaluated], rel=5e-3)
    assert np.allclose(ours.predict(batches), theirs.predict(images, verbose=0), atol=5e-3)


def test_label_smoothing_is_that_of_keras_loss() -> None:
    batch = batches_of_noise(1)[0]
    keras.utils.set_random_seed(0)
    model = build_model(RECIPE.model, 24, 3)
    with torch.no_grad():
        outputs = model(batch.images, training=True)
        plain = float(keras.losses.categorical_crossentropy(batch.targets, outputs).mean())
        smooth = float(keras.losses.CategoricalCrossentropy(label_smoothing=0.1)(batch.targets, outputs))
        expected = smooth + float(sum(model.losses))
    ours = Trainer(model, Schedule(RECIPE.optimizer, 1, 1), Backend.choose("float32"), label_smoothing=0.1)
    ours.start_epoch(0)
    assert _score(ours.train_batch(batch)) == pytest.approx(expected, rel=1e-5)
    assert abs(smooth - plain) > 0.01


@pytest.mark.usefixtures("implementation")
@pytest.mark.parametrize(
    ("activation", "tolerance"),
    # Where a value is all but zero, rounding decides whether a ReLU lets it through; a smooth function has no edge.
    [("silu", 1e-4), ("relu", 0.03)],
)
def test_the_whole_stridednet_has_keras_gradients(activation: str, tolerance: float) -> None:
    batch = batches_of_noise(1, 16, 96)[0]
    keras.utils.set_random_seed(0)
    model = build_model(RECIPE.replace({"model.activation": activation}).model, 96, 3)
    targets = torch.from_numpy(batch.targets)
    output = model(torch.from_numpy(batch.images), training=True)
    loss = keras.losses.categorical_crossentropy(targets, output).mean() + sum(model.losses)
    loss.backward()
    expected = [variable.value.grad.clone() for variable in model.trainable_variables]
    for variable in model.trainable_variables:
        variable.value.grad = None

    parameters = Parameters(model)
    weights = WorkingCopy(parameters, torch.float32)
    graph = Graph(model, weights, Backend.choose("float32"))
    scores = graph.run(torch.from_numpy(batch.images), _training())
    ours = -(targets * graph.log_probabilities(scores)).sum(dim=1).mean()
    ours.backward()
    with torch.no_grad():
        assert float(ours + parameters.penalty()) == pytest.approx(float(loss), rel=1e-5)
        parameters.collect_gradients(weights.leaves)
    for variable, gradient in zip(model.trainable_variables, expected, strict=True):
        found = parameters.view(parameters.grad, variable)
        assert float((found - gradient).norm()) <= tolerance * float(gradient.norm()) + 1e-5, variable.path


def test_every_other_layer_is_computed_by_keras() -> None:
    def build() -> keras.Model:
        keras.utils.set_random_seed(0)
        inputs = layers.Input((16, 16, 3))
        x = layers.Rescaling(1 / 255)(inputs)
        x = layers.Conv2D(8, 3, padding="same", use_bias=False)(x)
        x = layers.LayerNormalization()(x)
        left = layers.Conv2D(8, 1, activation="relu")(x)
        right = layers.AveragePooling2D(3, strides=1, padding="same")(x)
        x = layers.Add()([left, right]) + 0.1 * x
        x = layers.Concatenate()([x, layers.PReLU()(x)])
        x = layers.ActivityRegularization(l2=0.01)(x)
        inner = keras.Sequential([layers.Input((16, 16, 16)), layers.Conv2D(4, 3), layers.GlobalAveragePooling2D()])
        x = layers.Activation("softmax")(layers.Dense(3)(inner(x)))
        return keras.Model(inputs, x)

    batches = batches_of_noise(3, 8, 16)
    images, targets = joined(batches)
    theirs = build()
    theirs.compile(keras.optimizers.Adam(0.001), loss="categorical_crossentropy", metrics=["accuracy"])
    fitted = theirs.fit(images, targets, batch_size=8, shuffle=False, verbose=0).history
    ours = Trainer(
        build(), Schedule(OptimizerSettings(learning_rate=0.001, decay=0.0), 1, 4), Backend.choose("float32")
    )
    running = RunningScores()
    for batch in batches:
        running.add(ours.train_batch(batch), len(batch.images))
    assert running.mean().loss == pytest.approx(float(fitted["loss"][0]), rel=1e-4)
    for our, their in zip(ours.model.get_weights(), theirs.get_weights(), strict=True):
        assert np.median(np.abs(our - their)) < 0.02 * 0.001


@pytest.mark.parametrize("last", ["softmax", "sigmoid"])
def test_sequential_models_and_other_outputs(last: str) -> None:
    equals_fit(lambda: small_model(last=last))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_an_activation_may_be_a_layer(precision: str) -> None:
    def build() -> keras.Model:
        return small_model(layers.Conv2D(4, 3, activation=layers.LeakyReLU(0.1)), layers.Conv2D(4, 3))

    equals_fit(build, precision)


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.SpatialDropout2D(0.3),
        lambda: layers.GaussianNoise(0.1),
        lambda: layers.Dropout(0.3, noise_shape=(None, 1, 1, 6)),
        layers.RandomFlip,
        lambda: layers.Dropout(1.0),
    ],
)
def test_layers_that_draw_by_themselves_are_called_and_seeded(make: Make) -> None:
    batches = batches_of_noise(2, 8, 16)
    losses = []
    for _ in range(2):
        keras.utils.set_random_seed(0)
        trainer = Trainer(small_model(make()), Schedule(OptimizerSettings(), 1, 4), Backend.choose("float32"))
        trainer.start_epoch(5)
        losses.append([_score(trainer.train_batch(batch)) for batch in batches])
    assert losses[0] == losses[1]
    assert np.allclose(trainer.predict(batches), trainer.model.predict(joined(batches)[0], verbose=0), atol=1e-5)


def test_shared_layers_get_the_gradients_of_all_their_uses() -> None:
    def build() -> keras.Model:
        keras.utils.set_random_seed(0)
        inputs = layers.Input((16, 16, 3))
        x = layers.Rescaling(1 / 255)(inputs)
        norm, conv = layers.BatchNormalization(), layers.Conv2D(3, 3, padding="same")
        x = norm(conv(x)) + norm(conv(conv(x)))
        return keras.Model(inputs, layers.Dense(3, activation="softmax")(layers.Flatten()(x)))

    model = build()
    batch = batches_of_noise(1, 8, 16)[0]
    targets = torch.from_numpy(batch.targets)
    output = model(torch.from_numpy(batch.images), training=True)
    keras.losses.categorical_crossentropy(targets, output).mean().backward()
    expected = [variable.value.grad.clone() for variable in model.trainable_variables]
    for variable in model.trainable_variables:
        variable.value.grad = None
    for precision, tolerance in (("float32", 1e-3), ("bfloat16", 0.1)):
        fresh = build()
        parameters = Parameters(fresh)
        weights = WorkingCopy(parameters, getattr(torch, precision))
        graph = Graph(fresh, weights, Backend.choose(precision))
        scores = graph.run(torch.from_numpy(batch.images), _training())
        torch.autograd.backward(-(targets * graph.log_probabilities(scores)).sum(dim=1).mean())
        with torch.no_grad():
            parameters.collect_gradients(weights.leaves)
        for variable, gradient in zip(fresh.trainable_variables, expected, strict=True):
            found = parameters.view(parameters.grad, variable)
            assert float((found - gradient).norm()) <= tolerance * float(gradient.norm()) + 1e-4, variable.path


def test_a_regularizer_of_ones_own_is_called() -> None:
    class Fivefold(keras.regularizers.L2):
        def __call__(self, x: Any) -> Any:
            return 5 * super().__call__(x)

    equals_fit(lambda: small_model(layers.Conv2D(4, 3, kernel_regularizer=Fivefold(0.01))))


def test_frozen_weights_are_never_stale() -> None:
    model = small_model()
    model.layers[1].trainable = False
    trainer = Trainer(model, Schedule(OptimizerSettings(), 1, 4), Backend.choose("bfloat16"))
    batches = batches_of_noise(2, 8, 16)
    images, _ = joined(batches)
    state = trainer.state()
    before = trainer.predict(batches)
    model.layers[1].set_weights([2 * weight for weight in model.layers[1].get_weights()])
    assert np.allclose(trainer.predict(batches), model.predict(images, verbose=0), atol=1e-5)
    assert not np.allclose(trainer.predict(batches), before, atol=1e-3)
    trainer.restore(state)
    assert np.allclose(trainer.predict(batches), before, atol=1e-6)


def test_a_model_without_trainable_weights_is_scored() -> None:
    model = small_model()
    model.trainable = False
    before = model.get_weights()
    trainer = Trainer(model, Schedule(OptimizerSettings(), 1, 4), Backend.choose("float32"))
    assert _score(trainer.train_batch(batches_of_noise(1, 8, 16)[0])) > 0
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), before, strict=True))


@pytest.mark.usefixtures("implementation")
def test_frozen_layers_stay_and_the_model_is_live() -> None:
    keras.utils.set_random_seed(0)
    model = build_model(RECIPE.model, 24, 3)
    model.get_layer("stem").trainable = False
    model.get_layer("stage1_conv1_norm").trainable = False
    frozen = [model.get_layer(name).get_weights() for name in ("stem", "stage1_conv1_norm")]
    trainer = Trainer(model, Schedule(OptimizerSettings(learning_rate=0.01), 1, 4), Backend.choose("bfloat16"))
    batches = batches_of_noise()
    for batch in batches:
        trainer.train_batch(batch)
    for name, weights in zip(("stem", "stage1_conv1_norm"), frozen, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(model.get_layer(name).get_weights(), weights, strict=True))
    # The Keras model itself, with no copying back.
    images, _ = joined(batches)
    assert np.allclose(model.predict(images, verbose=0), trainer.predict(batches), atol=1e-4)
    model.get_layer("probabilities").set_weights([np.zeros((512, 3)), np.array([0.0, 50.0, 0.0])])
    assert trainer.evaluate(batches).accuracy == pytest.approx(np.mean(joined(batches)[1][:, 1]))


@pytest.mark.usefixtures("implementation")
def test_bfloat16_learns_as_float32_does() -> None:
    def last_loss(precision: str) -> float:
        trainer = _trainer(RECIPE.replace({"precision": precision, "optimizer.learning_rate": 0.001}))
        batches = batches_of_noise()
        for _ in range(15):
            losses = [_score(trainer.train_batch(batch)) for batch in batches]
        return float(np.mean(losses))

    exact, rough = last_loss("float32"), last_loss("bfloat16")
    assert exact < 1.5
    assert rough == pytest.approx(exact, rel=0.05)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_restored_state_goes_on_as_if_nothing_had_happened(precision: str) -> None:
    recipe = RECIPE.replace({"model.dropout": 0.3, "precision": precision})
    batches = batches_of_noise()
    straight, first = _trainer(recipe), _trainer(recipe)
    for trainer in (straight, first):
        trainer.start_epoch(1)
        for batch in batches:
            trainer.train_batch(batch)
    state = first.state()
    second = _trainer(recipe)
    second.train_batch(batches[0])
    second.restore(state)
    for trainer in (straight, second):
        trainer.start_epoch(2)
        for batch in batches:
            trainer.train_batch(batch)
    after = second.state()
    assert any(not np.array_equal(state[name], after[name]) for name in state)
    for name, value in straight.state().items():
        assert np.array_equal(value, after[name]), name
    assert straight.learning_rate() == second.learning_rate()


def test_another_models_state_is_refused() -> None:
    with pytest.raises(RunError, match="belongs to another model"):
        _trainer(RECIPE.replace({"model.filters": [8, 16]})).restore(_trainer().state())
