"""A residual network of bottlenecks: 1x1, 3x3 and 1x1 convolutions with a shortcut connection.

He et al. 2015, "Deep Residual Learning for Image Recognition", arXiv:1512.03385.
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
)
from stridednet.models.frame import Rescaling, averaged_classifier, image_input

EXPANSION = 4  # output channels per filter of the 3x3 convolution, as in the paper's ResNet-50


def bottleneck(x: Any, filters: int, strides: int = 1, *, style: Style = PLAIN, name: str | None = None) -> Any:
    """Apply 1x1, 3x3 and 1x1 convolutions and add their output to the input.

    The convolutions have no bias, since the batch normalization after each of them would remove it. Where the shape
    changes, the shortcut is a 1x1 convolution (the paper's option B). The stride is that of the 3x3 convolution; in
    the paper it is that of the first 1x1 convolution, which ignores three of four positions.

    Args:
        x: Tensor of shape ``(batch, height, width, channels)``.
        filters: Number of filters of the first two convolutions; the third has four times as many.
        strides: Step between windows, in pixels; 2 halves height and width.
        style: Activation, initializer, regularizer and batch normalization.
        name: Prefix of the layers' names; None lets Keras choose them.

    Returns:
        Tensor of shape ``(batch, ceil(height / strides), ceil(width / strides), 4 * filters)``.

    Raises:
        ValueError: ``x`` does not have four dimensions, or ``filters`` or ``strides`` is not positive.

    Examples:
        >>> x = keras.Input((56, 56, 256))
        >>> bottleneck(x, 128, strides=2).shape
        (None, 28, 28, 512)
    """
    wide = EXPANSION * filters

    def conv(x: Any, count: int, kernel_size: int, which: str, step: int = 1) -> Any:
        own = layer_name(name, which)
        x = convolution(x, count, kernel_size, style, strides=step, use_bias=False, name=own)
        return normalized(x, style, own)

    y = activated(conv(x, filters, 1, "reduce"), style, layer_name(name, "reduce"))
    y = activated(conv(y, filters, 3, "conv", strides), style, layer_name(name, "conv"))
    y = conv(y, wide, 1, "expand")
    unchanged = strides == 1 and x.shape[channel_axis()] == wide
    shortcut = x if unchanged else conv(x, wide, 1, "shortcut", strides)
    return activated(layers.Add(name=layer_name(name, "add"))([y, shortcut]), style, name)


def build_residual(
    width: int,
    height: int,
    depth: int,
    classes: int,
    *,
    stem_filters: int = 16,
    stem_kernel: int = 7,
    filters: Sequence[int] = (32, 64, 128),
    blocks: int = 2,
    dropout: float = 0.25,
    dense_dropout: float = 0.5,
    rescaling: Rescaling | None = None,
    style: Style = PLAIN,
) -> keras.Model:
    """Build a small residual network, not compiled: a strided convolution, 3x3 max pooling and stages of bottlenecks.

    Args:
        width: Image width, in pixels.
        height: Image height, in pixels.
        depth: Number of channels of the images.
        classes: Number of classes.
        stem_filters: Number of filters of the first convolution, which has stride 2.
        stem_kernel: Kernel size of the first convolution.
        filters: Number of filters of the 3x3 convolutions, per stage. The output of a stage has four times as many
            channels. Each stage except the first halves height and width.
        blocks: Number of bottlenecks per stage.
        dropout: Dropout rate after each stage; the paper uses no dropout.
        dense_dropout: Dropout rate before the last layer; the paper uses no dropout.
        rescaling: ``(scale, offset)`` applied to pixels in 0 to 255, or None if the images are already rescaled.
        style: Activation, initializer, regularizer and batch normalization.

    Input shape:
        ``(batch, height, width, depth)``, or ``(batch, depth, height, width)`` with channels first.

    Output shape:
        ``(batch, classes)``, probabilities.

    Raises:
        ValueError: A number of filters or ``classes`` is not positive.

    Examples:
        >>> build_residual(96, 96, 3, 4).output_shape
        (None, 4)
    """
    inputs, x = image_input(width, height, depth, rescaling)
    x = convolution(x, stem_filters, stem_kernel, style, strides=2, use_bias=False, name="stem")
    x = halved(activated(normalized(x, style, "stem"), style, "stem"), 3, "stem_pool")
    for stage, count in enumerate(filters, start=1):
        for block in range(1, blocks + 1):
            strides = 2 if block == 1 and stage > 1 else 1
            x = bottleneck(x, count, strides, style=style, name=f"stage{stage}_block{block}")
        x = layers.Dropout(dropout, name=f"stage{stage}_dropout")(x)
    return averaged_classifier(inputs, x, classes, dense_dropout, "residual")
