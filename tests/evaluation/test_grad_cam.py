import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import stridednet  # noqa: F401  -- before keras, to choose its backend

import keras  # isort: skip
import numpy as np
import pytest
import torch
from keras import layers
from scipy.signal import correlate2d

from stridednet.errors import InputError, ModelError
from stridednet.evaluation.grad_cam import Explainer, Method
from stridednet.model_settings import MODEL_SETTINGS
from stridednet.models.catalogue import MODELS, build_model

CLASSES = 3

# The last layer of each architecture whose output has more than one position, at 48 pixels.
LAST_MAPS = {
    "stridednet": "stage3_dropout",
    "stridednet_pooled": "stage3_dropout",
    "vgg": "stage3_dropout",
    "allconv": "head_conv1x1_norm",
    "residual": "stage3_dropout",
    "inception": "stage3_dropout",
    "fire": "stage3_dropout",
    "efficientnet_lite0": "features_relu6",
    "efficientnet_lite2": "features_relu6",
}


def _images(count: int = 4, size: int = 12) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), np.uint8)


def _randomized(model: keras.Model, seed: int = 0) -> keras.Model:
    """Give all weights values that no layer has at initialization; variances are positive."""
    rng = np.random.default_rng(seed)
    for variable in model.variables:
        if np.issubdtype(np.dtype(str(variable.dtype)), np.floating):
            low = 0.5 if "variance" in variable.name else -0.5
            variable.assign(rng.uniform(low, low + 1, variable.shape))
    return model


def _relu_of_maximum_1(values: np.ndarray) -> np.ndarray:
    positive = np.maximum(values, 0)
    largest = positive.max((1, 2), keepdims=True)
    return positive / np.where(largest > 0, largest, 1)


def _bilinear(values: np.ndarray, size: int) -> np.ndarray:
    """Resize square maps, with the centers of the outer pixels clamped, as OpenCV does."""
    centers = np.clip((np.arange(size) + 0.5) * values.shape[1] / size - 0.5, 0, values.shape[1] - 1)
    old = np.arange(values.shape[1])
    along = np.array([[[np.interp(centers, old, column) for column in one.T]] for one in values])[:, 0]
    return np.array([[np.interp(centers, old, row) for row in one.T] for one in along.transpose(0, 1, 2)])


both_methods = pytest.mark.parametrize("method", ["hires-cam", "grad-cam"])


def _mean(gradient: Any, method: Method) -> Any:
    """Return what a method multiplies maps ``(n, height, width, channels)`` by."""
    return gradient if method == "hires-cam" else gradient.mean((1, 2))[:, None, None]


@both_methods
@pytest.mark.parametrize("strides", [1, 3])
def test_after_global_average_pooling_it_is_cam(strides: int, method: Method) -> None:
    rng = np.random.default_rng(1)
    kernel, weights = rng.normal(size=(3, 3, 3, 4)), rng.normal(size=(4, CLASSES))
    convolution = layers.Conv2D(4, 3, strides=strides, padding="valid", use_bias=False, activation="relu")
    dense = layers.Dense(CLASSES, activation="softmax", use_bias=False)
    model = keras.Sequential([keras.Input((14, 14, 3)), convolution, layers.GlobalAveragePooling2D(), dense])
    convolution.kernel.assign(kernel)
    dense.kernel.assign(weights)
    images = _images(3, 14)
    maps = np.array(
        [
            [
                sum(correlate2d(image[:, :, c].astype(float), kernel[:, :, c, k], "valid") for c in range(3))
                for k in range(4)
            ]
            for image in images
        ]
    )[:, :, ::strides, ::strides]
    maps = np.maximum(maps, 0)
    for column in range(CLASSES):
        cam = np.einsum("nkhw,k->nhw", maps, weights[:, column])  # Zhou et al. 2015, equation 2
        expected = _relu_of_maximum_1(_bilinear(np.maximum(cam, 0), 14))
        np.testing.assert_allclose(Explainer(model, method).heatmaps(images, [column] * 3), expected, atol=1e-5)


