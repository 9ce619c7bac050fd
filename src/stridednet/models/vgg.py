"""VGG: stages of 3x3 convolutions and max pooling, each with more filters than the one before.

Simonyan and Zisserman 2014, "Very Deep Convolutional Networks for Large-Scale Image Recognition", arXiv:1409.1556.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from stridednet.models.conv_unit import PLAIN, Style, activated, fresh, halved, layer_name, normalized, unit
from stridednet.models.frame import Rescaling, classifier, image_input


def vgg_block(x: Any, filters: int, convolutions: int = 2, *, style: Style = PLAIN, name: str | None = None) -> Any:
    """Apply 3x3 convolutions and 2x2 max pooling.

    Two 3x3 convolutions have the receptive field of one 5x5 convolution, with 18 instead of 25 weights for each pair of
    channels and an additional activation (section 2.3 of the paper).

    Args:
        x: Tensor of shape ``(batch, height, width, channels)``.
        filters: Number of filters of each convolution.
        convolutions: Number of convolutions.
        style: Activation, initializer, regularizer and batch normalization.
        name: Prefix of the layers' names; None lets Keras choose them.

    Returns:
        Tensor of shape ``(batch, ceil(height / 2), ceil(width / 2), filters)``.

    Raises:
        ValueError: ``x`` does not have four dimensions, or ``filters`` is not positive.

    Examples:
        >>> x = keras.Input((224, 224, 3))
        >>> vgg_block(x, 64).shape
        (None, 112, 112, 64)
    """
    for number in range(1, convolutions + 1):
        x = unit(x, filters, 3, style, name=layer_name(name, f"conv{number}"))
    return halved(x, 2, layer_name(name, "pool"))


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
    """Build a small VGG, not compiled: a block with one convolution, as in the paper's network A, then the stages.

    Args:
        width: Image width, in pixels.
        height: Image height, in pixels.
        depth: Number of channels of the images.
        classes: Number of classes.
        stem_filters: Number of filters of the first block. It works at full resolution and so costs the most.
        filters: Number of filters of the convolutions, per stage.
        convolutions: Number of convolutions per stage.
        dropout: Dropout rate after each stage.
        dense_units: Number of units of the hidden dense layer; the paper has two with 4,096 units.
        dense_dropout: Dropout rate after the hidden dense layer.
        rescaling: ``(scale, offset)`` applied to pixels in 0 to 255, or None if the images are already rescaled.
        style: Activation, initializer, regularizer and batch normalization.

    Input shape:
        ``(batch, height, width, depth)``, or ``(batch, depth, height, width)`` with channels first.

    Output shape:
        ``(batch, classes)``, probabilities.

    Raises:
        ValueError: A number of filters or ``classes`` is not positive.

    Examples:
        >>> build_vgg(96, 96, 3, 4).output_shape
        (None, 4)
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
