"""The all-convolutional net: strided convolutions instead of pooling, and 1x1 convolutions instead of dense layers.

Springenberg et al. 2014, "Striving for Simplicity: The All Convolutional Net", arXiv:1412.6806.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from stridednet.models.conv_unit import PLAIN, Style, layer_name, unit
from stridednet.models.frame import Rescaling, averaged_classifier, image_input


def allconv_block(x: Any, filters: int, convolutions: int = 3, *, style: Style = PLAIN, name: str | None = None) -> Any:
    """Apply 3x3 convolutions, the last one with stride 2: downsampling is learned instead of pooled.

    Args:
        x: Tensor of shape ``(batch, height, width, channels)``.
        filters: Number of filters of each convolution.
        convolutions: Number of convolutions; three in the paper's All-CNN-C.
        style: Activation, initializer, regularizer and batch normalization.
        name: Prefix of the layers' names; None lets Keras choose them.

    Returns:
        Tensor of shape ``(batch, ceil(height / 2), ceil(width / 2), filters)``.

    Raises:
        ValueError: ``x`` does not have four dimensions, or ``filters`` is not positive.

    Examples:
        >>> x = keras.Input((32, 32, 3))
        >>> allconv_block(x, 96).shape
        (None, 16, 16, 96)
    """
    for number in range(1, convolutions + 1):
        strides = 2 if number == convolutions else 1
        x = unit(x, filters, 3, style, strides=strides, name=layer_name(name, f"conv{number}"))
    return x


def allconv_head(x: Any, filters: int, *, style: Style = PLAIN, name: str | None = None) -> Any:
    """Apply a 3x3 and a 1x1 convolution, which replace the dense layers of other networks.

    Args:
        x: Tensor of shape ``(batch, height, width, channels)``.
        filters: Number of filters of both convolutions.
        style: Activation, initializer, regularizer and batch normalization.
        name: Prefix of the layers' names; None lets Keras choose them.

    Returns:
        Tensor of shape ``(batch, height, width, filters)``, to be averaged over all positions.

    Raises:
        ValueError: ``x`` does not have four dimensions, or ``filters`` is not positive.

    Examples:
        >>> x = keras.Input((8, 8, 192))
        >>> allconv_head(x, 192).shape
        (None, 8, 8, 192)
    """
    x = unit(x, filters, 3, style, name=layer_name(name, "conv3x3"))
    return unit(x, filters, 1, style, name=layer_name(name, "conv1x1"))


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
    """Build an all-convolutional net, not compiled.

    It has a strided stem, as the paper's net for ImageNet, and then the layers of All-CNN-C.

    Args:
        width: Image width, in pixels.
        height: Image height, in pixels.
        depth: Number of channels of the images.
        classes: Number of classes.
        stem_filters: Number of filters of the first convolution, which has stride 2.
        stem_kernel: Kernel size of the first convolution.
        filters: Number of filters of each block of three convolutions. The last number is also used for the two
            convolutions after the blocks.
        dropout: Dropout rate after each block.
        dense_dropout: Dropout rate before the last layer.
        rescaling: ``(scale, offset)`` applied to pixels in 0 to 255, or None if the images are already rescaled.
        style: Activation, initializer, regularizer and batch normalization.

    Input shape:
        ``(batch, height, width, depth)``, or ``(batch, depth, height, width)`` with channels first.

    Output shape:
        ``(batch, classes)``, probabilities.

    Raises:
        ValueError: A number of filters or ``classes`` is not positive.

    Examples:
        >>> build_allconv(96, 96, 3, 4).output_shape
        (None, 4)
    """
    inputs, x = image_input(width, height, depth, rescaling)
    x = unit(x, stem_filters, stem_kernel, style, strides=2, name="stem")
    for stage, count in enumerate(filters, start=1):
        x = allconv_block(x, count, style=style, name=f"stage{stage}")
        x = layers.Dropout(dropout, name=f"stage{stage}_dropout")(x)
    x = allconv_head(x, filters[-1], style=style, name="head")
    return averaged_classifier(inputs, x, classes, dense_dropout, "allconv")
