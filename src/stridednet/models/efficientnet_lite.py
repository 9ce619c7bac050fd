"""EfficientNet-Lite: inverted residual blocks of depthwise convolutions, without squeeze-and-excitation or swish.

Tan and Le 2019, "EfficientNet", arXiv:1905.11946; the variant for phones is that of
https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite.
"""

import math
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from stridednet.models.conv_unit import channel_axis
from stridednet.models.frame import averaged_classifier, image_input

FEATURES = 1280
PRETRAINED_SIZE = 224  # height and width of the images that the published weights were trained on, in pixels
_STEM_FILTERS = 32
_RESCALING = (1 / 128, -127 / 128)
_EPSILON = 1e-3


@dataclass(frozen=True)
class Block:
    """An inverted residual block.

    Args:
        kernel_size: Of the depthwise convolution.
        strides: Of the depthwise convolution.
        expansion: Channels of the depthwise convolution for each channel of the block's input.
        filters: Channels of the block's output.
    """

    kernel_size: int
    strides: int
    expansion: int
    filters: int


# Number of blocks, kernel size, strides of the first block, expansion and filters of each stage of Lite0.
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_MULTIPLE = 8  # of filters


def blocks(width: float = 1.0, depth: float = 1.0) -> tuple[Block, ...]:
    """Return the blocks of a larger network; stem, features and the number of blocks at both ends are those of Lite0.

    Args:
        width: Factor of the filters of Lite0.
        depth: Factor of the number of blocks in a stage, rounded up.

    Examples:
        >>> len(blocks()), len(blocks(1.1, 1.2)), blocks(1.1, 1.2)[-1]
        (16, 21, Block(kernel_size=3, strides=1, expansion=6, filters=352))
    """
    found: list[Block] = []
    for stage, (count, kernel_size, strides, expansion, filters) in enumerate(_STAGES):
        repeated = count if stage in (0, len(_STAGES) - 1) else math.ceil(depth * count)
        found += [
            Block(kernel_size, strides if number == 0 else 1, expansion, _rounded(width * filters))
            for number in range(repeated)
        ]
    return tuple(found)


def _rounded(filters: float) -> int:
    """Return the nearest multiple of 8, but at least 90%."""
    nearest = max(_MULTIPLE, int(filters + _MULTIPLE / 2) // _MULTIPLE * _MULTIPLE)
    return nearest if nearest >= 0.9 * filters else nearest + _MULTIPLE


@dataclass(frozen=True)
class Variant:
    """One of the published networks.

    Args:
        width: Factor of the filters of Lite0.
        depth: Factor of the number of blocks of Lite0.
    """

    width: float
    depth: float


VARIANTS = {"efficientnet_lite0": Variant(1.0, 1.0), "efficientnet_lite2": Variant(1.1, 1.2)}


def build_efficientnet_lite(
    width: int,
    height: int,
    depth: int,
    classes: int,
    *,
    variant: str = "efficientnet_lite0",
    dense_dropout: float = 0.2,
) -> keras.Model:
    """Build an EfficientNet-Lite with random weights, not compiled; `stridednet.models.pretrained` has trained ones.

    Args:
        width: Image width, in pixels.
        height: Image height, in pixels.
        depth: Number of channels of the images.
        classes: Number of classes.
        variant: A name in `VARIANTS`.
        dense_dropout: Dropout rate before the last layer.

    Input shape:
        ``(batch, height, width, depth)``, pixels in 0 to 255, or ``(batch, depth, height, width)`` with channels first.

    Output shape:
        ``(batch, classes)``, probabilities.

    Examples:
        >>> build_efficientnet_lite(160, 160, 3, 4).output_shape
        (None, 4)
    """
    inputs, x = image_input(width, height, depth, _RESCALING)
    x = layers.Conv2D(_STEM_FILTERS, 3, strides=2, padding="same", use_bias=False, name="stem")(x)
    x = _normalized(x, "stem", activated=True)
    size = VARIANTS[variant]
    for number, block in enumerate(blocks(size.width, size.depth), start=1):
        x = _inverted_residual(x, block, f"block{number}")
    x = layers.Conv2D(FEATURES, 1, padding="same", use_bias=False, name="features")(x)
    x = _normalized(x, "features", activated=True)
    return averaged_classifier(inputs, x, classes, dense_dropout, variant)


def _inverted_residual(x: Any, block: Block, name: str) -> Any:
    channels = x.shape[channel_axis()]
    y = x
    if block.expansion != 1:
        y = layers.Conv2D(block.expansion * channels, 1, padding="same", use_bias=False, name=f"{name}_expand")(y)
        y = _normalized(y, f"{name}_expand", activated=True)
    y = layers.DepthwiseConv2D(
        block.kernel_size, strides=block.strides, padding="same", use_bias=False, name=f"{name}_depthwise"
    )(y)
    y = _normalized(y, f"{name}_depthwise", activated=True)
    y = layers.Conv2D(block.filters, 1, padding="same", use_bias=False, name=f"{name}_project")(y)
    y = _normalized(y, f"{name}_project", activated=False)
    if block.strides == 1 and channels == block.filters:
        y = layers.Add(name=f"{name}_add")([y, x])
    return y


def _normalized(x: Any, name: str, *, activated: bool) -> Any:
    x = layers.BatchNormalization(axis=channel_axis(), epsilon=_EPSILON, name=f"{name}_norm")(x)
    return layers.ReLU(max_value=6.0, name=f"{name}_relu6")(x) if activated else x
