"""Convolution, activation, batch normalisation: what the modules of all architectures are made of."""

from dataclasses import dataclass
from typing import Any

import keras
from keras import layers


@dataclass(frozen=True)
class Style:
    """What all convolutions of a network have in common.

    Args:
        activation: As Keras takes it.
        kernel_initializer: As Keras takes it; each layer draws its own numbers.
        kernel_regularizer: As Keras takes it.
        batch_norm: Whether there is batch normalisation. The papers that are older than it have none; without it, the
            parameters of a module are those published.
        norm_momentum: Of its moving statistics. Keras' 0.99 takes hundreds of steps to forget where they started,
            longer than a training here may last; 0.9 takes dozens.
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
    """Convolve with ``same`` padding, and nothing behind it.

    Returns:
        ``(batch, ceil(height / strides), ceil(width / strides), filters)``, channels first if Keras is set so.
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
    """Apply the activation; the shape stays."""
    return layers.Activation(style.activation, name=part(name, "activation"))(x)


def normalized(x: Any, style: Style = PLAIN, name: str | None = None) -> Any:
    """Normalise each channel over the batch, if the style has batch normalisation; the shape stays."""
    if not style.batch_norm:
        return x
    norm = layers.BatchNormalization(axis=channel_axis(), momentum=style.norm_momentum, name=part(name, "norm"))
    return norm(x)


def unit(
    x: Any, filters: int, kernel_size: int, style: Style = PLAIN, *, strides: int = 1, name: str | None = None
) -> Any:
    """Convolution with a bias, activation, batch normalisation, in StridedNet's order; shapes as for `convolution`."""
    x = convolution(x, filters, kernel_size, style, strides=strides, name=name)
    return normalized(activated(x, style, name), style, name)


def halved(x: Any, pool_size: int, name: str | None = None) -> Any:
    """Max-pool with stride 2; ``same`` padding, so that the smallest image passes through any number of stages."""
    return layers.MaxPooling2D(pool_size, strides=2, padding="same", name=name)(x)


def channel_axis() -> int:
    """Return where the channels are, in Keras' configured data format."""
    return -1 if keras.config.image_data_format() == "channels_last" else 1


def fresh(initializer: Any) -> Any:
    """Give each layer its own, since one initializer object would draw the same numbers for all of them."""
    return initializer.clone() if isinstance(initializer, keras.initializers.Initializer) else initializer


def part(name: str | None, of: str) -> str | None:
    """Name a layer of a module that has a name; without one Keras counts."""
    return None if name is None else f"{name}_{of}"
