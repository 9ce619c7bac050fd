"""SqueezeNet's fire modules: a few 1x1 filters squeeze the channels, 1x1 and 3x3 filters expand them again.

Iandola et al. 2016, "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters", arXiv:1602.07360.
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


def fire_module(
    x: Any,
    squeeze: int = 16,
    expand_ones: int = 64,
    expand_threes: int = 64,
    *,
    style: Style = PLAIN,
    name: str | None = None,
) -> Any:
    """Squeeze the channels and expand them; the defaults are the paper's fire2.

    Args:
        x: ``(batch, height, width, channels)``.
        squeeze: Filters of the first 1x1 convolution; fewer than there are channels, so that the 3x3 one gets few.
        expand_ones: Filters of the 1x1 convolution behind it.
        expand_threes: Filters of the 3x3 convolution beside that.
        style: Activation, initializer, regularizer and batch normalisation.
        name: In front of the layers' names.

    Returns:
        ``(batch, height, width, expand_ones + expand_threes)``.
    """
    x = unit(x, squeeze, 1, style, name=part(name, "squeeze"))
    branches = []
    for filters, kernel_size in ((expand_ones, 1), (expand_threes, 3)):
        own = part(name, f"expand{kernel_size}x{kernel_size}")
        branches.append(activated(convolution(x, filters, kernel_size, style, name=own), style, own))
    # Each channel is normalised by itself, so that once behind both is the same as once in each branch.
    return normalized(layers.Concatenate(axis=channel_axis(), name=part(name, "concat"))(branches), style, name)


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
    """Build a small SqueezeNet, not compiled: a strided stem, fire modules, 3x3 max pooling between the stages.

    There is no pooling behind the stem: the paper's third strategy is to keep the images large as long as that can be
    paid, and with so few weights it can.

    Args:
        width: Of the images, in pixels.
        height: Of the images, in pixels.
        depth: Channels of the images.
        classes: How many there are to tell apart.
        stem_filters: Of the strided convolution in front.
        stem_kernel: Its kernel size.
        filters: Of each of the two expanding convolutions in each stage; a stage gives twice as many channels. A
            quarter of it squeezes, as in the paper.
        modules: In each stage.
        dropout: Rate behind each stage.
        dense_dropout: Rate before the last layer, 0.5 in the paper.
        rescaling: ``(scale, offset)`` for pixels in 0 to 255, or None.
        style: Activation, initializer, regularizer and batch normalisation.

    Input shape:
        ``(batch, height, width, depth)``, or ``(batch, depth, height, width)`` if channels come first.

    Output shape:
        ``(batch, classes)``, probabilities.
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
