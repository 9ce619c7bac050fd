import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from conftest import ON_JAX
from stridednet import StridedNet
from stridednet.errors import ModelError, RecipeError
from stridednet.models.catalogue import build_model
from stridednet.recipe import Recipe

# The table in the tutorial: output shape of each convolution for a 96x96x3 input.
CONVOLUTIONS = [
    ("stem", 7, 2, "valid", (45, 45, 16)),
    ("stage1_conv1", 3, 1, "same", (45, 45, 32)),
    ("stage1_conv2", 3, 2, "same", (23, 23, 32)),
    ("stage2_conv1", 3, 1, "same", (23, 23, 64)),
    ("stage2_conv2", 3, 2, "same", (12, 12, 64)),
    ("stage3_conv1", 3, 1, "same", (12, 12, 128)),
    ("stage3_conv2", 3, 2, "same", (6, 6, 128)),
]


def _build(**arguments: Any) -> keras.Model:
    size = arguments.pop("size", 96)
    return StridedNet.build(size, size, 3, 4, keras.regularizers.L2(0.0005), **arguments)


def test_layers_shapes_and_parameters_match_the_tutorial() -> None:
    model = _build()
    assert model.count_params() == 2_658_820
    assert model.output_shape == (None, 4)
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    found = [
        (layer.name, layer.kernel_size[0], layer.strides[0], layer.padding, layer.output.shape[1:])
        for layer in convolutions
    ]
    assert found == CONVOLUTIONS
    for layer in convolutions:
        assert isinstance(layer.kernel_initializer, keras.initializers.HeNormal)
        assert layer.kernel_regularizer.l2 == 0.0005
        assert layer.activation is keras.activations.linear
    dense, last = (layer for layer in model.layers if isinstance(layer, keras.layers.Dense))
    assert isinstance(dense.kernel_initializer, keras.initializers.HeNormal)
    assert dense.kernel_regularizer is last.kernel_regularizer is None
    assert isinstance(last.kernel_initializer, keras.initializers.GlorotUniform)
    assert last.activation is keras.activations.softmax
    kinds = [type(layer).__name__ for layer in model.layers[2:]]
    stage = ["Conv2D", "Activation", "BatchNormalization"] * 2 + ["Dropout"]
    head = ["Flatten", "Dense", "Activation", "BatchNormalization", "Dropout", "Dense"]
    assert kinds == stage * 3 + head
    rates = [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    assert rates == [0.25, 0.25, 0.25, 0.5]


@pytest.mark.parametrize("size", [28, 33, 64, 96, 97])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_max_pooling_instead_of_strides_keeps_sizes_and_parameters(size: int, padding: str) -> None:
    if size < 64 and padding == "valid":
        with pytest.raises(
            ModelError, match=rf"cannot be built for images of {size}x{size} pixels: .*; use larger images"
        ):
            _build(size=size, padding=padding)
        return
    strided, pooled = (_build(size=size, padding=padding, downsample=how) for how in ("strides", "max_pool"))
    assert pooled.count_params() == strided.count_params()
    assert [layer.output.shape for layer in pooled.layers if "dropout" in layer.name] == [
        layer.output.shape for layer in strided.layers if "dropout" in layer.name
    ]
    assert all(layer.strides == (1, 1) for layer in pooled.layers if isinstance(layer, keras.layers.Conv2D))
    assert sum(isinstance(layer, keras.layers.MaxPooling2D) for layer in pooled.layers) == 4


def test_channels_first_gives_the_same_outputs() -> None:
    last = _build(size=32)
    try:
        keras.config.set_image_data_format("channels_first")
        first = _build(size=32)
    finally:
        keras.config.set_image_data_format("channels_last")
    assert first.input_shape == (None, 3, 32, 32)
    assert first.count_params() == last.count_params()
    first.set_weights(last.get_weights())
    images = np.random.default_rng(0).random((2, 32, 32, 3), np.float32)
    expected = last.predict_on_batch(images)
    assert np.allclose(first.predict_on_batch(images.transpose(0, 3, 1, 2)), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "layer", "attribute", "expected"),
    [
        ({"stem_filters": 8}, "stem", "filters", 8),
        ({"stem_kernel": 3}, "stem", "kernel_size", (3, 3)),
        ({"stem_kernel": (5, 3)}, "stem", "kernel_size", (5, 3)),
        ({"stem_padding": "same"}, "stem", "padding", "same"),
        ({"filters": (8, 16)}, "stage2_conv2", "filters", 16),
        ({"kernel_size": 5}, "stage1_conv2", "kernel_size", (5, 5)),
        ({"padding": "valid"}, "stage1_conv1", "padding", "valid"),
        ({"dilation_rate": 2}, "stage1_conv1", "dilation_rate", (2, 2)),
        ({"dilation_rate": 2}, "stage1_conv2", "dilation_rate", (1, 1)),
        ({"groups": 4}, "stage1_conv2", "groups", 4),
        ({"use_bias": False}, "stage3_conv1", "use_bias", False),
        ({"dropout": 0.1}, "stage2_dropout", "rate", 0.1),
        ({"dense_dropout": 0.2}, "dense_dropout", "rate", 0.2),
        ({"dense_units": 64}, "dense", "units", 64),
        ({"activation": "gelu"}, "stage1_conv1_activation", "activation", keras.activations.gelu),
        ({"activation": "gelu"}, "dense_activation", "activation", keras.activations.gelu),
    ],
)
def test_each_argument_reaches_its_layers(
    arguments: dict[str, Any], layer: str, attribute: str, expected: object
) -> None:
    assert getattr(_build(**arguments).get_layer(layer), attribute) == expected


