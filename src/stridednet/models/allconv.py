"""The all-convolutional net: strided convolutions instead of pooling, and no dense layer of its own.

Springenberg et al. 2014, "Striving for Simplicity: The All Convolutional Net", arXiv:1412.6806.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from stridednet.models.convolution import PLAIN, Style, part, unit
from stridednet.models.frame import Rescaling, averaged_classifier, image_input


def allconv_block(x: Any, filters: int, convolutions: int = 3, *, style: Style = PLAIN, name: str | None = None) -> Any:
    """Put 3x3 convolutions behind each other, the last one with stride 2: it learns how to make the image smaller.

    Args:
        x: ``(batch, height, width, channels)``.
        filters: Of each convolution.
        convolutions: How many; three in the paper's All-CNN-C.
        style: Activation, initializer, regularizer and batch normalisation.
        name: In front of the layers' names.

    Returns:
        ``(batch, ceil(height / 2), ceil(width / 2), filters)``.
    """
    for number in range(1, convolutions + 1):
        strides = 2 if number == convolutions else 1
        x = unit(x, filters, 3, style, strides=strides, name=part(name, f"conv{number}"))
    return x


def allconv_head(x: Any, filters: int, *, style: Style = PLAIN, name: str | None = None) -> Any:
    """Put a 3x3 and a 1x1 convolution where other networks have dense layers.

    Args:
        x: ``(batch, height, width, channels)``.
        filters: Of both.
        style: Activation, initializer, regularizer and batch normalisation.
        name: In front of the layers' names.

    Returns:
        ``(batch, height, width, filters)``; the classes come of the mean over all positions.
    """
    x = unit(x, filters, 3, style, name=part(name, "conv3x3"))
    return unit(x, filters, 1, style, name=part(name, "conv1x1"))


def build_allconv(
    width: int,
    height: int,
    depth: int,
    classes: int,
    *,
    stem_filters: int = 16,
    stem_kernel: int = 7,
    filters: Sequence[int] = (32, 64, 128),
    dropout: float = 0.25,
    dense_dropout: float = 0.5,
    rescaling: Rescaling | None = None,
    style: Style = PLAIN,
) -> keras.Model:
    """Build an all-convolutional net, not compiled: a strided stem, as in the paper's net for ImageNet, and All-CNN-C.

    Args:
        width: Of the images, in pixels.
        height: Of the images, in pixels.
        depth: Channels of the images.
        classes: How many there are to tell apart.
        stem_filters: Of the strided convolution in front.
        stem_kernel: Its kernel size.
        filters: Of each block of three convolutions; the last number is also that of the two convolutions behind them.
        dropout: Rate behind each block.
        dense_dropout: Rate before the last layer.
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
        x = allconv_block(x, count, style=style, name=f"stage{stage}")
        x = layers.Dropout(dropout, name=f"stage{stage}_dropout")(x)
    x = allconv_head(x, filters[-1], style=style, name="head")
    return averaged_classifier(inputs, x, classes, dense_dropout, "allconv")
