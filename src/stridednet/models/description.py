"""Convert a Keras model to the description of a network that the guide's arithmetic and advice use."""

import dataclasses
import math
import re
from typing import Any

import keras

from stridednet.conv2d.arithmetic import Conv2DLayer, Pair, Shape, work_out
from stridednet.conv2d.initialization import INITIALIZERS
from stridednet.conv2d.network import LayerRecord, Network
from stridednet.conv2d.window import windows
from stridednet.errors import ModelError
from stridednet.models.nodes import nodes_in_order

_POOLING = (keras.layers.MaxPooling2D, keras.layers.AveragePooling2D)
_GLOBAL = (keras.layers.GlobalAveragePooling2D, keras.layers.GlobalMaxPooling2D)
_REGULARIZERS = ("kernel_regularizer", "bias_regularizer", "activity_regularizer")
_CONSTRAINTS = ("kernel_constraint", "bias_constraint")


def describe(model: keras.Model) -> Network:
    """Compute the shapes, costs and receptive fields of a model's layers.

    A layer that is called twice appears twice, but its parameters are counted once. The receptive field of a merge is
    the largest of its inputs'. A model nested in the model counts as one layer.

    Args:
        model: A built model with a fixed input shape.

    Returns:
        The network. Each of its ``layers`` has shapes without the batch dimension and with the channels last,
        ``parameters``, ``multiply_adds`` per image, and ``receptive_field`` in pixels of the model's input.

    Raises:
        ModelError: The model is not built, or accepts images of any size.

    Examples:
        >>> image = keras.Input((96, 96, 3))
        >>> network = describe(keras.Model(image, keras.layers.Conv2D(16, 7, strides=2, name="stem")(image)))
        >>> stem = network.by_name["stem"]
        >>> stem.output_shape, stem.parameters, stem.receptive_field
        ((45, 45, 16), 2368, (7, 7))
    """
    nodes = nodes_in_order(model)
    image = channels_last(model.inputs[0].shape[1:], None)
    if not all(image):
        raise ModelError(
            f"model '{model.name}' accepts images of any size, so it has no fixed cost; give keras.Input a shape. "
            f"Received: input shape {tuple(model.inputs[0].shape)}"
        )
    records: dict[str, LayerRecord] = {}
    name_of_tensor: dict[int, str] = {}
    for node in nodes:
        layer = node.operation
        name, calls = layer.name, 1
        while name in records:
            calls += 1
            name = f"{layer.name} (call {calls})"
        sources = [name_of_tensor[id(tensor)] for tensor in node.input_tensors if id(tensor) in name_of_tensor]
        first = channels_last(node.input_tensors[0].shape[1:], layer)
        output = channels_last(node.outputs[0].shape[1:], layer)
        before = [records[source] for source in sources]
        field = _largest([record.receptive_field or image[:2] for record in before])
        jump = _largest([record.jump for record in before])
        record = _record(layer, name, tuple(sources), first, output, field, jump, again=calls > 1)
        mixes = isinstance(layer, (keras.layers.Dense, *_GLOBAL)) and len(output) == 1
        if mixes or any(source.receptive_field is None for source in before):
            record = dataclasses.replace(record, receptive_field=None)
        records[name] = record
        name_of_tensor |= {id(tensor): name for tensor in node.outputs}
    return Network(model.name, image, tuple(records.values()))


def channels_last(shape: Any, layer: Any) -> tuple[int, ...]:
    """Return a shape as ``(height, width, channels)``; unknown sizes are 0."""
    sizes = tuple(size or 0 for size in shape)
    order = getattr(layer, "data_format", None) or keras.config.image_data_format()
    return (*sizes[1:], sizes[0]) if len(sizes) == 3 and order == "channels_first" else sizes


def _record(
    layer: Any,
    name: str,
    inputs: tuple[str, ...],
    before: tuple[int, ...],
    output: tuple[int, ...],
    field: Pair,
    jump: Pair,
    *,
    again: bool,
) -> LayerRecord:
    conv = None
    multiply_adds = 0
    if type(layer) is keras.layers.Conv2D:
        conv = work_out(arguments_of(layer), _shape(before), field, jump)
        field, jump, multiply_adds = conv.receptive_field, conv.jump, conv.multiply_adds
    elif isinstance(layer, _POOLING) or hasattr(layer, "depth_multiplier"):
        kernel = layer.pool_size if isinstance(layer, _POOLING) else layer.kernel_size
        dilation = getattr(layer, "dilation_rate", (1, 1))
        rows, columns = (
            windows(before[axis], kernel[axis], layer.strides[axis], layer.padding, dilation[axis]) for axis in (0, 1)
        )
        field = (field[0] + (rows.extent - 1) * jump[0], field[1] + (columns.extent - 1) * jump[1])
        jump = (jump[0] * layer.strides[0], jump[1] * layer.strides[1])
        weights = [variable for variable in getattr(layer, "trainable_variables", ()) if len(variable.shape) == 4]
        multiply_adds = output[0] * output[1] * sum(math.prod(variable.shape) for variable in weights)
    elif isinstance(layer, keras.layers.Dense):
        multiply_adds = math.prod(output[:-1]) * math.prod(layer.kernel.shape)
    parameters = 0 if again or not hasattr(layer, "count_params") else layer.count_params()
    kind, settings = type(layer).__name__, _settings(layer)
    return LayerRecord(name, kind, inputs, before, output, parameters, multiply_adds, field, jump, conv, settings)


def _shape(sizes: tuple[int, ...]) -> Shape:
    return sizes[0], sizes[1], sizes[2]


def _largest(pairs: list[Any]) -> Pair:
    return max((pair[0] for pair in pairs), default=1), max((pair[1] for pair in pairs), default=1)


def arguments_of(layer: Any) -> Conv2DLayer:
    """Return the arguments of a Keras `Conv2D` layer that the arithmetic needs."""
    return Conv2DLayer(
        layer.filters,
        layer.kernel_size,
        layer.strides,
        layer.padding,
        layer.dilation_rate,
        layer.groups,
        layer.use_bias,
        initializer_name(layer.kernel_initializer),
    )


def initializer_name(initializer: Any) -> str | None:
    """Return the name of an initializer in Keras; None if its arguments are not the defaults."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(initializer).__name__).lower()
    if name not in INITIALIZERS:
        return None
    ours, default = initializer.get_config(), keras.initializers.get(name).get_config()
    return name if {**ours, "seed": None} == {**default, "seed": None} else None


def _settings(layer: Any) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    if callable(getattr(layer, "activation", None)):
        settings["activation"] = layer.activation.__name__
    if hasattr(layer, "use_bias"):
        settings["use_bias"] = layer.use_bias
    if hasattr(layer, "kernel_initializer"):
        settings["kernel_initializer"] = initializer_name(layer.kernel_initializer)
    for name in (*_REGULARIZERS, *_CONSTRAINTS):
        term = getattr(layer, name, None)
        if term is not None:
            settings[name] = {key: value for key, value in term.get_config().items() if isinstance(value, int | float)}
    if isinstance(layer, keras.layers.Dropout):
        settings["rate"] = layer.rate
    if isinstance(layer, _POOLING):
        settings |= {"pool_size": layer.pool_size, "strides": layer.strides}
    return settings