@both_methods
def test_gradients_are_those_of_finite_differences(method: Method) -> None:
    first = layers.Conv2D(5, 3, strides=2, padding="same", activation="relu")
    second = layers.Conv2D(4, 3, padding="same", activation="tanh")
    hidden, dense = layers.Dense(6, activation="tanh"), layers.Dense(CLASSES, activation="softmax")
    image = keras.Input((12, 12, 3))
    maps = second(first(layers.Rescaling(1 / 255)(image)))
    model = _randomized(keras.Model(image, dense(hidden(layers.Flatten()(maps)))))
    images = _images()
    values = keras.Model(image, maps).predict(images, verbose=0).astype(np.float64)
    to_hidden, hidden_bias, to_scores, bias = (
        keras.ops.convert_to_numpy(weights).astype(np.float64) for weights in (*hidden.weights, *dense.weights)
    )

    def score(maps: np.ndarray, column: int) -> np.ndarray:
        scores: np.ndarray = np.tanh(maps.reshape(len(maps), -1) @ to_hidden + hidden_bias) @ to_scores + bias
        return scores[:, column]

    for column in range(CLASSES):
        gradient = np.zeros_like(values)
        for place in np.ndindex(values.shape[1:]):
            step = np.zeros_like(values)
            step[:, *place] = 1e-4
            gradient[:, *place] = (score(values + step, column) - score(values - step, column)) / 2e-4
        sums = (values * _mean(gradient, method)).sum(-1)
        expected = _relu_of_maximum_1(_bilinear(np.maximum(sums, 0), 12))
        np.testing.assert_allclose(Explainer(model, method).heatmaps(images, [column] * 4), expected, atol=1e-4)


@both_methods
@pytest.mark.parametrize("name", MODELS)
def test_every_model_of_the_catalogue(name: str, method: Method) -> None:
    keras.utils.set_random_seed(0)
    model = build_model(MODEL_SETTINGS[name](), 48, CLASSES)
    images, columns = _images(CLASSES, 48), np.arange(CLASSES)
    dense = model.layers[-1]
    inside = keras.Model(model.inputs[0], [model.get_layer(LAST_MAPS[name]).output, dense.input])
    with torch.enable_grad():
        maps, features = inside(images.astype(np.float32), training=False)
        scores = features @ dense.kernel.value + dense.bias.value
        (gradient,) = torch.autograd.grad(scores[columns, columns].sum(), maps)
    sums = (maps * _mean(gradient, method)).sum(-1).detach().numpy()
    assert maps.shape[1] > 1
    assert sums.max() > 0
    expected = _relu_of_maximum_1(_bilinear(np.maximum(sums, 0), 48))
    np.testing.assert_allclose(Explainer(model, method).heatmaps(images, columns), expected, atol=1e-4)


def _ending(*ending: Any) -> keras.Model:
    """Return a model with a hidden layer after the maps, whose scores end in different ways."""
    keras.utils.set_random_seed(3)
    body = [layers.Conv2D(6, 3, strides=2, activation="relu"), layers.Flatten(), layers.Dense(8, activation="tanh")]
    x = image = keras.Input((12, 12, 3))
    for layer in (layers.Rescaling(1 / 255), *body, *ending):
        x = layer(x)
    return keras.Model(image, x)


@pytest.mark.parametrize(
    "ending",
    [
        lambda: [layers.Dense(CLASSES, activation="softmax")],
        lambda: [layers.Dense(CLASSES), layers.Softmax()],
        lambda: [layers.Dense(CLASSES), layers.Activation("softmax"), layers.Activation("linear", dtype="float64")],
        lambda: [layers.Dense(CLASSES), keras.ops.softmax, layers.Dropout(0.5)],
        lambda: [layers.Dense(CLASSES, activation="sigmoid")],
        lambda: [layers.Reshape((1, 1, 8)), layers.Conv2D(CLASSES, 1, activation="softmax"), layers.Flatten()],
    ],
    ids=["dense", "softmax layer", "activation and cast", "operation", "sigmoid", "convolution"],
)
def test_the_score_is_the_output_before_softmax_or_sigmoid(ending: Callable[[], list[Any]]) -> None:
    plain = _ending(layers.Dense(CLASSES))
    model = _ending(*ending())
    for theirs, ours in zip(plain.weights, model.weights, strict=True):
        ours.assign(keras.ops.reshape(theirs, ours.shape))
    images = _images()
    expected = Explainer(plain).heatmaps(images, [0, 1, 2, 0])
    assert 0.01 < expected.mean() < 0.9
    np.testing.assert_allclose(Explainer(model).heatmaps(images, [0, 1, 2, 0]), expected, atol=1e-5)


