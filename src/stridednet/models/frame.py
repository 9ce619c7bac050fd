"""What stands around every architecture: the image in front, the probabilities behind."""

from typing import Any

import keras
from keras import layers

Rescaling = tuple[float, float]


def image_input(width: int, height: int, depth: int, rescaling: Rescaling | None) -> tuple[Any, Any]:
    """Begin a model.

    Args:
        width: In pixels.
        height: In pixels.
        depth: Channels.
        rescaling: ``Rescaling(scale, offset)`` for pixels in 0 to 255, or None for images that are scaled already.

    Returns:
        The input, ``(batch, height, width, depth)`` or with channels first as Keras is configured, and what the first
        layer gets.
    """
    channels_last = keras.config.image_data_format() == "channels_last"
    inputs = layers.Input((height, width, depth) if channels_last else (depth, height, width), name="image")
    return inputs, layers.Rescaling(*rescaling, name="rescaling")(inputs) if rescaling else inputs


def averaged_classifier(inputs: Any, x: Any, classes: int, dropout: float, name: str) -> keras.Model:
    """End a model with the mean over all positions, dropout and a dense layer with softmax, ``(batch, classes)``.

    The all-convolutional net and SqueezeNet have a 1x1 convolution first and the mean behind it. Both are linear, so
    that their order does not matter; but this one multiplies once for an image, not once for each position.
    """
    x = layers.GlobalAveragePooling2D(name="average")(x)
    x = layers.Dropout(dropout, name="dense_dropout")(x)
    return classifier(inputs, x, classes, name)


def classifier(inputs: Any, x: Any, classes: int, name: str) -> keras.Model:
    """End a model with a dense layer with softmax on ``(batch, features)``."""
    return keras.Model(inputs, layers.Dense(classes, activation="softmax", name="probabilities")(x), name=name)
