"""StridedNet: strided convolutions instead of pooling, 7x7 kernels in the first layer only, He-normal weights."""

from collections.abc import Sequence
from typing import Any, Literal

import keras
from keras import layers

from stridednet.errors import ModelError
from stridednet.models.conv_unit import channel_axis, fresh


class StridedNet:
    """The network of the tutorial; the keyword arguments of `build` vary its design choices.

    Examples:
        >>> model = StridedNet.build(96, 96, 3, 4, reg=keras.regularizers.L2(0.0005))
        >>> model.output_shape, model.count_params()
        ((None, 4), 2658820)
    """

    @staticmethod
    def build(
        width: int,
        height: int,
        depth: int,
        classes: int,
        reg: Any,
        init: Any = "he_normal",
        *,
        stem_filters: int = 16,
        stem_kernel: int | tuple[int, int] = 7,
        stem_padding: Literal["same", "valid"] = "valid",
        filters: Sequence[int] = (32, 64, 128),
        kernel_size: int | tuple[int, int] = 3,
        downsample: Literal["strides", "max_pool"] = "strides",
        padding: Literal["same", "valid"] = "same",
        dilation_rate: int | tuple[int, int] = 1,
        groups: int = 1,
        activation: str = "relu",
        use_bias: bool = True,
        bias_initializer: Any = "zeros",
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.25,
        dense_units: int = 512,
        dense_dropout: float = 0.5,
        rescaling: tuple[float, float] | None = None,
        batch_norm: bool = True,
        norm_momentum: float = 0.99,
    ) -> keras.Model:
        """Build the model, not compiled, in the data format of the Keras configuration.

        The network consists of a stem (one strided convolution without activation), one stage per entry of ``filters``
        (two convolutions, the second strided, each followed by activation and batch normalization, then dropout), a
        hidden dense layer, and a dense layer with softmax.

        Args:
            width: Image width, in pixels.
            height: Image height, in pixels.
            depth: Number of channels of the images.
            classes: Number of classes.
            reg: Kernel regularizer of every convolution, as Keras accepts it.
            init: Kernel initializer of every convolution and of the hidden dense layer, as Keras accepts it.
            stem_filters: Number of filters of the first convolution.
            stem_kernel: Kernel size of the first convolution.
            stem_padding: Padding of the first convolution.
            filters: Number of filters of the two convolutions, per stage.
            kernel_size: Kernel size of the stages' convolutions.
            downsample: How the stem and each stage halve height and width: ``strides``, or ``max_pool`` to replace each
                strided convolution by a convolution with stride 1 followed by 2x2 max pooling. Output shapes and
                numbers of parameters are the same (the comparison of Springenberg et al. 2014, arXiv:1412.6806).
            padding: Padding of the stages' convolutions.
            dilation_rate: Dilation rate of each stage's first convolution; Keras does not allow it with strides, which
                the second has.
            groups: Number of groups of the stages' convolutions; must divide ``stem_filters`` and each of ``filters``.
            activation: Activation after each convolution of a stage and after the hidden dense layer.
            use_bias: Whether the convolutions have a bias.
            bias_initializer: Bias initializer of every convolution.
            bias_regularizer: Bias regularizer of every convolution.
            activity_regularizer: Activity regularizer of every convolution.
            kernel_constraint: Kernel constraint of every convolution.
            bias_constraint: Bias constraint of every convolution.
            dropout: Dropout rate at the end of each stage.
            dense_units: Number of units of the hidden dense layer.
            dense_dropout: Dropout rate after the hidden dense layer.
            rescaling: ``(scale, offset)`` applied to pixels in 0 to 255, such as ``(1 / 255, 0)`` for values in 0 to 1;
                None if the images are already rescaled.
            batch_norm: Whether batch normalization follows each activation.
            norm_momentum: Momentum of the moving mean and variance of batch normalization.

        Input shape:
            ``(batch, height, width, depth)``, or ``(batch, depth, height, width)`` with channels first.

        Output shape:
            ``(batch, classes)``, probabilities.

        Raises:
            ModelError: ``downsample`` is unknown, ``groups`` does not divide a number of filters, or the images are too
                small for this many layers.
        """
        channels_last = keras.config.image_data_format() == "channels_last"
        shared = {
            "use_bias": use_bias,
            "kernel_regularizer": reg,
            "bias_regularizer": bias_regularizer,
            "activity_regularizer": activity_regularizer,
            "kernel_constraint": kernel_constraint,
            "bias_constraint": bias_constraint,
        }
        if downsample not in ("strides", "max_pool"):
            raise ModelError(f"downsample must be 'strides' or 'max_pool'. Received: {downsample!r}")
        _check_groups(groups, stem_filters, filters)

        def conv(x: Any, count: int, kernel: Any, pad: str, name: str, **more: Any) -> Any:
            initializers = {"kernel_initializer": fresh(init), "bias_initializer": fresh(bias_initializer)}
            return layers.Conv2D(count, kernel, padding=pad, name=name, **initializers, **more, **shared)(x)

        def halving_conv(x: Any, count: int, kernel: Any, pad: str, name: str, **more: Any) -> Any:
            return conv(x, count, kernel, pad, name, strides=2 if downsample == "strides" else 1, **more)

        def halved(x: Any, name: str) -> Any:
            return x if downsample == "strides" else layers.MaxPooling2D(2, padding="same", name=name)(x)

        def activated(x: Any, name: str) -> Any:
            x = layers.Activation(activation, name=f"{name}_activation")(x)
            if not batch_norm:
                return x
            return layers.BatchNormalization(axis=channel_axis(), momentum=norm_momentum, name=f"{name}_norm")(x)

        try:
            inputs = layers.Input((height, width, depth) if channels_last else (depth, height, width), name="image")
            x = layers.Rescaling(*rescaling, name="rescaling")(inputs) if rescaling else inputs
            x = halved(halving_conv(x, stem_filters, stem_kernel, stem_padding, "stem"), "stem_pool")
            for stage, count in enumerate(filters, start=1):
                first, second = f"stage{stage}_conv1", f"stage{stage}_conv2"
                x = conv(x, count, kernel_size, padding, first, dilation_rate=dilation_rate, groups=groups)
                x = activated(x, first)
                x = activated(halving_conv(x, count, kernel_size, padding, second, groups=groups), second)
                x = halved(x, f"stage{stage}_pool")
                x = layers.Dropout(dropout, name=f"stage{stage}_dropout")(x)
        except ValueError as error:
            raise ModelError(
                f"StridedNet cannot be built for images of {width}x{height} pixels: {_first_line(error)}; "
                "use larger images, smaller kernels or fewer stages"
            ) from error
        x = layers.Flatten(name="flatten")(x)
        x = layers.Dense(dense_units, kernel_initializer=fresh(init), name="dense")(x)
        x = activated(x, "dense")
        x = layers.Dropout(dense_dropout, name="dense_dropout")(x)
        outputs = layers.Dense(classes, activation="softmax", name="probabilities")(x)
        return keras.Model(inputs, outputs, name="stridednet" if downsample == "strides" else "stridednet_pooled")


def _check_groups(groups: int, stem_filters: int, filters: Sequence[int]) -> None:
    for count in (stem_filters, *filters):
        if count % groups:
            raise ModelError(
                f"groups must divide stem_filters and each of filters: {groups} does not divide {count}. "
                f"Received: groups={groups}, stem_filters={stem_filters}, filters={tuple(filters)}"
            )


def _first_line(error: ValueError) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "a layer has no output")
