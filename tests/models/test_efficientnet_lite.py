"""The model is compared with functions of PyTorch that read the published file's own names, independently of Keras."""

import keras
import numpy as np
import pytest
import torch
import torch.nn.functional as nn

from stridednet.executor.predictor import Predictor
from stridednet.models.efficientnet_lite import build_efficientnet_lite0
from stridednet.models.pretrained import load_pretrained, pretrained_arrays, weights_file

# Blocks, kernel size, stride of the first block, expansion: of each stage in the published source.
STAGES = ((1, 3, 1, 1), (2, 3, 2, 6), (2, 5, 2, 6), (3, 3, 2, 6), (3, 5, 1, 6), (4, 5, 2, 6), (1, 3, 1, 6))
BLOCKS = [(k, s if n == 0 else 1, e) for count, k, s, e in STAGES for n in range(count)]


def reference_logits(images: np.ndarray, state: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the features and the logits of the 1,000 classes for RGB images in 0 to 255."""

    def same(x: torch.Tensor, key: str, stride: int = 1, groups: int = 1) -> torch.Tensor:
        kernel = state[f"{key}.weight"]
        size = kernel.shape[-1]
        total = [max((-(-side // stride) - 1) * stride + size - side, 0) for side in x.shape[2:]]
        (top, bottom), (left, right) = ((pad // 2, pad - pad // 2) for pad in total)
        return nn.conv2d(nn.pad(x, (left, right, top, bottom)), kernel, None, stride, groups=groups)

    def norm(x: torch.Tensor, key: str) -> torch.Tensor:
        parts = [state[f"{key}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
        return nn.batch_norm(x, *parts, eps=1e-3)

    x = torch.from_numpy((images.astype(np.float32) - 127) / 128).permute(0, 3, 1, 2)
    x = nn.relu6(norm(same(x, "_conv_stem", 2), "_bn0"))
    for number, (_, stride, expansion) in enumerate(BLOCKS):
        key, y = f"_blocks.{number}", x
        if expansion > 1:
            y = nn.relu6(norm(same(y, f"{key}._expand_conv"), f"{key}._bn0"))
        y = nn.relu6(norm(same(y, f"{key}._depthwise_conv", stride, y.shape[1]), f"{key}._bn1"))
        y = norm(same(y, f"{key}._project_conv"), f"{key}._bn2")
        x = x + y if stride == 1 and x.shape == y.shape else y
    x = nn.relu6(norm(same(x, "_conv_head"), "_bn1")).mean((2, 3))
    return x, x @ state["_fc.weight"].T + state["_fc.bias"]


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    return torch.load(weights_file("efficientnet_lite0"), weights_only=True)


def some_images(size: int) -> np.ndarray:
    rng = np.random.default_rng(size)
    coarse = rng.integers(0, 256, (2, 7, 7, 3), dtype=np.uint8)
    return np.concatenate(
        [
            coarse.repeat(size // 7 + 1, 1).repeat(size // 7 + 1, 2)[:, :size, :size],
            rng.integers(0, 256, (2, size, size, 3), dtype=np.uint8),
        ]
    )


@pytest.mark.parametrize("size", [64, 95])
def test_features_and_probabilities_are_those_of_the_published_weights(
    size: int, state: dict[str, torch.Tensor]
) -> None:
    model = build_efficientnet_lite0(size, size, 3, 1000)
    load_pretrained(model, "efficientnet_lite0")
    arrays = pretrained_arrays("efficientnet_lite0")
    model.layers[-1].set_weights([arrays["probabilities/kernel"], arrays["probabilities/bias"]])
    images = some_images(size)
    with torch.no_grad():
        features, logits = reference_logits(images, state)
    found = keras.Model(model.inputs, model.layers[-2].output).predict(images, verbose=0)
    np.testing.assert_allclose(found, features, atol=1e-4)
    expected = torch.softmax(logits, 1)
    np.testing.assert_allclose(model.predict(images, verbose=0), expected, atol=1e-5)
    np.testing.assert_allclose(Predictor(model).predict(images), expected, atol=1e-5)


def test_every_array_of_the_file_has_its_variable(state: dict[str, torch.Tensor]) -> None:
    model = build_efficientnet_lite0(32, 32, 3, 1000)
    of_model = {
        variable.path: tuple(variable.shape) for variable in model.weights if variable.name != "seed_generator_state"
    }
    arrays = {path: array.shape for path, array in pretrained_arrays("efficientnet_lite0").items()}
    assert arrays == of_model
    assert sum(np.prod(shape) for shape in arrays.values()) == sum(
        tensor.numel() for key, tensor in state.items() if "num_batches" not in key
    )
