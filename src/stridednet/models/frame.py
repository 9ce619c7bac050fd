"""The input and output layers that all architectures share."""

from typing import Any

import keras
from keras import layers

Rescaling = tuple[float, float]


def image_input(width: int, height: int, depth: int, rescaling: Rescaling | None) -> tuple[Any, Any]:
    """Create the input of a model, rescaled if requested.

    Args:
        width: Image width, in pixels.
        height: Image height, in pixels.
        depth: Number of channels of the images.
        rescaling: ``(scale, offset)`` applied to pixels in 0 to 255, or None if the images are already rescaled.

    Returns:
        The input and the rescaled input, both of shape ``(batch, height, width, depth)``, or with the channels first if
        Keras is configured so.
    """
    channels_last = keras.config.image_data_format() == "channels_last"
    inputs = layers.Input((height, width, depth) if channels_last else (depth, height, width), name="image")
    return inputs, layers.Rescaling(*rescaling, name="rescaling")(inputs) if rescaling else inputs


def averaged_classifier(inputs: Any, x: Any, classes: int, dropout: float, name: str) -> keras.Model:
    """End a model with global average pooling, dropout and a dense layer with softmax.

    The all-convolutional net and SqueezeNet apply a 1x1 convolution first and then average. Both operations are linear,
    so their order does not matter, but averaging first multiplies once per image instead of once per position.

    Args:
        inputs: The model's input.
        x: Tensor of shape ``(batch, height, width, channels)``.
        classes: Number of classes.
        dropout: Dropout rate before the dense layer.
        name: Name of the model.

    Returns:
        A model with an output of shape ``(batch, classes)``.
    """
    x = layers.GlobalAveragePooling2D(name="average")(x)
    x = layers.Dropout(dropout, name="dense_dropout")(x)
    return classifier(inputs, x, classes, name)


def classifier(inputs: Any, x: Any, classes: int, name: str) -> keras.Model:
    """End a model with a dense layer with softmax; ``x`` has the shape ``(batch, features)``."""
    return keras.Model(inputs, layers.Dense(classes, activation="softmax", name="probabilities")(x), name=name)
