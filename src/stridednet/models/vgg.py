"""VGG: 3x3 convolutions only, pooling between them, and more filters in each stage.

Simonyan and Zisserman 2014, "Very Deep Convolutional Networks for Large-Scale Image Recognition", arXiv:1409.1556.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from stridednet.models.convolution import PLAIN, Style, activated, fresh, halved, normalized, part, unit
from stridednet.models.frame import Rescaling, classifier, image_input


def vgg_block(x: Any, filters: int, convolutions: int = 2, *, style: Style = PLAIN, name: str | None = None) -> Any:
    """Put 3x3 convolutions behind each other, then 2x2 max pooling.

    Two of them see 5x5 pixels as one 5x5 convolution does, with 18 weights instead of 25 for each pair of channels and
    an activation in between (section 2.3 of the paper).

    Args:
        x: ``(batch, height, width, channels)``.
        filters: Of each convolution.
        convolutions: How many.
        style: Activation, initializer, regularizer and batch normalisation.
        name: In front of the layers' names.

    Returns:
        ``(batch, ceil(height / 2), ceil(width / 2), filters)``.
    """
    for number in range(1, convolutions + 1):
        x = unit(x, filters, 3, style, name=part(name, f"conv{number}"))
    return halved(x, 2, part(name, "pool"))


def build_vgg(
    width: int,
    height: int,
    depth: int,
    classes: int,
    *,
    stem_filters: int = 16,
    filters: Sequence[int] = (32, 64, 128),
    convolutions: int = 2,
    dropout: float = 0.25,
    dense_units: int = 512,
    dense_dropout: float = 0.5,
    rescaling: Rescaling | None = None,
    style: Style = PLAIN,
) -> keras.Model:
    """Build a small VGG, not compiled: a first block of one convolution, as in the paper's network A, and the stages.

    Args:
        width: Of the images, in pixels.
        height: Of the images, in pixels.
        depth: Channels of the images.
        classes: How many there are to tell apart.
        stem_filters: Of the first block, which sees the whole image: few, since it costs most.
        filters: Of each further block.
        convolutions: In each further block.
        dropout: Rate behind each further block.
        dense_units: Width of the dense layer before the last; the paper has two of 4,096.
        dense_dropout: Rate behind that dense layer.
        rescaling: ``(scale, offset)`` for pixels in 0 to 255, or None.
        style: Activation, initializer, regularizer and batch normalisation.

    Input shape:
        ``(batch, height, width, depth)``, or ``(batch, depth, height, width)`` if channels come first.

    Output shape:
        ``(batch, classes)``, probabilities.
    """
    inputs, x = image_input(width, height, depth, rescaling)
    x = vgg_block(x, stem_filters, 1, style=style, name="stem")
    for stage, count in enumerate(filters, start=1):
        x = vgg_block(x, count, convolutions, style=style, name=f"stage{stage}")
        x = layers.Dropout(dropout, name=f"stage{stage}_dropout")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(dense_units, kernel_initializer=fresh(style.kernel_initializer), name="dense")(x)
    x = normalized(activated(x, style, "dense"), style, "dense")
    x = layers.Dropout(dense_dropout, name="dense_dropout")(x)
    return classifier(inputs, x, classes, "vgg")
