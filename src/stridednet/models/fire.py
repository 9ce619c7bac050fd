"""SqueezeNet's fire modules: a 1x1 convolution reduces the channels, 1x1 and 3x3 convolutions expand them again.

Iandola et al. 2016, "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters", arXiv:1602.07360.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from stridednet.models.conv_unit import (
    PLAIN,
    Style,
    activated,
    channel_axis,
    convolution,
    halved,
    layer_name,
    normalized,
    unit,
)
from stridednet.models.frame import Rescaling, averaged_classifier, image_input


def fire_module(
    x: Any,
    squeeze: int = 16,
    expand_ones: int = 64,
    expand_threes: int = 64,
    *,
    style: Style = PLAIN,
    name: str | None = None,
) -> Any:
    """Apply SqueezeNet's fire module; the defaults are those of the paper's fire2.

    Args:
        x: Tensor of shape ``(batch, height, width, channels)``.
        squeeze: Number of filters of the first 1x1 convolution. It should be less than ``channels``, so that the 3x3
            convolution has few input channels.
        expand_ones: Number of filters of the 1x1 convolution after it.
        expand_threes: Number of filters of the 3x3 convolution parallel to that.
        style: Activation, initializer, regularizer and batch normalization.
        name: Prefix of the layers' names; None lets Keras choose them.

    Returns:
        Tensor of shape ``(batch, height, width, expand_ones + expand_threes)``.

    Raises:
        ValueError: ``x`` does not have four dimensions, or a number of filters is not positive.

    Examples:
        >>> x = keras.Input((96, 96, 32))
        >>> fire_module(x, 16, 64, 64).shape
        (None, 96, 96, 128)
    """
    x = unit(x, squeeze, 1, style, name=layer_name(name, "squeeze"))
    branches = []
    for filters, kernel_size in ((expand_ones, 1), (expand_threes, 3)):
        own = layer_name(name, f"expand{kernel_size}x{kernel_size}")
        branches.append(activated(convolution(x, filters, kernel_size, style, name=own), style, own))
    # Batch normalization is per channel: once after concatenation equals once in each branch.
    return normalized(layers.Concatenate(axis=channel_axis(), name=layer_name(name, "concat"))(branches), style, name)


def build_fire(
    width: int,
    height: int,
    depth: int,
    classes: int,
    *,
    stem_filters: int = 16,
    stem_kernel: int = 7,
    filters: Sequence[int] = (32, 64, 128),
    modules: int = 2,
    dropout: float = 0.25,
    dense_dropout: float = 0.5,
    rescaling: Rescaling | None = None,
    style: Style = PLAIN,
) -> keras.Model:
    """Build a small SqueezeNet, not compiled: a strided stem, fire modules, and 3x3 max pooling between the stages.

    There is no pooling after the stem: the paper's third strategy is to downsample late, so that convolutions have
    large inputs, and with so few weights this is affordable.

    Args:
        width: Image width, in pixels.
        height: Image height, in pixels.
        depth: Number of channels of the images.
        classes: Number of classes.
        stem_filters: Number of filters of the first convolution, which has stride 2.
        stem_kernel: Kernel size of the first convolution.
        filters: Number of filters of each of the two expanding convolutions, per stage. The output of a stage has twice
            as many channels; the squeezing convolutions have a quarter as many, as in the paper.
        modules: Number of fire modules per stage.
        dropout: Dropout rate after each stage.
        dense_dropout: Dropout rate before the last layer; 0.5 in the paper.
        rescaling: ``(scale, offset)`` applied to pixels in 0 to 255, or None if the images are already rescaled.
        style: Activation, initializer, regularizer and batch normalization.

    Input shape:
        ``(batch, height, width, depth)``, or ``(batch, depth, height, width)`` with channels first.

    Output shape:
        ``(batch, classes)``, probabilities.

    Raises:
        ValueError: A number of filters or ``classes`` is not positive.

    Examples:
        >>> build_fire(96, 96, 3, 4).output_shape
        (None, 4)
    """
    inputs, x = image_input(width, height, depth, rescaling)
    x = unit(x, stem_filters, stem_kernel, style, strides=2, name="stem")
    for stage, count in enumerate(filters, start=1):
        if stage > 1:
            x = halved(x, 3, f"stage{stage}_pool")
        for module in range(1, modules + 1):
            x = fire_module(x, max(1, count // 4), count, count, style=style, name=f"stage{stage}_module{module}")
        x = layers.Dropout(dropout, name=f"stage{stage}_dropout")(x)
    return averaged_classifier(inputs, x, classes, dense_dropout, "fire")
