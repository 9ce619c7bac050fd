"""Inception: 1x1, 3x3 and 5x5 convolutions and pooling in parallel, with concatenated outputs.

Szegedy et al. 2014, "Going Deeper with Convolutions", arXiv:1409.4842.
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


def inception_module(
    x: Any,
    ones: int = 64,
    reduce_threes: int = 96,
    threes: int = 128,
    reduce_fives: int = 16,
    fives: int = 32,
    pooled: int = 32,
    *,
    style: Style = PLAIN,
    name: str | None = None,
) -> Any:
    """Apply four parallel branches and concatenate their outputs; the defaults are those of GoogLeNet's module 3a.

    Args:
        x: Tensor of shape ``(batch, height, width, channels)``.
        ones: Number of filters of the 1x1 convolution.
        reduce_threes: Number of filters of the 1x1 convolution before the 3x3 one; it makes the latter cheaper.
        threes: Number of filters of the 3x3 convolution.
        reduce_fives: Number of filters of the 1x1 convolution before the 5x5 one.
        fives: Number of filters of the 5x5 convolution.
        pooled: Number of filters of the 1x1 convolution after 3x3 max pooling.
        style: Activation, initializer, regularizer and batch normalization.
        name: Prefix of the layers' names; None lets Keras choose them.

    Returns:
        Tensor of shape ``(batch, height, width, ones + threes + fives + pooled)``.

    Raises:
        ValueError: ``x`` does not have four dimensions, or a number of filters is not positive.

    Examples:
        >>> x = keras.Input((28, 28, 192))
        >>> inception_module(x).shape
        (None, 28, 28, 256)
    """

    def last(x: Any, filters: int, kernel_size: int, which: str) -> Any:
        own = layer_name(name, which)
        return activated(convolution(x, filters, kernel_size, style, name=own), style, own)

    pool = layers.MaxPooling2D(3, strides=1, padding="same", name=layer_name(name, "pool"))(x)
    branches = [
        last(x, ones, 1, "1x1"),
        last(unit(x, reduce_threes, 1, style, name=layer_name(name, "3x3_reduce")), threes, 3, "3x3"),
        last(unit(x, reduce_fives, 1, style, name=layer_name(name, "5x5_reduce")), fives, 5, "5x5"),
        last(pool, pooled, 1, "pool_1x1"),
    ]
    # Batch normalization is per channel: once after concatenation equals once in each branch.
    return normalized(layers.Concatenate(axis=channel_axis(), name=layer_name(name, "concat"))(branches), style, name)


def build_inception(
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
    """Build a small GoogLeNet, not compiled: a strided convolution, 3x3 max pooling and Inception modules.

    It has no auxiliary classifiers.

    Args:
        width: Image width, in pixels.
        height: Image height, in pixels.
        depth: Number of channels of the images.
        classes: Number of classes.
        stem_filters: Number of filters of the first convolution, which has stride 2.
        stem_kernel: Kernel size of the first convolution.
        filters: Number of filters of the 3x3 convolutions, per stage. The other branches have the proportions of
            GoogLeNet's module 3a, which is the one with 128; the output of a stage has twice as many channels. There is
            3x3 max pooling between the stages.
        modules: Number of modules per stage.
        dropout: Dropout rate after each stage.
        dense_dropout: Dropout rate before the last layer; 0.4 in the paper.
        rescaling: ``(scale, offset)`` applied to pixels in 0 to 255, or None if the images are already rescaled.
        style: Activation, initializer, regularizer and batch normalization.

    Input shape:
        ``(batch, height, width, depth)``, or ``(batch, depth, height, width)`` with channels first.

    Output shape:
        ``(batch, classes)``, probabilities.

    Raises:
        ValueError: A number of filters or ``classes`` is not positive.

    Examples:
        >>> build_inception(96, 96, 3, 4).output_shape
        (None, 4)
    """
    inputs, x = image_input(width, height, depth, rescaling)
    x = halved(unit(x, stem_filters, stem_kernel, style, strides=2, name="stem"), 3, "stem_pool")
    for stage, count in enumerate(filters, start=1):
        if stage > 1:
            x = halved(x, 3, f"stage{stage}_pool")
        half, quarter, eighth = (max(1, count // divisor) for divisor in (2, 4, 8))
        widths = (half, max(1, 3 * count // 4), count, eighth, quarter, quarter)
        for module in range(1, modules + 1):
            x = inception_module(x, *widths, style=style, name=f"stage{stage}_module{module}")
        x = layers.Dropout(dropout, name=f"stage{stage}_dropout")(x)
    return averaged_classifier(inputs, x, classes, dense_dropout, "inception")
