"""Random small Keras classifiers, of layers that people use and of many that they rarely do."""

import random
from collections.abc import Callable
from typing import Any

import keras
from keras import layers

CLASSES = 3
LARGEST = 24  # height or width

_ACTIVATIONS = ("relu", "gelu", "elu", "tanh", "sigmoid", "silu", "softmax", "linear", "leaky_relu", "hard_sigmoid")
_DTYPES = ("float16", "float64", "bfloat16", "mixed_float16", "mixed_bfloat16")
_PENALTIES = (None, "l2", keras.regularizers.L1L2(1e-4, 1e-4))


@keras.saving.register_keras_serializable("random_models")
class Halved(layers.Layer):
    """A custom layer without weights, which changes the size."""

    def call(self, x: Any) -> Any:
        """Take every other row."""
        return x[:, ::2]


@keras.saving.register_keras_serializable("random_models")
class Scaled(layers.Layer):
    """A custom layer with a weight, a loss of its own, and another computation in training."""

    def build(self, shape: Any) -> None:
        """Make one weight per channel."""
        self.scale = self.add_weight(shape=(shape[-1],), initializer="ones", name="scale")

    def call(self, x: Any, training: bool = False) -> Any:
        """Scale the channels."""
        self.add_loss(1e-3 * keras.ops.sum(keras.ops.square(keras.ops.cast(self.scale, "float32"))))
        return x * self.scale * (1.01 if training else 1.0)


@keras.saving.register_keras_serializable("random_models")
class Convolution(layers.Conv2D):
    """A subclass that computes what its Keras class does."""