def test_initializers_regularizers_and_constraints_reach_every_convolution() -> None:
    settings = Recipe().replace(
        {
            "model.kernel_initializer": "glorot_uniform",
            "model.bias_initializer": "ones",
            "model.kernel_regularizer": "l1_l2(0.1, 0.2)",
            "model.bias_regularizer": "l1(0.3)",
            "model.activity_regularizer": "l2(0.4)",
            "model.kernel_constraint": "min_max_norm(0.5, 1.5)",
            "model.bias_constraint": "non_neg",
        }
    )
    model = build_model(settings.model, 32, 3)
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert len(convolutions) == 7
    for layer in convolutions:
        assert isinstance(layer.kernel_initializer, keras.initializers.GlorotUniform)
        assert (np.asarray(layer.bias.value.detach()) == 1).all()
        assert (layer.kernel_regularizer.l1, layer.kernel_regularizer.l2) == pytest.approx((0.1, 0.2))
        assert layer.bias_regularizer.l1 == pytest.approx(0.3)
        assert layer.activity_regularizer.l2 == pytest.approx(0.4)
        assert (layer.kernel_constraint.min_value, layer.kernel_constraint.max_value) == (0.5, 1.5)
        assert layer.kernel_constraint.axis == [0, 1, 2]
        assert isinstance(layer.bias_constraint, keras.constraints.NonNeg)


def test_he_normal_weights_have_the_papers_standard_deviation() -> None:
    keras.utils.set_random_seed(0)
    kernel = _build().get_layer("stage3_conv2").get_weights()[0]
    fan_in = 3 * 3 * 128
    assert kernel.std() == pytest.approx((2 / fan_in) ** 0.5, rel=0.02)  # He et al. 2015, arXiv:1502.01852


def test_one_initializer_object_draws_different_weights_for_each_layer() -> None:
    model = StridedNet.build(64, 64, 3, 4, None, keras.initializers.HeNormal())
    first, second = (model.get_layer(name).get_weights()[0] for name in ("stage1_conv2", "stage2_conv2"))
    numbers = first.ravel()[:9000], second.ravel()[:9000]
    assert abs(np.corrcoef(*numbers)[0, 1]) < 0.05


def test_an_unknown_way_of_downsampling_is_rejected() -> None:
    with pytest.raises(ModelError, match=r"downsample must be 'strides' or 'max_pool'\. Received: 'stride'"):
        _build(downsample="stride")


def test_groups_that_do_not_divide_the_filters_are_rejected() -> None:
    with pytest.raises(ModelError, match=r"groups must divide .*: 3 does not divide 16\. Received: groups=3"):
        _build(groups=3)


def test_an_unknown_model_name_suggests_the_nearest() -> None:
    with pytest.raises(RecipeError, match="no model 'stridenet'; choose stridednet"):
        build_model(Recipe().replace({"model.name": "stridenet"}).model, 96, 4)


def test_the_built_model_takes_raw_pixels() -> None:
    keras.utils.set_random_seed(1)
    raw = build_model(Recipe().model, 32, 3)
    scaled = StridedNet.build(32, 32, 3, 3, None)
    scaled.set_weights(raw.get_weights())
    pixels = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)
    expected = scaled.predict_on_batch(pixels.astype(np.float32) / 255)
    assert np.allclose(raw.predict_on_batch(pixels), expected, atol=1e-5)


OTHER_BACKEND = """
import json, sys
import numpy as np
from stridednet import StridedNet
import keras
assert keras.backend.backend() == "jax"
model = StridedNet.build(32, 32, 3, 4, "l2")
model.load_weights(sys.argv[1])
images = np.random.default_rng(0).random((2, 32, 32, 3), np.float32)
print(json.dumps(np.asarray(model.predict_on_batch(images)).tolist()))
"""


def test_another_backend_gives_the_same_outputs(tmp_path: Path) -> None:
    keras.utils.set_random_seed(3)
    model = StridedNet.build(32, 32, 3, 4, "l2")
    model.save_weights(tmp_path / "model.weights.h5")
    done = subprocess.run(
        [sys.executable, "-c", OTHER_BACKEND, tmp_path / "model.weights.h5"],
        env=ON_JAX,
        capture_output=True,
        text=True,
        check=True,
    )
    images = np.random.default_rng(0).random((2, 32, 32, 3), np.float32)
    assert np.allclose(json.loads(done.stdout.splitlines()[-1]), model.predict_on_batch(images), atol=1e-5)
