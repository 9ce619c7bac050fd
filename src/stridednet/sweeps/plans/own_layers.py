"""StridedNet built in three ways, for the plans `activation` and `data_format`."""

from typing import Any

import keras
from keras import layers

from stridednet.models.strided import StridedNet

RESCALING = (1 / 64, -2.0)  # as in the recipe `fast`


def activation_behind(width: int, height: int, depth: int, classes: int) -> keras.Model:
    """Build StridedNet, which has an Activation layer after each convolution."""
    return StridedNet.build(
        width, height, depth, classes, None, dropout=0.1, dense_dropout=0.1, rescaling=RESCALING, norm_momentum=0.9
    )


def activation_inside(width: int, height: int, depth: int, classes: int) -> keras.Model:
    """Build the same network with the argument ``activation="relu"`` instead of Activation layers."""
    return _network(width, height, depth, classes, "channels_last")


def channels_first(width: int, height: int, depth: int, classes: int) -> keras.Model:
    """Build `activation_inside` with channels first; inputs are transposed, and feature maps transposed back."""
    return _network(width, height, depth, classes, "channels_first")


def _network(width: int, height: int, depth: int, classes: int, data_format: str) -> keras.Model:
    axis = -1 if data_format == "channels_last" else 1

    def conv(x: Any, filters: int, kernel_size: int, **more: Any) -> Any:
        arguments = {"padding": "same", "activation": "relu", "kernel_initializer": "he_normal"} | more
        return layers.Conv2D(filters, kernel_size, data_format=data_format, **arguments)(x)

    image = layers.Input((height, width, depth))
    x = layers.Rescaling(*RESCALING)(image)
    if data_format == "channels_first":
        x = layers.Permute((3, 1, 2))(x)
    x = conv(x, 16, 7, strides=2, padding="valid", activation=None)
    for filters in (32, 64, 128):
        for strides in (1, 2):
            x = layers.BatchNormalization(axis=axis, momentum=0.9)(conv(x, filters, 3, strides=strides))
        x = layers.Dropout(0.1)(x)
    if data_format == "channels_first":
        x = layers.Permute((2, 3, 1))(x)
    x = layers.Dense(512, activation="relu", kernel_initializer="he_normal")(layers.Flatten()(x))
    x = layers.Dropout(0.1)(layers.BatchNormalization(momentum=0.9)(x))
    return keras.Model(image, layers.Dense(classes, activation="softmax")(x))
