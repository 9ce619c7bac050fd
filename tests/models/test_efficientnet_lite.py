"""The model is compared with functions of PyTorch that read the published file's own names, independently of Keras."""

import keras
import numpy as np
import pytest
import torch
import torch.nn.functional as nn

from stridednet.executor.predictor import Predictor
from stridednet.models.efficientnet_lite import VARIANTS, blocks, build_efficientnet_lite
from stridednet.models.pretrained import load_pretrained, pretrained_arrays, weights_file

# Kernel size, stride of the first block, expansion: of each stage in the published source.
STAGES = ((3, 1, 1), (3, 2, 6), (5, 2, 6), (3, 2, 6), (5, 1, 6), (5, 2, 6), (3, 1, 6))
# Blocks of each stage and filters of its output: Lite2 in the published weights.
COUNTS = {"efficientnet_lite0": (1, 2, 2, 3, 3, 4, 1), "efficientnet_lite2": (1, 3, 3, 4, 4, 5, 1)}
FILTERS = {
    "efficientnet_lite0": (16, 24, 40, 80, 112, 192, 320),
    "efficientnet_lite2": (16, 24, 48, 88, 120, 208, 352),
}
NAMES = sorted(COUNTS)


def reference_blocks(name: str) -> list[tuple[int, int, int]]:
    return [
        (kernel, stride if number == 0 else 1, expansion)
        for (kernel, stride, expansion), count in zip(STAGES, COUNTS[name], strict=True)
        for number in range(count)
    ]


def reference_logits(
    images: np.ndarray, name: str, state: dict[str, torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor]:
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
    for number, (_, stride, expansion) in enumerate(reference_blocks(name)):
        key, y = f"_blocks.{number}", x
        if expansion > 1:
            y = nn.relu6(norm(same(y, f"{key}._expand_conv"), f"{key}._bn0"))
        y = nn.relu6(norm(same(y, f"{key}._depthwise_conv", stride, y.shape[1]), f"{key}._bn1"))
        y = norm(same(y, f"{key}._project_conv"), f"{key}._bn2")
        x = x + y if stride == 1 and x.shape == y.shape else y
    x = nn.relu6(norm(same(x, "_conv_head"), "_bn1")).mean((2, 3))
    return x, x @ state["_fc.weight"].T + state["_fc.bias"]


def state_of(name: str) -> dict[str, torch.Tensor]:
    return torch.load(weights_file(name), weights_only=True)


def some_images(size: int) -> np.ndarray:
    rng = np.random.default_rng(size)
    coarse = rng.integers(0, 256, (2, 7, 7, 3), dtype=np.uint8)
    return np.concatenate(
        [
            coarse.repeat(size // 7 + 1, 1).repeat(size // 7 + 1, 2)[:, :size, :size],
            rng.integers(0, 256, (2, size, size, 3), dtype=np.uint8),
        ]
    )


@pytest.mark.parametrize(
    ("name", "size"), [("efficientnet_lite0", 64), ("efficientnet_lite0", 95), ("efficientnet_lite2", 65)]
)
def test_features_and_probabilities_are_those_of_the_published_weights(name: str, size: int) -> None:
    model = build_efficientnet_lite(size, size, 3, 1000, variant=name)
    load_pretrained(model, name)
    arrays = pretrained_arrays(name)
    model.layers[-1].set_weights([arrays["probabilities/kernel"], arrays["probabilities/bias"]])
    images = some_images(size)
    with torch.no_grad():
        features, logits = reference_logits(images, name, state_of(name))
    found = keras.Model(model.inputs, model.layers[-2].output).predict(images, verbose=0)
    np.testing.assert_allclose(found, features, atol=1e-4)
    expected = torch.softmax(logits, 1)
    np.testing.assert_allclose(model.predict(images, verbose=0), expected, atol=1e-5)
    np.testing.assert_allclose(Predictor(model).predict(images), expected, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_every_array_of_the_file_has_its_variable(name: str) -> None:
    model = build_efficientnet_lite(32, 32, 3, 1000, variant=name)
    of_model = {
        variable.path: tuple(variable.shape) for variable in model.weights if variable.name != "seed_generator_state"
    }
    arrays = {path: array.shape for path, array in pretrained_arrays(name).items()}
    assert arrays == of_model
    assert sum(np.prod(shape) for shape in arrays.values()) == sum(
        tensor.numel() for key, tensor in state_of(name).items() if "num_batches" not in key
    )


@pytest.mark.parametrize("name", NAMES)
def test_blocks_are_those_of_the_publication(name: str) -> None:
    found = blocks(VARIANTS[name].width, VARIANTS[name].depth)
    assert [(block.kernel_size, block.strides, block.expansion) for block in found] == reference_blocks(name)
    counted = zip(FILTERS[name], COUNTS[name], strict=True)
    assert [block.filters for block in found] == [filters for filters, count in counted for _ in range(count)]