class RandomModel:
    """A generator of classifiers; the same seed gives the same model."""

    def __init__(self, seed: int) -> None:
        """Start with a seed."""
        self.rng = random.Random(seed)
        self.odd_types = self.rng.random() < 0.25

    def build(self) -> Any:
        """Return a classifier of images of an odd shape, with probabilities as outputs."""
        image = keras.Input((self.rng.randint(5, LARGEST), self.rng.randint(5, LARGEST), 3))
        x: Any = layers.Rescaling(1 / 255)(image) if self.rng.random() < 0.8 else image
        x = self.body(x, depth=2, length=self.rng.randint(1, 6))
        return keras.Model(image, self.head(x))

    def head(self, x: Any) -> Any:
        """Turn any tensor into probabilities."""
        rng = self.rng
        if len(x.shape) == 4:
            x = rng.choice([layers.Flatten(), layers.GlobalAveragePooling2D(), layers.GlobalMaxPooling2D()])(x)
        elif len(x.shape) == 3:
            x = rng.choice(
                [layers.Flatten(), layers.GlobalAveragePooling1D(), layers.LSTM(4), layers.Bidirectional(layers.GRU(3))]
            )(x)
        if rng.random() < 0.4:
            x = layers.Dense(rng.randint(1, 8), activation=rng.choice(_ACTIVATIONS), **self.common())(x)
            x = rng.choice([layers.BatchNormalization(), layers.Dropout(0.3), layers.LayerNormalization()])(x)
        if rng.random() < 0.7:
            return layers.Dense(CLASSES, activation="softmax", use_bias=rng.random() < 0.7)(x)
        x = layers.Dense(CLASSES)(x)
        return rng.choice([layers.Softmax(), layers.Activation("softmax"), keras.ops.softmax])(x)

    def body(self, x: Any, depth: int, length: int) -> Any:
        """Apply layers, branches and nested models to a map."""
        for _ in range(length):
            if len(x.shape) != 4 or min(x.shape[1:3]) < 2 or max(x.shape[1:3]) > 2 * LARGEST or x.shape[-1] > 64:
                break
            kind = self.rng.random()
            if kind < 0.12 and depth:
                x = self.nested(x, depth)
            elif kind < 0.3:
                x = self.branches(x, depth)
            elif kind < 0.35:
                shared = layers.Conv2D(x.shape[-1], 3, padding="same", activation="relu")
                x = shared(shared(x))
            elif kind < 0.4:
                x = self.sequence(x)
            elif kind < 0.43:
                x = keras.ops.relu(x * 0.5 + 0.1)
            else:
                x = self.layer(x)(x)
        return x

    def nested(self, x: Any, depth: int) -> Any:
        """Apply a nested model, sometimes one that accepts images of any size, sometimes twice."""
        size = (None, None) if self.rng.random() < 0.3 else tuple(x.shape[1:3])
        image = keras.Input((*size, x.shape[-1]))
        if None in size:
            inner = layers.Conv2D(4, 3, strides=2, padding="same")(image)
            inner = layers.BatchNormalization()(inner)
        else:
            inner = self.body(image, depth - 1, 2)
        if inner is image:
            inner = layers.ReLU()(inner)
        make = keras.Model(image, inner)
        if self.rng.random() < 0.3:
            make = keras.Sequential([keras.Input(image.shape[1:]), make, layers.Identity()])
        x = make(x)
        return make(x) if x.shape == image.shape and self.rng.random() < 0.5 else x

    def branches(self, x: Any, depth: int) -> Any:
        """Apply two branches and merge them."""
        filters = x.shape[-1]
        one = layers.Conv2D(filters, self.rng.choice([1, 3, 5]), padding="same", **self.common())(x)
        two = x if self.rng.random() < 0.5 else layers.DepthwiseConv2D(3, padding="same")(x)
        if self.rng.random() < 0.2:
            two = layers.Dense(filters, activation="sigmoid")(layers.GlobalAveragePooling2D(keepdims=True)(x))
            return layers.Multiply()([one, two])
        if self.rng.random() < 0.2 and depth:
            inner = keras.Input(x.shape[1:])
            two = keras.Model(inner, layers.ReLU()(inner))(x)
        if self.rng.random() < 0.2:
            return one + two
        merges = [layers.Add, layers.Average, layers.Maximum, layers.Minimum, layers.Multiply, layers.Subtract]
        if self.rng.random() < 0.3:
            return layers.Concatenate(axis=self.rng.choice([-1, 3, 1]))([one, two])
        return self.rng.choice(merges)()([one, two])

    def sequence(self, x: Any) -> Any:
        """Treat the rows as a sequence."""
        _, height, width, channels = x.shape
        kind = self.rng.random()
        if kind < 0.3:
            return layers.TimeDistributed(layers.Conv1D(4, 2, padding="same"))(x)
        if kind < 0.5:
            return layers.TimeDistributed(layers.Dense(3))(x)
        x = layers.Reshape((height, width * channels))(x)
        makers: list[Callable[[], Any]] = [
            lambda: layers.Conv1D(4, 3, padding="causal"),
            lambda: layers.Conv1DTranspose(3, 2, strides=2),
            lambda: layers.SeparableConv1D(4, 3, padding="same"),
            lambda: layers.MaxPooling1D(2),
            lambda: layers.LSTM(4, return_sequences=True),
            lambda: layers.TimeDistributed(layers.Dense(4)),
            lambda: layers.UpSampling1D(2),
        ]
        return self.rng.choice(makers)()(x)

    def layer(self, x: Any) -> Any:
        """Return a layer that fits a map."""
        rng = self.rng
        channels = x.shape[-1]
        groups = rng.choice([number for number in range(1, channels + 1) if channels % number == 0])
        padding = "same" if min(x.shape[1:3]) < 6 else rng.choice(["same", "valid", "SAME"])
        activation = rng.choice(_ACTIVATIONS)
        more = self.common()
        weighted = more | {"padding": padding, "activation": activation, "use_bias": rng.random() < 0.7}
        kernel, strides = (rng.randint(1, 4), rng.randint(1, 4)), rng.randint(1, 3)
        plain = {"dtype": more["dtype"]} if "dtype" in more else {}
        makers: list[Callable[[], Any]] = [
            lambda: layers.Conv2D(groups * rng.randint(1, 4), kernel, strides=strides, groups=groups, **weighted),
            lambda: layers.Conv2D(rng.randint(1, 9), 2, dilation_rate=rng.randint(1, 2), **weighted),
            lambda: Convolution(5, 3, **weighted),
            lambda: layers.Conv2DTranspose(3, 3, strides=2, **weighted),
            lambda: layers.SeparableConv2D(5, 3, strides=strides, padding=padding, activation=activation, **plain),
            lambda: layers.DepthwiseConv2D(3, strides=strides, padding=padding, depth_multiplier=2, **plain),
            lambda: layers.MaxPooling2D(rng.randint(1, 3), strides=strides, padding=padding.lower()),
            lambda: layers.AveragePooling2D(rng.randint(1, 3), strides=strides, padding=padding.lower()),
            lambda: layers.UpSampling2D(rng.randint(1, 2), interpolation=rng.choice(["nearest", "bilinear"])),
            lambda: layers.ZeroPadding2D(((1, 0), (0, 2))),
            lambda: layers.Cropping2D(((1, 0), (0, 0))),
            lambda: layers.Resizing(rng.randint(4, 12), 8),
            lambda: layers.Permute((2, 1, 3)),
            lambda: layers.BatchNormalization(
                axis=rng.choice([-1, -1, -1, 1]), scale=rng.random() < 0.7, center=rng.random() < 0.7, **plain
            ),
            lambda: layers.BatchNormalization(momentum=0.5, **plain),
            lambda: layers.GroupNormalization(groups, **plain),
            lambda: layers.LayerNormalization(axis=rng.choice([-1, [1, 2, 3]]), **plain),
            layers.UnitNormalization,
            lambda: layers.SpectralNormalization(layers.Conv2D(4, 3, padding="same")),
            lambda: layers.Activation(activation, **plain),
            lambda: layers.LeakyReLU(0.2),
            lambda: layers.PReLU(shared_axes=[1, 2]),
            lambda: layers.ReLU(max_value=6, negative_slope=0.1, **plain),
            lambda: layers.Softmax(axis=rng.choice([-1, 1])),
            lambda: layers.Dropout(rng.choice([0.0, 0.5]), **plain),
            lambda: layers.SpatialDropout2D(0.3),
            lambda: layers.GaussianNoise(0.1),
            lambda: layers.AlphaDropout(0.1),
            lambda: layers.ActivityRegularization(l2=1e-3),
            lambda: layers.Dense(rng.randint(1, 6), activation=activation, **more),
            layers.RandomFlip,
            lambda: layers.Normalization(mean=0.5, variance=2.0),
            lambda: layers.Lambda(lambda value: value * 2),
            Halved,
            lambda: Scaled(**plain),
            layers.Identity,
        ]
        made = rng.choice(makers)()
        if rng.random() < 0.1:
            made.trainable = False
        return made

    def common(self) -> dict[str, Any]:
        """Return random arguments that all layers with weights take."""
        rng = self.rng
        arguments: dict[str, Any] = {}
        if rng.random() < 0.3:
            arguments["kernel_regularizer"] = rng.choice(_PENALTIES)
        if rng.random() < 0.15:
            arguments["activity_regularizer"] = keras.regularizers.L2(1e-4)
        if rng.random() < 0.1:
            arguments["kernel_constraint"] = "max_norm"
        if rng.random() < 0.2:
            arguments["kernel_initializer"] = rng.choice(["zeros", "ones", "he_normal", "orthogonal"])
        if self.odd_types and rng.random() < 0.4:
            arguments["dtype"] = rng.choice(_DTYPES)
        return arguments
