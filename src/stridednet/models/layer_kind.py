"""Which Keras layers the arithmetic knows, and how many multiply-adds each of them takes."""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import keras

# Each value depends on the value in the same place. Layers that change images at random do nothing at inference.
ELEMENTWISE = frozenset(
    (
        *("Activation", "ActivityRegularization", "AlphaDropout", "BatchNormalization", "Dropout", "ELU"),
        *("GaussianDropout", "GaussianNoise", "Identity", "LeakyReLU", "Normalization", "PReLU", "ReLU", "Rescaling"),
        *("SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D"),
        *("AugMix", "RandAugment", "RandomBrightness", "RandomColorDegeneration", "RandomColorJitter"),
        *("RandomContrast", "RandomElasticTransform", "RandomErasing", "RandomFlip", "RandomGaussianBlur"),
        *("RandomGrayscale", "RandomHue", "RandomInvert", "RandomPerspective", "RandomPosterization"),
        *("RandomRotation", "RandomSaturation", "RandomSharpness", "RandomShear", "RandomTranslation", "RandomZoom"),
        # Operations of keras.ops.
        *("Absolute", "Cast", "Clip", "Elu", "Exp", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Log"),
        *("Negative", "Relu", "Relu6", "Selu", "Sigmoid", "Silu", "Softplus", "Sqrt", "Square", "Tanh"),
    )
)
MERGES = frozenset(
    (
        *("Add", "Average", "Concatenate", "Maximum", "Minimum", "Multiply", "Subtract"),
        *("Divide", "Power", "TrueDivide"),  # operations of keras.ops
    )
)
_NORMALIZATIONS = ("GroupNormalization", "LayerNormalization", "RMSNormalization", "UnitNormalization")
_PLACING = ("CenterCrop", "Flatten", "Permute", "RepeatVector", "Reshape", "Softmax")
_WEIGHTED = (
    *("Conv1D", "Conv2D", "Conv3D", "Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"),
    *("DepthwiseConv1D", "DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D", "Dense"),
)
_IN_EACH_DIMENSION = (
    *("AveragePooling", "MaxPooling", "GlobalAveragePooling", "GlobalMaxPooling"),
    *("AdaptiveAveragePooling", "AdaptiveMaxPooling", "UpSampling", "ZeroPadding", "Cropping"),
)
_WITHOUT_WEIGHTS = frozenset((*_PLACING, *(f"{name}{rank}D" for name in _IN_EACH_DIMENSION for rank in (1, 2, 3))))
_KNOWN = ELEMENTWISE | MERGES | _WITHOUT_WEIGHTS | frozenset((*_NORMALIZATIONS, *_WEIGHTED))

_COMPUTING = ("__call__", "build", "call", "convolution_op")


def kind_of(layer: Any) -> str | None:
    """Return the name of the Keras class whose computation a layer has; None if it is unknown.

    A class of the user's own counts as the Keras class that it extends, unless it overrides the computation.
    """
    for cls in type(layer).__mro__:
        if _is_keras(cls):
            return cls.__name__ if cls.__name__ in _KNOWN else None
        if any(name in vars(cls) for name in _COMPUTING):
            return None
    return None


def _is_keras(cls: type) -> bool:
    return cls.__module__.partition(".")[0] == "keras"


def spatial_axes(layer: Any, shape: Sequence[int]) -> range:
    """Return the axes of a layer's input that are not channels, counted without the batch."""
    first = getattr(layer, "data_format", None) == "channels_first"
    return range(1, len(shape)) if first else range(len(shape) - 1)


def pool_of(layer: Any, number: int) -> tuple[int, int, int]:
    """Return kernel size, stride and dilation of a convolution or pooling layer along one of its spatial axes."""
    kernel = layer.pool_size if hasattr(layer, "pool_size") else layer.kernel_size
    dilation = _each(getattr(layer, "dilation_rate", 1))
    return _each(kernel)[number], _each(layer.strides)[number], dilation[number]


def multiply_adds(layer: Any, kind: str | None, shape: Sequence[int], output: Sequence[int]) -> int | None:
    """Return the multiply-adds with the layer's weights per image, those with padding included; None if unknown.

    Args:
        layer: A built Keras layer, or an operation.
        kind: As returned by `kind_of`.
        shape: Shape of its input, without the batch.
        output: Shape of its output.
    """
    if kind not in _WEIGHTED:
        return None if kind is None else 0
    if not all(shape) or not all(output):
        return None
    if kind == "Dense":
        return math.prod(output[:-1]) * int(math.prod(layer.kernel.shape))
    # A transposed convolution multiplies the whole kernel with each of its inputs.
    counted = shape if kind.endswith("Transpose") else output
    positions = math.prod(counted[axis] for axis in spatial_axes(layer, counted))
    kernels = [variable for variable in layer.weights if len(variable.shape) == len(shape) + 1]
    return positions * sum(int(math.prod(kernel.shape)) for kernel in kernels)


def is_nested(layer: Any) -> bool:
    """Return whether a layer is a model that computes what its graph of layers says."""
    if not isinstance(layer, keras.Model):
        return False
    own = itertools.takewhile(lambda cls: not _is_keras(cls), type(layer).__mro__)
    if any(name in vars(cls) for cls in own for name in ("__call__", "call")):
        return False
    return getattr(layer, "_functional", None) is not None or hasattr(layer, "_nodes_by_depth")


def _each(value: int | tuple[int, ...]) -> tuple[int, ...]:
    return (value,) * 3 if isinstance(value, int) else tuple(value)
