"""A Keras model -> a list of steps that NumPy can compute; None if it has a layer that is not known here."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import layers

from stridednet.deploy.numpy_activations import ACTIVATIONS
from stridednet.deploy.portable_file import INPUT, PortableModel, Step
from stridednet.errors import ModelError
from stridednet.models.nodes import graph_of, nodes_in_order


def portable_model(model: keras.Model) -> PortableModel | None:
    """Return a model as steps and arrays, with copies of its weights.

    Args:
        model: A built classifier with one input and one output.

    Returns:
        The portable model. None if the model has another layer than those of `_TRANSLATORS`, or computes in another
        type than float32 or with channels first; then only Keras can compute it.
    """
    translation = _Translation()
    try:
        outputs = translation.graph(model, [INPUT])
    except (_UnknownError, ModelError):
        return None
    if len(outputs) != 1:
        return None
    shape = tuple(model.inputs[0].shape[1:])
    return PortableModel(tuple(translation.steps), translation.weights, shape, outputs[0])


class _UnknownError(Exception):
    """A layer's meaning is not known here."""


class _Translation:
    """The steps so far. Nested models are translated where they are called, layers with shared weights each time."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.weights: dict[str, Any] = {}
        self._keys: dict[int, str] = {}
        self._last = INPUT

    def graph(self, model: keras.Model, inputs: Sequence[int]) -> list[int]:
        """Translate all layers of a model, and return the places of its outputs."""
        nodes, graph = nodes_in_order(model), graph_of(model)
        if len(graph.inputs) != 1 or len(inputs) != 1:
            raise _UnknownError
        places = {id(graph.inputs[0]): inputs[0]}
        for node in nodes:
            read = [places[id(tensor)] for tensor in node.input_tensors]
            made = self._node(node.operation, read)
            places.update(zip((id(tensor) for tensor in node.outputs), made, strict=True))
        return [places[id(tensor)] for tensor in graph.outputs]

    def step(
        self, operation: str, inputs: Sequence[int], weights: dict[str, str | None] | None = None, **parameters: Any
    ) -> int:
        """Append a step, and return the place of its result."""
        self._last += 1
        self.steps.append(Step(operation, tuple(inputs), self._last, weights or {}, parameters))
        return self._last

    def array(self, value: Any) -> str:
        """Store an array, and return its key."""
        key = f"array_{len(self.weights)}"
        self.weights[key] = np.array(value, np.float32)
        return key

    def variable(self, variable: Any) -> str:
        """Store the value of a variable once, and return its key."""
        if id(variable) not in self._keys:
            self._keys[id(variable)] = self.array(keras.ops.convert_to_numpy(variable.value))
        return self._keys[id(variable)]

    def bias(self, layer: Any) -> str | None:
        """Store a layer's bias, if it has one."""
        return self.variable(layer.bias) if layer.use_bias else None

    def activation(self, place: int, function: Any) -> int:
        """Append the step of an activation function, unless it changes nothing."""
        if function in (None, keras.activations.linear):
            return place
        for name in ACTIVATIONS:
            if getattr(keras.activations, name, None) is function:
                return self.step("activated", [place], name=name)
        raise _UnknownError

    def _node(self, operation: Any, inputs: list[int]) -> list[int]:
        if isinstance(operation, keras.Model):
            return self.graph(operation, inputs)
        if type(operation) in _UNCHANGED:
            return inputs
        if type(operation) in _MERGING and _is_plain(operation):
            return [_MERGING[type(operation)](self, operation, inputs)]
        translate = _TRANSLATORS.get(type(operation))
        if translate is None or len(inputs) != 1 or not _is_plain(operation):
            raise _UnknownError
        return [translate(self, operation, inputs[0])]


def _is_plain(layer: Any) -> bool:
    """Return whether a layer computes in float32, with channels last, and with its own weights alone."""
    return (
        layer.compute_dtype == "float32"
        and all(str(weight.dtype) == "float32" for weight in layer.weights if "seed" not in weight.name)
        and getattr(layer, "data_format", None) in (None, "channels_last")
        and not getattr(layer, "lora_enabled", False)
        and getattr(layer, "quantization_mode", None) is None
    )


def _convolution(translation: _Translation, layer: Any, place: int) -> int:
    if layer.padding not in ("same", "valid"):
        raise _UnknownError
    weights = {"kernel": translation.variable(layer.kernel), "bias": translation.bias(layer)}
    place = translation.step("convolution", [place], weights, **_window(layer), groups=layer.groups)
    return translation.activation(place, layer.activation)


def _depthwise_convolution(translation: _Translation, layer: Any, place: int) -> int:
    weights = {"kernel": translation.variable(layer.kernel), "bias": translation.bias(layer)}
    place = translation.step("depthwise_convolution", [place], weights, **_window(layer))
    return translation.activation(place, layer.activation)


def _separable_convolution(translation: _Translation, layer: Any, place: int) -> int:
    depthwise = {"kernel": translation.variable(layer.depthwise_kernel), "bias": None}
    place = translation.step("depthwise_convolution", [place], depthwise, **_window(layer))
    pointwise = {"kernel": translation.variable(layer.pointwise_kernel), "bias": translation.bias(layer)}
    once = {"strides": (1, 1), "padding": "valid", "dilation": (1, 1), "groups": 1}
    place = translation.step("convolution", [place], pointwise, **once)
    return translation.activation(place, layer.activation)


