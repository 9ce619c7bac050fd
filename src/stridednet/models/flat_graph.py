"""The layer calls of a model as one list, in which nested models are replaced by their own layers."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras

from stridednet.errors import ModelError
from stridednet.models.layer_kind import is_nested
from stridednet.models.nodes import graph_of, nodes_in_order


@dataclass(frozen=True)
class Call:
    """One call of a layer or an operation; ``inputs`` and ``outputs`` are the numbers of the values in the graph."""

    name: str  # of the layer; in a nested model `model/layer`
    node: Any
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def compute(self, values: Sequence[Any]) -> list[Any]:
        """Call the layer, not in training, with values in place of its symbolic inputs, and return its outputs."""
        known = {id(tensor): value for tensor, value in zip(self.node.input_tensors, values, strict=True)}
        arguments, options = self.node.arguments.fill_in(known)
        if getattr(self.node.operation, "_call_has_training_arg", False):
            options = {**options, "training": False}
        results: list[Any] = keras.tree.flatten(self.node.operation(*arguments, **options))
        return results


@dataclass(frozen=True)
class FlatGraph:
    """The calls in an order in which they can be computed; value 0 is the image, ``output`` the model's output."""

    calls: tuple[Call, ...]
    output: int

    @cached_property
    def last_uses(self) -> dict[int, int]:
        """The index of the last call that reads a value, for all values that are read."""
        return {number: place for place, call in enumerate(self.calls) for number in call.inputs}

    def bottlenecks(self) -> list[tuple[int, Call]]:
        """Return the values that every path from the image to the output passes through, with the calls that make them.

        In a network of blocks, they are the outputs of the blocks, and not those of the branches inside.
        """
        found = []
        needed_until = self.last_uses.get(0, 0)  # all values before this call
        for place, call in enumerate(self.calls):
            if needed_until <= place and len(call.outputs) == 1:
                found.append((call.outputs[0], call))
            needed_until = max(needed_until, *(self.last_uses.get(number, 0) for number in call.outputs))
        return found


def flatten(model: keras.Model) -> FlatGraph:
    """List the layer calls of a classifier and of the models nested in it.

    A nested model that overrides ``call`` is one call, since its graph of layers does not say what it computes.

    Raises:
        ModelError: The model is not built, or has more than one input or output.

    Examples:
        >>> backbone = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3)], name="backbone")
        >>> graph = flatten(keras.Sequential([keras.Input((8, 8, 3)), backbone, keras.layers.Flatten(name="flat")]))
        >>> [(call.name.split("/")[0], call.inputs, call.outputs) for call in graph.calls]
        [('backbone', (0,), (1,)), ('flat', (1,), (2,))]
    """
    inputs, outputs = graph_of(model).inputs, graph_of(model).outputs
    if len(inputs) != 1 or len(outputs) != 1:
        raise ModelError(f"a classifier has one input and one output. Received: {inputs}, {outputs}")
    listing = _Listing()
    (output,) = listing.add_model(model, (0,), "")
    return FlatGraph(tuple(listing.calls), output)


class _Listing:
    """The calls so far."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._values = 1  # the image

    def add_model(self, model: Any, inputs: Sequence[int], prefix: str) -> tuple[int, ...]:
        graph = graph_of(model)
        numbers = {id(tensor): number for tensor, number in zip(graph.inputs, inputs, strict=True)}
        for node in nodes_in_order(model):
            before = tuple(numbers[id(tensor)] for tensor in node.input_tensors)
            name = f"{prefix}{node.operation.name}"
            if is_nested(node.operation) and len(graph_of(node.operation).inputs) == len(before):
                after = self.add_model(node.operation, before, f"{name}/")
            else:
                after = tuple(range(self._values, self._values + len(node.outputs)))
                self._values += len(after)
                self.calls.append(Call(name, node, before, after))
            numbers |= {id(tensor): number for tensor, number in zip(node.outputs, after, strict=True)}
        return tuple(numbers[id(tensor)] for tensor in graph.outputs)
