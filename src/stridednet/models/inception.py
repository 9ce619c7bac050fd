"""Inception: 1x1, 3x3 and 5x5 convolutions and pooling side by side, their channels concatenated.

Szegedy et al. 2014, "Going Deeper with Convolutions", arXiv:1409.4842.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from stridednet.models.convolution import (
    PLAIN,
    Style,
    activated,
    channel_axis,
    convolution,
    halved,
    normalized,
    part,
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
    """Look at the same input in four ways, and give all that they find; the defaults are GoogLeNet's module 3a.

    Args:
        x: ``(batch, height, width, channels)``.
        ones: Filters of the 1x1 convolution.
        reduce_threes: Filters of the 1x1 convolution before the 3x3 one, which gets cheaper by that.
        threes: Filters of the 3x3 convolution.
        reduce_fives: Filters of the 1x1 convolution before the 5x5 one.
        fives: Filters of the 5x5 convolution.
        pooled: Filters of the 1x1 convolution behind 3x3 max pooling.
        style: Activation, initializer, regularizer and batch normalisation.
        name: In front of the layers' names.

    Returns:
        ``(batch, height, width, ones + threes + fives + pooled)``.
    """

    def last(x: Any, filters: int, kernel_size: int, which: str) -> Any:
        own = part(name, which)
        return activated(convolution(x, filters, kernel_size, style, name=own), style, own)

    pool = layers.MaxPooling2D(3, strides=1, padding="same", name=part(name, "pool"))(x)
    branches = [
        last(x, ones, 1, "1x1"),
        last(unit(x, reduce_threes, 1, style, name=part(name, "3x3_reduce")), threes, 3, "3x3"),
        last(unit(x, reduce_fives, 1, style, name=part(name, "5x5_reduce")), fives, 5, "5x5"),
        last(pool, pooled, 1, "pool_1x1"),
    ]
    # Each channel is normalised by itself, so that once behind them all is the same as once in each branch.
    return normalized(layers.Concatenate(axis=channel_axis(), name=part(name, "concat"))(branches), style, name)


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
    """Build a small GoogLeNet, not compiled: its stem (strided convolution, 3x3 max pooling), modules, no side outputs.

    Args:
        width: Of the images, in pixels.
        height: Of the images, in pixels.
        depth: Channels of the images.
        classes: How many there are to tell apart.
        stem_filters: Of the strided convolution in front.
        stem_kernel: Its kernel size.
        filters: Of the 3x3 convolutions in each stage; the other branches have the proportions of GoogLeNet's module
            3a, which is the one of 128, and a stage gives twice as many channels. Pooling stands between the stages.
        modules: In each stage.
        dropout: Rate behind each stage.
        dense_dropout: Rate before the last layer, 0.4 in the paper.
        rescaling: ``(scale, offset)`` for pixels in 0 to 255, or None.
        style: Activation, initializer, regularizer and batch normalisation.

    Input shape:
        ``(batch, height, width, depth)``, or ``(batch, depth, height, width)`` if channels come first.

    Output shape:
        ``(batch, classes)``, probabilities.
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