def _window(layer: Any) -> dict[str, Any]:
    return {"strides": layer.strides, "padding": layer.padding, "dilation": layer.dilation_rate}


def _dense(translation: _Translation, layer: Any, place: int) -> int:
    weights = {"kernel": translation.variable(layer.kernel), "bias": translation.bias(layer)}
    return translation.activation(translation.step("dense", [place], weights), layer.activation)


def _pooling(operation: str) -> Callable[[_Translation, Any, int], int]:
    def translate(translation: _Translation, layer: Any, place: int) -> int:
        sizes = {"pool_size": layer.pool_size, "strides": layer.strides, "padding": layer.padding}
        return translation.step(operation, [place], **sizes)

    return translate


def _global_pooling(operation: str) -> Callable[[_Translation, Any, int], int]:
    return lambda translation, layer, place: translation.step(operation, [place], keepdims=bool(layer.keepdims))


def _affine(translation: _Translation, place: int, scale: Any, offset: Any) -> int:
    return translation.step("affine", [place], {"scale": translation.array(scale), "offset": translation.array(offset)})


def _rescaling(translation: _Translation, layer: Any, place: int) -> int:
    return _affine(translation, place, layer.scale, layer.offset)


def _normalization(translation: _Translation, layer: Any, place: int) -> int:
    if layer.invert or layer.mean is None:
        raise _UnknownError
    mean, variance = (np.float64(keras.ops.convert_to_numpy(value)) for value in (layer.mean, layer.variance))
    deviation = np.maximum(np.sqrt(variance), keras.config.epsilon())
    return _affine(translation, place, 1 / deviation, -mean / deviation)


def _batch_normalization(translation: _Translation, layer: Any, place: int) -> int:
    if layer.axis not in (-1, layer.input_spec.ndim - 1):
        raise _UnknownError

    def value(variable: Any) -> Any:
        return keras.ops.convert_to_numpy(variable.value).astype(np.float64)

    scale = 1 / np.sqrt(value(layer.moving_variance) + layer.epsilon)
    scale = scale * value(layer.gamma) if layer.scale else scale
    offset = -value(layer.moving_mean) * scale
    return _affine(translation, place, scale, offset + value(layer.beta) if layer.center else offset)


def _activation(translation: _Translation, layer: Any, place: int) -> int:
    return translation.activation(place, layer.activation)


def _relu(translation: _Translation, layer: Any, place: int) -> int:
    most = None if layer.max_value is None else float(layer.max_value)
    options: dict[str, Any] = {
        "negative_slope": float(layer.negative_slope),
        "max_value": most,
        "threshold": float(layer.threshold),
    }
    return translation.step("activated", [place], name="relu", **options)


def _leaky_relu(translation: _Translation, layer: Any, place: int) -> int:
    return translation.step("activated", [place], name="leaky_relu", negative_slope=float(layer.negative_slope))


def _elu(translation: _Translation, layer: Any, place: int) -> int:
    return translation.step("activated", [place], name="elu", alpha=float(layer.alpha))


def _prelu(translation: _Translation, layer: Any, place: int) -> int:
    return translation.step("prelu", [place], {"alpha": translation.variable(layer.alpha)})


def _softmax(translation: _Translation, layer: Any, place: int) -> int:
    if not isinstance(layer.axis, int):
        raise _UnknownError
    return translation.step("activated", [place], name="softmax", axis=layer.axis)


def _flatten(translation: _Translation, _: Any, place: int) -> int:
    return translation.step("reshape", [place], shape=(-1,))


def _reshape(translation: _Translation, layer: Any, place: int) -> int:
    return translation.step("reshape", [place], shape=tuple(layer.target_shape))


def _zero_padding(translation: _Translation, layer: Any, place: int) -> int:
    rows, columns = layer.padding
    return translation.step("zero_padding", [place], rows=rows, columns=columns)


# Layers that change their input in training only.
_UNCHANGED = frozenset(
    {
        layers.ActivityRegularization, layers.AlphaDropout, layers.Dropout, layers.GaussianDropout,
        layers.GaussianNoise, layers.Identity, layers.SpatialDropout2D,
    }
)  # fmt: skip

_MERGING: dict[type, Callable[[_Translation, Any, list[int]], int]] = {
    layers.Add: lambda translation, _, places: translation.step("add", places),
    layers.Concatenate: lambda translation, layer, places: translation.step("concatenate", places, axis=layer.axis),
}

_TRANSLATORS: dict[type, Callable[[_Translation, Any, int], int]] = {
    layers.Activation: _activation,
    layers.AveragePooling2D: _pooling("average_pooling"),
    layers.BatchNormalization: _batch_normalization,
    layers.Conv2D: _convolution,
    layers.Dense: _dense,
    layers.DepthwiseConv2D: _depthwise_convolution,
    layers.ELU: _elu,
    layers.Flatten: _flatten,
    layers.GlobalAveragePooling2D: _global_pooling("global_average"),
    layers.GlobalMaxPooling2D: _global_pooling("global_maximum"),
    layers.LeakyReLU: _leaky_relu,
    layers.MaxPooling2D: _pooling("max_pooling"),
    layers.Normalization: _normalization,
    layers.PReLU: _prelu,
    layers.ReLU: _relu,
    layers.Rescaling: _rescaling,
    layers.Reshape: _reshape,
    layers.SeparableConv2D: _separable_convolution,
    layers.Softmax: _softmax,
    layers.ZeroPadding2D: _zero_padding,
}
