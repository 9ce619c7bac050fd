"""A convolution with activation and batch normalization: the unit that all architectures consist of."""

from dataclasses import dataclass
from typing import Any

import keras
from keras import layers


@dataclass(frozen=True)
class Style:
    """Settings that all convolutions of a network share.

    Args:
        activation: Activation function, as Keras accepts it.
        kernel_initializer: Kernel initializer, as Keras accepts it. Each layer draws its own weights.
        kernel_regularizer: Kernel regularizer, as Keras accepts it, or None.
        batch_norm: Whether to use batch normalization. The papers older than batch normalization do not; without it,
            the modules have the published numbers of parameters.
        norm_momentum: Momentum of the moving mean and variance. With Keras' default of 0.99 they need hundreds of
            steps to forget their initial values, longer than a short training lasts; with 0.9 they need dozens.

    Examples:
        >>> style = Style(activation="gelu", batch_norm=False)
        >>> style.kernel_initializer
        'he_normal'
    """

    activation: Any = "relu"
    kernel_initializer: Any = "he_normal"
    kernel_regularizer: Any = None
    batch_norm: bool = True
    norm_momentum: float = 0.9


PLAIN = Style()


def convolution(
    x: Any,
    filters: int,
    kernel_size: int,
    style: Style = PLAIN,
    *,
    strides: int = 1,
    use_bias: bool = True,
    name: str | None = None,
) -> Any:
    """Apply a convolution with ``same`` padding, without activation or batch normalization.

    Args:
        x: Tensor of shape ``(batch, height, width, channels)``.
        filters: Number of filters.
        kernel_size: Height and width of the kernel, in pixels.
        style: Provides the kernel initializer and regularizer; the rest is not used.
        strides: Step between windows, in pixels.
        use_bias: Whether to add a bias.
        name: Name of the layer; None lets Keras choose one.

    Returns:
        Tensor of shape ``(batch, ceil(height / strides), ceil(width / strides), filters)``. Input and output have the
        channels first if Keras is configured so.

    Raises:
        ValueError: ``x`` does not have four dimensions, or a size is not positive.

    Examples:
        >>> x = keras.Input((96, 96, 3))
        >>> convolution(x, 16, 7, strides=2).shape
        (None, 48, 48, 16)
    """
    return layers.Conv2D(
        filters,
        kernel_size,
        strides=strides,
        padding="same",
        use_bias=use_bias,
        kernel_initializer=fresh(style.kernel_initializer),
        kernel_regularizer=style.kernel_regularizer,
        name=name,
    )(x)


def activated(x: Any, style: Style = PLAIN, name: str | None = None) -> Any:
    """Apply the activation function; the shape does not change."""
    return layers.Activation(style.activation, name=layer_name(name, "activation"))(x)


def normalized(x: Any, style: Style = PLAIN, name: str | None = None) -> Any:
    """Apply batch normalization per channel if the style has it; the shape does not change."""
    if not style.batch_norm:
        return x
    norm = layers.BatchNormalization(axis=channel_axis(), momentum=style.norm_momentum, name=layer_name(name, "norm"))
    return norm(x)


def unit(
    x: Any, filters: int, kernel_size: int, style: Style = PLAIN, *, strides: int = 1, name: str | None = None
) -> Any:
    """Apply a convolution with bias, the activation function and batch normalization, in StridedNet's order.

    Args:
        x: Tensor of shape ``(batch, height, width, channels)``.
        filters: Number of filters.
        kernel_size: Height and width of the kernel, in pixels.
        style: Activation, initializer, regularizer and batch normalization.
        strides: Step between windows, in pixels.
        name: Name of the convolution and prefix of the other layers' names; None lets Keras choose them.

    Returns:
        Tensor of shape ``(batch, ceil(height / strides), ceil(width / strides), filters)``.

    Raises:
        ValueError: ``x`` does not have four dimensions, or a size is not positive.

    Examples:
        >>> x = keras.Input((96, 96, 3))
        >>> unit(x, 32, 3, Style(activation="gelu"), strides=2).shape
        (None, 48, 48, 32)
    """
    x = convolution(x, filters, kernel_size, style, strides=strides, name=name)
    return normalized(activated(x, style, name), style, name)


def halved(x: Any, pool_size: int, name: str | None = None) -> Any:
    """Apply max pooling with stride 2 and ``same`` padding, so that even a 1x1 input has an output."""
    return layers.MaxPooling2D(pool_size, strides=2, padding="same", name=name)(x)


def channel_axis() -> int:
    """Return the axis of the channels in Keras' configured data format."""
    return -1 if keras.config.image_data_format() == "channels_last" else 1


def fresh(initializer: Any) -> Any:
    """Return a copy of an initializer object, since a shared one would draw the same weights for every layer."""
    return initializer.clone() if isinstance(initializer, keras.initializers.Initializer) else initializer


def layer_name(prefix: str | None, name: str) -> str | None:
    """Return the name of a layer in a module; None, for Keras to choose one, if the module has no name."""
    return None if prefix is None else f"{prefix}_{name}"
