import inspect
from typing import Any

import keras
import numpy as np
import pytest
import torch
from keras import layers

from stridednet.data.batches import Batch
from stridednet.errors import RecipeError
from stridednet.executor.backend import Backend
from stridednet.executor.context import ForwardPass
from stridednet.executor.graph import Graph
from stridednet.executor.layers import _BUILDERS
from stridednet.executor.masks import Masks
from stridednet.executor.parameters import Parameters, WorkingCopy
from stridednet.executor.schedule import Schedule
from stridednet.executor.trainer import Trainer
from stridednet.model_settings import MODEL_SETTINGS
from stridednet.models.catalogue import MODELS, build_model
from stridednet.recipe import Recipe, builtin_recipes, load_recipe

NEW = ["allconv", "fire", "inception", "residual", "vgg"]
SIDE = 24
STILL = {"model.dropout": 0.0, "model.dense_dropout": 0.0, "model.filters": [8, 16], "precision": "float32"}


def _recipe(name: str, **settings: Any) -> Recipe:
    return Recipe().replace({"model.name": name} | {f"model.{key}": value for key, value in settings.items()})


def _still(name: str, activation: str = "relu") -> keras.Model:
    """Build a small model without anything random in a training step."""
    keras.utils.set_random_seed(0)
    return build_model(_recipe(name, activation=activation).replace(STILL).model, SIDE, 3)


def _batch() -> Batch:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (16, SIDE, SIDE, 3), np.uint8)
    return Batch(images, np.eye(3, dtype=np.float32)[rng.integers(0, 3, 16)])


def test_the_list() -> None:
    assert (
        sorted(MODELS)
        == sorted(MODEL_SETTINGS)
        == sorted([*NEW, "efficientnet_lite0", "efficientnet_lite2", "stridednet", "stridednet_pooled"])
    )


@pytest.mark.parametrize("recipe", builtin_recipes())
@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_builtin_recipe_builds_every_model(name: str, recipe: str) -> None:
    settings = load_recipe(recipe)[0].replace({"model.name": name}).model
    model = build_model(settings, 96, 4)
    assert (model.input_shape, model.output_shape) == ((None, 96, 96, 3), (None, 4))
    assert model.count_params() < 5_000_000


@pytest.mark.parametrize("name", NEW)
def test_the_smallest_image_passes_through(name: str) -> None:
    assert build_model(_recipe(name).model, 8, 2).output_shape == (None, 2)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_layer_has_a_function_in_the_executor(name: str) -> None:
    kinds = {type(layer) for layer in build_model(_recipe(name).model, 32, 3).layers}
    assert kinds <= {
        *_BUILDERS,
        layers.Add,
        layers.BatchNormalization,
        layers.Concatenate,
        layers.Dropout,
        layers.InputLayer,
    }


@pytest.mark.parametrize("name", NEW)
def test_settings_reach_the_layers(name: str) -> None:
    settings = _recipe(
        name,
        filters=[4, 8],
        activation="gelu",
        kernel_initializer="glorot_uniform",
        kernel_regularizer="l1(0.25)",
        dropout=0.125,
        dense_dropout=0.375,
        pixel_range="-2 to 2",
        norm_momentum=0.75,
        stem_filters=6,
    )
    model = build_model(settings.model, 32, 5)
    found = {
        kind: [layer for layer in model.layers if type(layer) is kind]
        for kind in (*_BUILDERS, layers.BatchNormalization, layers.Dropout)
    }
    assert {layer.activation for layer in found[layers.Activation]} == {keras.activations.gelu}
    assert all(isinstance(layer.kernel_initializer, keras.initializers.GlorotUniform) for layer in found[layers.Conv2D])
    assert {float(layer.kernel_regularizer.l1) for layer in found[layers.Conv2D]} == {0.25}
    assert [layer.rate for layer in found[layers.Dropout]] == [0.125, 0.125, 0.375]
    assert [(layer.scale, layer.offset) for layer in found[layers.Rescaling]] == [(1 / 64, -2.0)]
    assert {layer.momentum for layer in found[layers.BatchNormalization]} == {0.75}
    assert found[layers.Conv2D][0].filters == 6


@pytest.mark.parametrize("name", [*NEW, "stridednet"])
def test_without_batch_normalisation_only_its_parameters_are_gone(name: str) -> None:
    model, bare = (build_model(_recipe(name, batch_norm=norm).model, 32, 3) for norm in (True, False))
    norms = [layer for layer in model.layers if type(layer) is layers.BatchNormalization]
    assert norms
    assert not any(type(layer) is layers.BatchNormalization for layer in bare.layers)
    assert model.count_params() - bare.count_params() == 4 * sum(layer.output.shape[-1] for layer in norms)


def test_the_pooled_twin_is_stridednet_with_max_pooling() -> None:
    twin = build_model(_recipe("stridednet_pooled").model, 96, 4)
    asked = build_model(_recipe("stridednet", downsample="max_pool").model, 96, 4)
    assert [(type(a), a.name) for a in twin.layers] == [(type(b), b.name) for b in asked.layers]
    assert twin.count_params() == build_model(_recipe("stridednet").model, 96, 4).count_params()


