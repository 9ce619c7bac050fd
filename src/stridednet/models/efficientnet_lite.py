"""EfficientNet-Lite0: inverted residual blocks of depthwise convolutions, without squeeze-and-excitation or swish.

Tan and Le 2019, "EfficientNet", arXiv:1905.11946; the variant for phones is that of
https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite.
"""

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


# Number of blocks, kernel size, strides of the first block, expansion and filters of each stage.
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
BLOCKS = tuple(
    Block(kernel_size, strides if number == 0 else 1, expansion, filters)
    for count, kernel_size, strides, expansion, filters in _STAGES
    for number in range(count)
)


def build_efficientnet_lite0(
    width: int, height: int, depth: int, classes: int, *, dense_dropout: float = 0.2
) -> keras.Model:
    """Build EfficientNet-Lite0 with random weights, not compiled; `stridednet.models.pretrained` has trained ones.

    Args:
        width: Image width, in pixels.
        height: Image height, in pixels.
        depth: Number of channels of the images.
        classes: Number of classes.
        dense_dropout: Dropout rate before the last layer.

    Input shape:
        ``(batch, height, width, depth)``, pixels in 0 to 255, or ``(batch, depth, height, width)`` with channels first.

    Output shape:
        ``(batch, classes)``, probabilities.

    Examples:
        >>> build_efficientnet_lite0(160, 160, 3, 4).output_shape
        (None, 4)
    """
    inputs, x = image_input(width, height, depth, _RESCALING)
    x = layers.Conv2D(_STEM_FILTERS, 3, strides=2, padding="same", use_bias=False, name="stem")(x)
    x = _normalized(x, "stem", activated=True)
    for number, block in enumerate(BLOCKS, start=1):
        x = _inverted_residual(x, block, f"block{number}")
    x = layers.Conv2D(FEATURES, 1, padding="same", use_bias=False, name="features")(x)
    x = _normalized(x, "features", activated=True)
    return averaged_classifier(inputs, x, classes, dense_dropout, "efficientnet_lite0")


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
