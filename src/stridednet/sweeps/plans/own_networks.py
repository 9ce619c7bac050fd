"""StridedNet with another order, depth, width or input, for plans about what no setting of the recipe changes.

The trials of a sweep depend on this file: after a change, all sweeps whose plans name it are trained again.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from stridednet.models.strided import StridedNet

RESCALING = (1 / 64, -2.0)  # as in the recipe `fast`, like all other defaults here
_LUMA = (0.299, 0.587, 0.114)  # shares of red, green and blue in gray (ITU-R BT.601), as in Pillow


def two_3x3(width: int, height: int, depth: int, classes: int) -> keras.Model:
    """Build StridedNet, with two 3x3 convolutions in each stage and batch normalization after the activation."""
    return _network(width, height, depth, classes)


def norm_first(width: int, height: int, depth: int, classes: int) -> keras.Model:
    """Build the same network with batch normalization before the activation."""
    return _network(width, height, depth, classes, norm_first=True)


def one_5x5(width: int, height: int, depth: int, classes: int) -> keras.Model:
    """Build a network with one 5x5 convolution in each stage, which reads what two of 3x3 read."""
    return _network(width, height, depth, classes, kernels=(5,))


def gray(width: int, height: int, depth: int, classes: int) -> keras.Model:
    """Build the same network with gray images: all three channels are the pixel's luma."""
    return _network(width, height, depth, classes, in_gray=True)


def shallow_and_wide(width: int, height: int, depth: int, classes: int) -> keras.Model:
    """Build a network with one convolution in each stage, and about as many multiply-adds."""
    return _network(width, height, depth, classes, kernels=(3,), filters=(80, 160, 320))


def deep_and_narrow(width: int, height: int, depth: int, classes: int) -> keras.Model:
    """Build a network with four convolutions in each stage, and about as many multiply-adds."""
    return _network(width, height, depth, classes, kernels=(3, 3, 3, 3), filters=(16, 32, 72))


def dropout_before_dense(width: int, height: int, depth: int, classes: int) -> keras.Model:
    """Build StridedNet with dropout of 0.5 only before the last dense layer."""
    return _dropped(width, height, depth, classes, 0.0, 0.5)


def dropout_after_convolutions(width: int, height: int, depth: int, classes: int) -> keras.Model:
    """Build StridedNet with dropout of 0.25 only after the convolutions of each stage."""
    return _dropped(width, height, depth, classes, 0.25, 0.0)


def _dropped(width: int, height: int, depth: int, classes: int, after_stage: float, after_dense: float) -> keras.Model:
    return StridedNet.build(
        width,
        height,
        depth,
        classes,
        None,
        dropout=after_stage,
        dense_dropout=after_dense,
        rescaling=RESCALING,
        norm_momentum=0.9,
    )


def _network(
    width: int,
    height: int,
    depth: int,
    classes: int,
    *,
    kernels: Sequence[int] = (3, 3),
    filters: Sequence[int] = (32, 64, 128),
    norm_first: bool = False,
    in_gray: bool = False,
) -> keras.Model:
    def activated(x: Any) -> Any:
        if norm_first:
            return layers.Activation("relu")(layers.BatchNormalization(momentum=0.9)(x))
        return layers.BatchNormalization(momentum=0.9)(layers.Activation("relu")(x))

    image = layers.Input((height, width, depth))
    x = layers.Rescaling(*RESCALING)(image)
    if in_gray:
        x = layers.Conv2D(depth, 1, use_bias=False, kernel_initializer=_luma, trainable=False)(x)
    x = layers.Conv2D(16, 7, strides=2, kernel_initializer="he_normal")(x)
    for count in filters:
        for place, kernel in enumerate(kernels, start=1):
            strides = 2 if place == len(kernels) else 1
            conv = layers.Conv2D(count, kernel, strides=strides, padding="same", kernel_initializer="he_normal")
            x = activated(conv(x))
        x = layers.Dropout(0.1)(x)
    x = activated(layers.Dense(512, kernel_initializer="he_normal")(layers.Flatten()(x)))
    x = layers.Dropout(0.1)(x)
    return keras.Model(image, layers.Dense(classes, activation="softmax")(x))


def _luma(shape: Sequence[int], dtype: Any = None) -> Any:
    """Return a 1x1 kernel ``(1, 1, 3, 3)`` whose three outputs are the luma of a pixel."""
    channels = keras.ops.convert_to_tensor(_LUMA, dtype)
    return keras.ops.broadcast_to(keras.ops.reshape(channels, (1, 1, 3, 1)), tuple(shape))
