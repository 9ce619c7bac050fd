"""A residual network of bottlenecks: 1x1, 3x3 and 1x1 convolutions, and a way past them.

He et al. 2015, "Deep Residual Learning for Image Recognition", arXiv:1512.03385.
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
)
from stridednet.models.frame import Rescaling, averaged_classifier, image_input

EXPANSION = 4  # the last 1x1 convolution's filters for each of the others', as in the paper's ResNet-50


def bottleneck(x: Any, filters: int, strides: int = 1, *, style: Style = PLAIN, name: str | None = None) -> Any:
    """Add to the input what 1x1, 3x3 and 1x1 convolutions make of it.

    Batch normalisation stands directly behind each convolution, whose bias it would take away again: there is none.
    Where the shape changes, a 1x1 convolution brings the input into the new one (the paper's option B). The 3x3
    convolution has the stride; in the paper the first 1x1 has it, which skips three of four positions.

    Args:
        x: ``(batch, height, width, channels)``.
        filters: Of the first two convolutions; the third has four times as many.
        strides: 2 halves the image.
        style: Activation, initializer, regularizer and batch normalisation.
        name: In front of the layers' names.

    Returns:
        ``(batch, ceil(height / strides), ceil(width / strides), 4 * filters)``.
    """
    wide = EXPANSION * filters

    def conv(x: Any, count: int, kernel_size: int, which: str, step: int = 1) -> Any:
        own = part(name, which)
        x = convolution(x, count, kernel_size, style, strides=step, use_bias=False, name=own)
        return normalized(x, style, own)

    y = activated(conv(x, filters, 1, "reduce"), style, part(name, "reduce"))
    y = activated(conv(y, filters, 3, "conv", strides), style, part(name, "conv"))
    y = conv(y, wide, 1, "expand")
    unchanged = strides == 1 and x.shape[channel_axis()] == wide
    shortcut = x if unchanged else conv(x, wide, 1, "shortcut", strides)
    return activated(layers.Add(name=part(name, "add"))([y, shortcut]), style, name)


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
    """Build a small residual network, not compiled: the paper's stem (strided convolution, 3x3 max pooling) and stages.

    Args:
        width: Of the images, in pixels.
        height: Of the images, in pixels.
        depth: Channels of the images.
        classes: How many there are to tell apart.
        stem_filters: Of the strided convolution in front.
        stem_kernel: Its kernel size.
        filters: Of the 3x3 convolutions in each stage; a stage gives four times as many channels. Each stage but the
            first halves the image.
        blocks: Bottlenecks in each stage.
        dropout: Rate behind each stage; the paper has none.
        dense_dropout: Rate before the last layer; the paper has none.
        rescaling: ``(scale, offset)`` for pixels in 0 to 255, or None.
        style: Activation, initializer, regularizer and batch normalisation.

    Input shape:
        ``(batch, height, width, depth)``, or ``(batch, depth, height, width)`` if channels come first.

    Output shape:
        ``(batch, classes)``, probabilities.
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