def test_a_saturated_softmax_still_has_a_heatmap() -> None:
    model = _ending(layers.Dense(CLASSES, activation="softmax"))
    before = Explainer(model).heatmaps(_images(), [1] * 4)
    model.layers[-1].kernel.assign(1e4 * model.layers[-1].kernel)
    probabilities = model.predict(_images(), verbose=0)
    assert np.isin(probabilities, [0, 1]).all()
    np.testing.assert_allclose(Explainer(model).heatmaps(_images(), [1] * 4), before, atol=1e-5)


def _formatted(data_format: str, *, permuted: bool = False) -> keras.Model:
    first = data_format == "channels_first"
    x = image = keras.Input((3, 12, 8) if first and not permuted else (12, 8, 3))
    x = layers.Permute((3, 1, 2))(x) if permuted else x
    x = layers.Conv2D(4, 3, strides=2, padding="same", activation="relu", data_format=data_format)(x)
    x = layers.ReLU()(layers.BatchNormalization(axis=1 if first else -1)(x))
    x = layers.Conv2D(5, (3, 2), data_format=data_format)(x)
    x = layers.Activation("tanh")(x)
    x = layers.GlobalAveragePooling2D(data_format=data_format)(x)
    return _randomized(keras.Model(image, layers.Dense(CLASSES, activation="softmax")(x)))


def test_channels_first() -> None:
    images = _images(size=12)[:, :, :8]
    expected = Explainer(_formatted("channels_last")).heatmaps(images)
    assert expected.shape == (4, 12, 8)
    first = Explainer(_formatted("channels_first")).heatmaps(images.transpose(0, 3, 1, 2))
    np.testing.assert_allclose(first, expected, atol=1e-5)
    permuted = Explainer(_formatted("channels_first", permuted=True)).heatmaps(images)
    np.testing.assert_allclose(permuted, expected, atol=1e-5)


@pytest.mark.parametrize("size", [12, None])
def test_nested_models(size: int | None) -> None:
    inner = keras.Input((size, size, 4))
    block = keras.Model(inner, layers.Conv2D(4, 3, activation="relu")(layers.ZeroPadding2D()(inner)))
    backbone_input = keras.Input((size, size, 3))
    x = block(block(layers.Conv2D(4, 3, padding="same", activation="relu")(backbone_input)))
    backbone = keras.Model(backbone_input, layers.GlobalMaxPooling2D()(x))
    scaled = [keras.Input((12, 12, 3)), layers.Rescaling(1 / 255)]
    nested = _randomized(keras.Sequential([*scaled, backbone, layers.Dense(CLASSES, activation="softmax")]))
    flat = keras.Sequential(
        [
            *scaled,
            layers.Conv2D(4, 3, padding="same", activation="relu"),
            *(layers.Conv2D(4, 3, padding="same", activation="relu") for _ in range(2)),
            layers.GlobalMaxPooling2D(),
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )
    one, two, three = nested.weights[:2], nested.weights[2:4], nested.weights[4:]
    for ours, theirs in zip(flat.weights, [*one, *two, *two, *three], strict=True):
        ours.assign(theirs)
    np.testing.assert_allclose(nested.predict(_images(), verbose=0), flat.predict(_images(), verbose=0), atol=1e-5)
    expected = Explainer(flat).heatmaps(_images(), [0, 1, 2, 2])
    np.testing.assert_allclose(Explainer(nested).heatmaps(_images(), [0, 1, 2, 2]), expected, atol=1e-5)


@pytest.mark.parametrize("rates", [(1, 1), (1, 2)])
def test_the_maps_of_branches_are_added(rates: tuple[int, int]) -> None:
    x = image = keras.Input((12, 12, 3))
    maps = [layers.Conv2D(4, 3, padding="same", strides=rate, activation="relu")(x) for rate in rates]
    features = layers.Concatenate()([layers.GlobalAveragePooling2D()(one) for one in maps])
    model = _randomized(keras.Model(image, layers.Dense(CLASSES)(features)))
    values = [one.astype(float) for one in keras.Model(image, maps).predict(_images(), verbose=0)]
    weights = keras.ops.convert_to_numpy(model.layers[-1].kernel)[:, 1]
    cams = [one @ part for one, part in zip(values, (weights[:4], weights[4:]), strict=True)]  # CAM of each branch
    expected = _relu_of_maximum_1(sum(_bilinear(cam, 12) for cam in cams))
    np.testing.assert_allclose(Explainer(model).heatmaps(_images(), [1] * 4), expected, atol=1e-4)


def test_an_attention_block_is_not_the_last_map() -> None:
    x = image = keras.Input((12, 12, 3))
    x = layers.Conv2D(4, 3, activation="relu", name="maps")(x)
    gate = layers.Conv2D(4, 1, activation="sigmoid")(layers.GlobalAveragePooling2D(keepdims=True)(x))
    gated = layers.Multiply()([x, gate])
    dense = layers.Dense(CLASSES)
    model = _randomized(keras.Model(image, dense(layers.GlobalAveragePooling2D()(gated))))
    values = keras.Model(image, gated).predict(_images(), verbose=0)
    expected = _relu_of_maximum_1(values @ keras.ops.convert_to_numpy(dense.kernel)[:, 2])
    assert expected.shape == (4, 10, 10)
    expected = _relu_of_maximum_1(_bilinear(expected, 12))
    np.testing.assert_allclose(Explainer(model).heatmaps(_images(), [2] * 4), expected, atol=1e-5)


def test_images_of_any_size() -> None:
    x = image = keras.Input((None, None, 3))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, strides=2, activation="relu")(x))
    explainer = Explainer(keras.Model(image, layers.Dense(CLASSES)(x)))
    assert explainer.heatmaps(np.zeros((1, 9, 20, 3), np.uint8)).shape == (1, 9, 20)
    with pytest.raises(ModelError, match=r"more than one position .*; the model has none for images of shape \(3, 3,"):
        explainer.heatmaps(np.zeros((1, 3, 3, 3), np.uint8))


