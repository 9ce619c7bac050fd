"""Convert a Keras model to the description of a network that the guide's arithmetic and advice use."""

import dataclasses
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import keras

from stridednet.conv2d.arithmetic import Conv2DFacts, Conv2DLayer, work_out
from stridednet.conv2d.initialization import INITIALIZERS
from stridednet.conv2d.network import LayerRecord, Network
from stridednet.errors import ModelError
from stridednet.models.layer_kind import is_nested, kind_of, multiply_adds
from stridednet.models.nodes import graph_of, nodes_in_order
from stridednet.models.receptive_field import Origin, Sizes, follow, origin_of_image

_REGULARIZERS = ("kernel_regularizer", "bias_regularizer", "activity_regularizer")
_CONSTRAINTS = ("kernel_constraint", "bias_constraint")


def describe(model: keras.Model) -> Network:
    """Compute the shapes, costs and receptive fields of a model's layers.

    The layers of a model that is nested in the model are named ``model/layer``. A layer that is called twice appears
    twice, but its parameters are counted once. The receptive field of a merge covers those of its inputs. Cost and
    receptive field of a layer that the arithmetic does not know are None, as are the receptive fields after it.

    Args:
        model: A built model with a fixed input shape.

    Returns:
        The network. Each of its ``layers`` has shapes without the batch dimension and with the channels last,
        ``parameters``, ``multiply_adds`` per image, and ``receptive_field`` in pixels of the model's (first) input.

    Raises:
        ModelError: The model is not built, or accepts images of any size.

    Examples:
        >>> image = keras.Input((96, 96, 3))
        >>> network = describe(keras.Model(image, keras.layers.Conv2D(16, 7, strides=2, name="stem")(image)))
        >>> stem = network.by_name["stem"]
        >>> stem.output_shape, stem.parameters, stem.receptive_field
        ((45, 45, 16), 2368, (7, 7))
    """
    graph = graph_of(model)
    shapes = [_sizes(tensor.shape) for tensor in graph.inputs]
    for tensor, shape in zip(graph.inputs, shapes, strict=True):
        if not all(shape):
            raise ModelError(
                f"model '{model.name}' accepts images of any size, so it has no fixed cost; give keras.Input a shape. "
                f"Received: input shape {tuple(tensor.shape)}"
            )
    image = origin_of_image(shapes[0], channel_axis(model, len(shapes[0])))
    values = [_Value(shape, image if shape == shapes[0] else None) for shape in shapes]
    description = _Description(tuple(size for size, axis in zip(shapes[0], image.axes, strict=True) if axis))
    description.add_model(model, values, "", ())
    return Network(model.name, _channels_last(shapes[0], image), tuple(description.records.values()))


@dataclass(frozen=True)
class _Value:
    """A tensor: its shape without the batch and without axes that a TimeDistributed layer goes through."""

    shape: Sizes
    origin: Origin | None
    source: str | None = None  # name of the layer that computes it; None for an input of the model


