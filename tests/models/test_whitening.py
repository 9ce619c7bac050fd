import keras
import numpy as np
import pytest

import stridednet
from stridednet.errors import ModelError
from stridednet.model_settings import MODEL_SETTINGS
from stridednet.models.catalogue import build_model
from stridednet.models.whitening import whiten_first_layer, whitening_filters
from stridednet.recipe import Recipe


def _pictures(n: int = 200, size: int = 24) -> np.ndarray:
    """Return smooth random pictures, whose neighboring pixels are similar as those of photographs are."""
    rng = np.random.default_rng(0)
    coarse = rng.normal(128, 60, (n, size // 4, size // 4, 3)).repeat(4, axis=1).repeat(4, axis=2)
    return (coarse + rng.normal(0, 12, coarse.shape)).clip(0, 255).astype(np.uint8)


def test_products_of_filters_and_patches_are_uncorrelated_and_have_a_mean_square_of_one() -> None:
    rng = np.random.default_rng(1)
    patches = rng.normal(size=(5000, 6)) @ rng.normal(size=(6, 6)) * 3
    filters = whitening_filters(patches, 4)
    products = patches @ filters.T
    np.testing.assert_allclose(products.T @ products / len(patches), np.eye(4), atol=0.02)
    # The first one is the direction of the largest mean square: NumPy's singular vectors are computed differently.
    first = np.linalg.svd(patches)[2][0]
    assert abs(filters[0] @ first) / np.linalg.norm(filters[0]) == pytest.approx(1, abs=1e-4)
    assert (filters[np.arange(4), np.abs(filters).argmax(axis=1)] > 0).all()


def test_a_direction_without_variance_is_not_amplified_without_bound() -> None:
    patches = np.zeros((100, 3))
    patches[:, 0] = np.random.default_rng(2).normal(size=100)
    filters = whitening_filters(patches, 3)
    assert np.abs(filters).max() == pytest.approx(10)  # one divided by the root of the floor, 0.01
    assert len(whitening_filters(patches, 8)) == 3


@pytest.mark.parametrize(
    "name", sorted(name for name, table in MODEL_SETTINGS.items() if "stem_whitening" in table.model_fields)
)
def test_the_first_layer_of_every_model_whitens_images(name: str) -> None:
    recipe = Recipe(image_size=48, model={"name": name, "stem_filters": 8, "filters": [8], "pixel_range": "-2 to 2"})
    images = _pictures(size=48)
    model = build_model(recipe.model, 48, 3)
    others = model.get_weights()
    whiten_first_layer(model, images, seed=0)
    convolution = next(layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D))
    outputs = keras.Model(model.input, convolution.output)(images).detach().numpy()[:, 4:-4, 4:-4]
    flat = outputs.reshape(-1, outputs.shape[-1])
    moments = flat.T @ flat / len(flat)
    assert np.diag(moments) == pytest.approx(np.ones(8), abs=0.35)
    assert np.abs(moments - np.diag(np.diag(moments))).max() < 0.35
    assert sum(not np.array_equal(one, other) for one, other in zip(model.get_weights(), others, strict=True)) == 1


def test_a_model_that_begins_otherwise_and_small_images_are_errors() -> None:
    inputs = keras.Input((16, 16, 3))
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(inputs)), name="dense")
    with pytest.raises(ModelError, match="'dense' does not begin with a Rescaling and a Conv2D layer"):
        whiten_first_layer(model, _pictures(), 0)
    small = build_model(Recipe(image_size=16, model={"filters": [8]}).model, 16, 2)
    with pytest.raises(ModelError, match="images of 4x4 pixels have no 7x7 patch"):
        whiten_first_layer(small, _pictures(size=4), 0)


def test_training_starts_from_it_and_repeats_exactly() -> None:
    settings = {"epochs": 1, "image_size": 24, "model.filters": [8], "model.dense_units": 16}
    images, classes = _pictures(), np.arange(200) % 2

    def kernel(**more: object) -> np.ndarray:
        classifier = stridednet.Classifier("fast", settings=settings | more).fit(images, classes)
        return classifier.model_.get_layer("stem").get_weights()[0]

    tiny_steps = {"model.stem_whitening": True, "optimizer.learning_rate": 1e-30, "optimizer.weight_decay": 0.0}
    fitted = kernel(**tiny_steps)
    assert np.array_equal(fitted, kernel(**tiny_steps))
    first = fitted[..., 0]
    assert np.abs(np.diff(first, axis=0)).max() < 0.5 * np.abs(first).max()  # it is smooth, as these images are
    assert not np.array_equal(fitted, kernel(**(tiny_steps | {"model.stem_whitening": False})))