def test_the_default_is_the_most_probable_class_and_batches_do_not_matter() -> None:
    model, images = _ending(layers.Dense(CLASSES, activation="softmax")), _images(40)
    explainer, most_probable = Explainer(model), model.predict(images, verbose=0).argmax(1)
    assert len(set(most_probable)) > 1
    found = explainer.heatmaps(images)
    assert (found.dtype, found.min(), found.max()) == (np.float32, 0, 1)
    np.testing.assert_allclose(found, explainer.heatmaps(images, most_probable), atol=1e-6)
    for place in (0, 17, 39):
        one = explainer.heatmaps(images[place : place + 1], most_probable[place : place + 1])
        np.testing.assert_allclose(found[place], one[0], atol=1e-5)
    assert explainer.heatmaps(images[:0]).shape == (0, 12, 12)


def test_a_class_that_nothing_speaks_for_has_an_empty_heatmap() -> None:
    model = keras.Sequential(
        [
            keras.Input((6, 6, 3)),
            layers.Conv2D(1, 1, kernel_initializer="ones"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2),
        ]
    )
    model.layers[-1].kernel.assign([[1.0, -1.0]])
    images = np.full((2, 6, 6, 3), 100, np.uint8)
    heatmaps = Explainer(model).heatmaps(images, [0, 1])
    assert (heatmaps[0] == 1).all()
    assert (heatmaps[1] == 0).all()


def test_threads_share_an_explainer() -> None:
    explainer = Explainer(_formatted("channels_last"))
    parts = [np.random.default_rng(seed).integers(0, 256, (3, 12, 8, 3), np.uint8) for seed in range(24)]
    expected = [explainer.heatmaps(part) for part in parts]
    with ThreadPoolExecutor(8) as pool:
        for found, wanted in zip(pool.map(explainer.heatmaps, parts), expected, strict=True):
            np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_the_model_is_left_as_it_is() -> None:
    keras.utils.set_random_seed(0)
    x = image = keras.Input((12, 12, 3))
    x = layers.BatchNormalization(trainable=False)(layers.Conv2D(4, 3, activity_regularizer="l2")(x))
    x = layers.Dropout(0.5)(layers.GlobalAveragePooling2D()(x))
    model = keras.Model(image, layers.Dense(CLASSES, activation="softmax")(x))
    values = [keras.ops.convert_to_numpy(variable).copy() for variable in model.variables]
    tensors = [(variable.value.data_ptr(), variable.value.requires_grad) for variable in model.variables]
    layer_count, losses, state = len(model.layers), len(model.losses), random.getstate()
    with torch.no_grad():
        explainer = Explainer(model)
        before = explainer.heatmaps(_images(), [0] * 4)
        assert not torch.is_grad_enabled()
    assert [(variable.value.data_ptr(), variable.value.requires_grad) for variable in model.variables] == tensors
    assert all(variable.value.grad is None for variable in model.variables)
    for old, variable in zip(values, model.variables, strict=True):
        assert np.array_equal(old, keras.ops.convert_to_numpy(variable))
    assert (len(model.layers), len(model.losses), random.getstate()) == (layer_count, losses, state)
    assert model.layers[2].trainable is False
    # The explainer keeps the weights that the model had.
    for variable in model.variables:
        variable.assign(variable.value * 0)
    assert np.array_equal(explainer.heatmaps(_images(), [0] * 4), before)