@dataclass
class _Description:
    """The records of the layers so far."""

    image: Sizes  # sizes of the image's axes without the channels
    records: dict[str, LayerRecord] = field(default_factory=dict)
    _names: set[str] = field(default_factory=set)
    _counted: set[int] = field(default_factory=set)

    def add_model(self, model: Any, inputs: Sequence[_Value], prefix: str, steps: Sizes) -> list[_Value]:
        """Add the layers of a model that is called with some values, and return its outputs."""
        graph = graph_of(model)
        values = {id(tensor): value for tensor, value in zip(graph.inputs, inputs, strict=True)}
        for node in nodes_in_order(model):
            before = [values[id(tensor)] for tensor in node.input_tensors]
            shapes = _output_shapes(node, values)
            results = self._add_call(node.operation, before, shapes, prefix, steps)
            values |= {id(tensor): value for tensor, value in zip(node.outputs, results, strict=True)}
        return [values[id(tensor)] for tensor in graph.outputs]

    def _add_call(
        self, layer: Any, inputs: Sequence[_Value], outputs: Sequence[Sizes], prefix: str, steps: Sizes
    ) -> list[_Value]:
        """Add one call of a layer or of a nested model, and return its outputs."""
        if is_nested(layer) and len(graph_of(layer).inputs) == len(inputs):
            return self.add_model(layer, inputs, f"{self._name(prefix, layer)}/", steps)
        if type(layer) is keras.layers.TimeDistributed and len(inputs) == 1 and inputs[0].shape[0]:
            (value,) = inputs
            name = "" if is_nested(layer.layer) else f"{self._name(prefix, layer)}/"
            origin = value.origin and Origin(value.origin.axes[1:], value.origin.reaches)
            step = _Value(value.shape[1:], origin, value.source)
            inside = [shape[1:] for shape in outputs]
            results = self._add_call(layer.layer, [step], inside, name or prefix, (*steps, value.shape[0]))
            return [_through_time(value, result) for result in results]
        return self._add_layer(layer, inputs, outputs, self._name(prefix, layer), steps)

    def _add_layer(
        self, layer: Any, inputs: Sequence[_Value], outputs: Sequence[Sizes], name: str, steps: Sizes
    ) -> list[_Value]:
        kind = kind_of(layer)
        before, shapes = [value.origin for value in inputs], [value.shape for value in inputs]
        first, output = (shapes or [()])[0], outputs[0]
        origin = follow(layer, kind, before, shapes, output) if kind and len(outputs) == 1 else None
        adds = multiply_adds(layer, kind, first, output)
        seen = _channels_last(first, before[0] if before else None, layer)
        conv = None
        if kind == "Conv2D" and not steps and all(seen):
            conv = _facts(layer, seen, origin)
        self.records[name] = LayerRecord(
            name,
            type(layer).__name__,
            tuple(value.source for value in inputs if value.source is not None),
            (*steps, *seen),
            (*steps, *_channels_last(output, origin, layer)),
            self._new_parameters(layer),
            None if adds is None else adds * math.prod(steps),
            None if origin is None else origin.field(self.image),
            None if origin is None else origin.jump,
            conv,
            _settings(layer),
        )
        return [_Value(shape, origin, name) for shape in outputs]

    def _name(self, prefix: str, layer: Any) -> str:
        name, calls = f"{prefix}{layer.name}", 1
        while name in self._names:
            calls += 1
            name = f"{prefix}{layer.name} (call {calls})"
        self._names.add(name)
        return name

    def _new_parameters(self, layer: Any) -> int:
        """Count the parameters of a layer that no earlier layer has."""
        new = {
            id(variable): variable for variable in getattr(layer, "weights", ()) if id(variable) not in self._counted
        }
        self._counted |= set(new)
        return sum(math.prod(variable.shape) for variable in new.values())


def _through_time(value: _Value, step: _Value) -> _Value:
    """Return the output of a TimeDistributed layer, from that of one step."""
    along = None if value.origin is None else value.origin.axes[0]
    origin = None if step.origin is None or along is None else Origin((along, *step.origin.axes), step.origin.reaches)
    return _Value((value.shape[0], *step.shape), origin, step.source)


def _output_shapes(node: Any, values: dict[int, _Value]) -> list[Sizes]:
    """Return the shapes of a call's outputs.

    A model that accepts images of any size has no sizes of its own, so they are computed for this call.
    """
    if all(_sizes(tensor.shape) == values[id(tensor)].shape for tensor in node.input_tensors):
        return [_sizes(tensor.shape) for tensor in node.outputs]
    given = {
        id(tensor): keras.KerasTensor((None, *(size or None for size in values[id(tensor)].shape)), tensor.dtype)
        for tensor in node.input_tensors
    }
    try:
        arguments, options = node.arguments.fill_in(given)
        results = keras.tree.flatten(node.operation.compute_output_spec(*arguments, **options))
    except Exception:  # noqa: BLE001  -- whatever a user's layer raises: its shape is unknown then
        results = []
    if len(results) != len(node.outputs):
        return [(0,) * len(tensor.shape[1:]) for tensor in node.outputs]
    return [_sizes(tensor.shape) for tensor in results]