@pytest.mark.parametrize("name", sorted(MODELS))
def test_each_setting_of_a_model_is_an_argument_of_its_builder(name: str) -> None:
    arguments = MODELS[name].arguments(MODEL_SETTINGS[name]())
    parameters = inspect.signature(MODELS[name].build).parameters
    assert set(arguments) <= set(parameters)
    # And the other way round: each argument but the sizes, and those that no recipe sets, has a setting.
    unset = {"width", "height", "depth", "classes", "convolutions", "blocks", "modules"}
    assert set(parameters) - set(arguments) <= unset


@pytest.mark.parametrize(
    ("name", "setting", "value"),
    [
        ("vgg", "stem_kernel", 3),
        ("vgg", "stem_kernel", 7),  # as the recipes have it
        ("fire", "use_bias", False),
        ("residual", "dense_units", 64),
        ("allconv", "groups", 2),
        ("stridednet_pooled", "downsample", "max_pool"),
    ],
)
def test_a_setting_that_a_model_does_not_have_is_refused(name: str, setting: str, value: object) -> None:
    with pytest.raises(
        RecipeError, match=rf"^setting 'model\.{setting}': the model '{name}' does not have it; it has .*norm_momentum"
    ) as caught:
        _recipe(name, **{setting: value})
    assert setting not in str(caught.value).partition(";")[2].replace(",", "").split()
    assert "\n" not in str(caught.value)


def test_an_unknown_model_is_refused_with_suggestions() -> None:
    with pytest.raises(RecipeError, match=r"there is no model 'vggg'; choose vgg, or your own as FILE\.py:function"):
        _recipe("vggg")
    with pytest.raises(
        RecipeError,
        match=r"there is no model 'zzz'; choose allconv or efficientnet_lite0 or .* or fire or .* or vgg, or your own",
    ):
        _recipe("zzz")


@pytest.mark.parametrize("name", NEW)
def test_channels_first_computes_the_same(name: str) -> None:
    settings = _recipe(name, filters=[4, 8]).model
    last = build_model(settings, 32, 3)
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype(np.float32)
    arguments = MODELS[name].arguments(settings)
    try:
        keras.config.set_image_data_format("channels_first")
        first = MODELS[name].build(32, 32, 3, 3, **arguments)
    finally:
        keras.config.set_image_data_format("channels_last")
    assert first.input_shape == (None, 3, 32, 32)
    first.set_weights(last.get_weights())
    found = first.predict_on_batch(images.transpose(0, 3, 1, 2))
    assert np.allclose(found, last.predict_on_batch(images), atol=1e-5)


@pytest.mark.parametrize("name", NEW)
def test_native_predictions_and_loss_are_keras(name: str) -> None:
    batch = _batch()
    model = _still(name)
    targets = torch.from_numpy(batch.targets)
    with torch.no_grad():
        output = _still(name)(torch.from_numpy(batch.images), training=True)
    loss = float(keras.losses.categorical_crossentropy(targets, output).mean())
    trainer = Trainer(model, Schedule(Recipe().optimizer, 1, 4), Backend.choose("float32"))
    assert np.allclose(trainer.predict([batch]), model.predict(batch.images, verbose=0), atol=1e-5)
    penalty = float(sum(model.losses).detach())
    trainer.start_epoch(0)
    scores = trainer.train_batch(batch)
    assert float(scores.loss) + float(scores.penalty) == pytest.approx(loss + penalty, rel=1e-4)
    assert np.allclose(trainer.predict([batch]), model.predict(batch.images, verbose=0), atol=1e-5)


# Where a value is all but zero, rounding decides whether a ReLU lets it through, and so moves gradients by up to a
# hundredth, on some processors. A smooth function has no such edge; a wrong or missing branch moves them by tenths.
@pytest.mark.parametrize(("activation", "tolerance"), [("silu", 1e-3), ("relu", 0.03)])
@pytest.mark.parametrize("name", NEW)
def test_native_gradients_are_keras(name: str, activation: str, tolerance: float) -> None:
    batch = _batch()
    model = _still(name, activation)
    targets = torch.from_numpy(batch.targets)
    output = model(torch.from_numpy(batch.images), training=True)
    torch.autograd.backward(keras.losses.categorical_crossentropy(targets, output).mean() + sum(model.losses))
    expected = [variable.value.grad.clone() for variable in model.trainable_variables]
    ours = _still(name, activation)
    parameters = Parameters(ours)
    weights = WorkingCopy(parameters, torch.float32)
    backend = Backend.choose("float32")
    graph = Graph(ours, weights, backend)
    scores = graph.run(torch.from_numpy(batch.images), ForwardPass(training=True, masks=Masks(backend)))
    torch.autograd.backward(-(targets * graph.log_probabilities(scores)).sum(dim=1).mean())
    with torch.no_grad():
        parameters.penalty()
        parameters.collect_gradients(weights.leaves)
    for variable, gradient in zip(ours.trainable_variables, expected, strict=True):
        found = parameters.view(parameters.grad, variable)
        assert float((found - gradient).norm()) <= tolerance * float(gradient.norm()) + 1e-5, variable.path
    # The moving statistics of batch normalization changed in the same way.
    for our, their in zip(ours.non_trainable_variables, model.non_trainable_variables, strict=True):
        assert np.allclose(our.numpy(), their.numpy(), rtol=1e-3, atol=1e-5), our.path