@pytest.mark.parametrize(
    "stack",
    [
        [layers.Rescaling(1 / 255), layers.MaxPooling2D(), layers.Flatten()],
        [layers.Conv2D(4, 12), layers.Flatten()],
        [layers.Flatten(), layers.Dense(5)],
    ],
    ids=["pixels", "one position", "dense"],
)
def test_a_model_without_feature_maps_is_refused(stack: list[keras.Layer]) -> None:
    model = keras.Sequential([keras.Input((12, 12, 3)), *stack, layers.Dense(CLASSES)])
    with pytest.raises(
        ModelError, match=r"^Grad-CAM needs a layer with a kernel, such as Conv2D, whose output has more"
    ):
        Explainer(model)


def test_models_that_are_not_image_classifiers_are_refused() -> None:
    image = keras.Input((12, 12, 3))
    maps = layers.Conv2D(4, 3)(image)
    with pytest.raises(ModelError, match=r"^a classifier's output is \(batch, classes\)\. Received: .*\(None, 10, 10"):
        Explainer(keras.Model(image, maps))
    with pytest.raises(ModelError, match=r"^a classifier has one input and one output"):
        Explainer(keras.Model(image, [layers.Flatten()(maps), layers.Flatten()(image)]))
    with pytest.raises(ModelError, match=r"^the model does not take images, .* input shape \(5,\)"):
        Explainer(keras.Sequential([keras.Input((5,)), layers.Dense(2)]))
    with pytest.raises(ModelError, match=r"^the model has no graph of layers"):
        Explainer(keras.Sequential([layers.Dense(2)]))


@pytest.mark.parametrize(
    ("shape", "classes", "message"),
    [
        ((4, 12, 12), None, r"images: the model takes arrays of shape \(n, 12, 12, 3\)\. Received: \(4, 12, 12\)"),
        ((4, 12, 10, 3), None, r"images: the model takes arrays"),
        ((2, 12, 12, 3), [0], r"classes: give one class for each of the 2 images\. Received: \[0\]"),
        ((2, 12, 12, 3), 1, r"classes: give one class for each of the 2 images\. Received: 1"),
        ((2, 12, 12, 3), [0, 3], r"classes: the model's classes are the integers 0 to 2\. Received: \[0, 3\]"),
        ((2, 12, 12, 3), [-1, 0], r"classes: the model's classes are the integers 0 to 2"),
        ((2, 12, 12, 3), [0.5, 1.0], r"classes: the model's classes are the integers 0 to 2"),
        ((2, 12, 12, 3), ["a", "b"], r"classes: the model's classes are the integers 0 to 2"),
    ],
)
def test_wrong_arguments(shape: tuple[int, ...], classes: Any, message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}"):
        Explainer(_ending(layers.Dense(CLASSES))).heatmaps(np.zeros(shape, np.uint8), classes)


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(InputError, match=r"^method: must be one of hires-cam, grad-cam\. Received: 'cam'"):
        Explainer(_ending(layers.Dense(CLASSES)), "cam")  # type: ignore[arg-type]


def test_a_model_that_computes_nan_is_reported() -> None:
    model = _ending(layers.Dense(CLASSES))
    model.layers[2].bias.assign(np.full(6, np.nan))
    with pytest.raises(ModelError, match="computes NaN or infinity"):
        Explainer(model).heatmaps(_images())


def test_an_output_without_gradient_is_reported() -> None:
    image = keras.Input((12, 12, 3))
    x = keras.ops.stop_gradient(layers.Conv2D(4, 3)(image))
    x = keras.ops.cast(keras.ops.argmax(x, axis=1), "float32")
    with pytest.raises(ModelError, match="not differentiable"):
        Explainer(keras.Model(image, keras.ops.mean(x, axis=1))).heatmaps(_images())