def _sizes(shape: Any) -> Sizes:
    """Return a shape without the batch; unknown sizes are 0."""
    return tuple(size or 0 for size in shape[1:])


def channel_axis(model: Any, rank: int) -> int | None:
    """Return the axis of the channels in a model's input, without the batch; None if it has none."""
    layout, steps, flat = _first_layout(model)
    if rank < 2 or (rank == 2 and not flat):
        return None
    if not layout:
        layout, steps = keras.config.image_data_format(), 0
    return steps if layout == "channels_first" else -1


def _first_layout(model: Any, steps: int = 0) -> tuple[str, int, bool]:
    """Return the data format of the first layer that has one, how many TimeDistributed it is in, and if it is 1D."""
    flat = False
    for node in nodes_in_order(model):
        layer, inside = node.operation, steps
        while isinstance(layer, keras.layers.TimeDistributed):
            layer, inside = layer.layer, inside + 1
        flat |= not inside and type(layer).__name__.removesuffix("Transpose").endswith("1D")
        if isinstance(layer, keras.layers.Permute):
            break  # what follows says nothing about the layout of the input
        found = getattr(layer, "data_format", None)
        if is_nested(layer):
            found, inside, flat_inside = _first_layout(layer, inside)
            flat |= flat_inside
        elif isinstance(layer, keras.layers.Flatten):
            found = None
        if isinstance(found, str) and found:
            return found, inside, flat
    return "", steps, flat


def _channels_last(shape: Sizes, origin: Origin | None, layer: Any = None) -> Sizes:
    """Return a shape as ``(height, width, channels)``."""
    if len(shape) != 3:
        return shape
    if origin is not None and len(origin.axes) == 3:
        first = not origin.axes[0] and bool(origin.axes[2])
    else:
        first = (getattr(layer, "data_format", None) or keras.config.image_data_format()) == "channels_first"
    return (*shape[1:], shape[0]) if first else shape


def _facts(layer: Any, shape: Sizes, origin: Origin | None) -> Conv2DFacts:
    facts = work_out(arguments_of(layer), (shape[0], shape[1], shape[2]))
    if origin is None or len(origin.reaches) != 2:
        return facts
    rows, columns = origin.reaches
    jump = int(rows.jump), int(columns.jump)
    return dataclasses.replace(facts, receptive_field=(rows.size, columns.size), jump=jump)


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
    ours, default = _config(initializer), _config(keras.initializers.get(name))
    return name if {**ours, "seed": None} == {**default, "seed": None} else None


def _config(term: Any) -> dict[str, Any]:
    """Return the arguments of an initializer, regularizer or constraint; empty for a function."""
    try:
        config: dict[str, Any] = term.get_config()
    except (AttributeError, NotImplementedError):
        return {}
    return config


def _settings(layer: Any) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    activation = getattr(layer, "activation", None)
    if callable(activation):
        settings["activation"] = getattr(activation, "__name__", type(activation).__name__)
    if isinstance(getattr(layer, "use_bias", None), bool):
        settings["use_bias"] = layer.use_bias
    if hasattr(layer, "kernel_initializer"):
        settings["kernel_initializer"] = initializer_name(layer.kernel_initializer)
    for name in (*_REGULARIZERS, *_CONSTRAINTS):
        term = getattr(layer, name, None)
        if term is not None:
            settings[name] = {key: value for key, value in _config(term).items() if isinstance(value, int | float)}
    if isinstance(layer, keras.layers.Dropout):
        settings["rate"] = layer.rate
    pool_size, strides = getattr(layer, "pool_size", None), getattr(layer, "strides", None)
    if isinstance(pool_size, tuple) and isinstance(strides, tuple):
        settings |= {"pool_size": pool_size, "strides": strides}
    return settings
