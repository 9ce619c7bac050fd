"""A model of your own: `stridednet train pictures --model examples/own_model.py:build`."""

import keras
from keras import layers

from stridednet.models import fire_module


def build(width: int, height: int, depth: int, classes: int) -> keras.Model:
    image = layers.Input((height, width, depth))
    x = layers.Rescaling(1 / 255)(image)  # pixels come as 0 to 255
    x = layers.Conv2D(32, 3, strides=2, padding="same", activation="relu")(x)
    x = fire_module(x, 16, 64, 64)
    x = layers.Conv2D(128, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(classes, activation="softmax")(x))
