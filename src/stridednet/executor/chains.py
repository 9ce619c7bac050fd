"""Which layers of a graph are computed by one kernel."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras

from stridednet.executor.block import Around, can_normalise

_FOLDING = (
    keras.layers.Conv2D,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
    keras.layers.Dense,
)


@dataclass(frozen=True)
class Chain:
    """Nodes that follow one another and are computed as one: most often a single one.

    Args:
        nodes: In order.
        main: The node whose layer has the kernel.
        behind: The activation behind a convolution or dense layer, if there is one.
        lends_relu: Whether the layer's own ReLU is left to the normalisation behind it.
        around: What is around a normalisation; None for any other layer.
    """

    nodes: tuple[Any, ...]
    main: Any
    behind: Any = None
    lends_relu: bool = False
    around: Around | None = None


def chains(nodes: Sequence[Any], output: int) -> list[Chain]:
    """Return all nodes of a graph in chains.

    A convolution or dense layer takes the activation behind it along; a batch normalisation takes a ReLU in front of
    it, and a ReLU and a dropout behind it. A ReLU between the two goes to the normalisation, which reads its input
    more than once and computes it on the way; it may be the convolution's own activation.

    Args:
        nodes: In order, as `nodes_in_order` gives them.
        output: The id of the model's output, which is needed whoever else reads it.
    """
    readers = _Readers(nodes, output)
    found: list[Chain] = []
    taken: set[int] = set()
    lent: set[int] = set()  # the nodes that get a ReLU to compute
    for node in nodes:
        if id(node) in taken:
            continue
        chain = _chain(node, readers, id(node) in lent)
        if chain.lends_relu:
            lent.add(id(readers.only(node)))
        taken |= {id(member) for member in chain.nodes}
        found.append(chain)
    return found


def is_relu(layer: Any) -> bool:
    """Say whether a layer is a plain ReLU and nothing else."""
    if type(layer) is keras.layers.ReLU:
        return bool(layer.max_value is None and not layer.negative_slope and not layer.threshold)
    return type(layer) is keras.layers.Activation and layer.activation is keras.activations.relu


class _Readers:
    """Who reads what."""

    def __init__(self, nodes: Sequence[Any], output: int) -> None:
        counts = Counter(id(tensor) for node in nodes for tensor in node.input_tensors)
        self._reader = {id(tensor): node for node in nodes for tensor in node.input_tensors if counts[id(tensor)] == 1}
        self._reader.pop(output, None)

    def only(self, node: Any) -> Any:
        """Return the one node that reads a node's output, if that is all it reads, or None."""
        reader = self._reader.get(id(node.outputs[0])) if len(node.outputs) == 1 else None
        return reader if reader is not None and _is_plain(reader) else None


def _chain(node: Any, readers: _Readers, gets_relu: bool) -> Chain:
    following = readers.only(node)
    if _is_plain(node):
        if can_normalise(node.operation):
            return _block((node,), node, readers, gets_relu)
        if is_relu(node.operation) and following is not None and can_normalise(following.operation):
            return _block((node, following), following, readers, True)
        if type(node.operation) in _FOLDING and following is not None:
            activation = node.operation.activation
            if can_normalise(following.operation) and activation is keras.activations.relu:
                return Chain((node,), node, lends_relu=True)
            if activation is keras.activations.linear and _is_activation_to_fold(following, readers):
                return Chain((node, following), node, behind=following)
    return Chain((node,), node)


def _block(nodes: tuple[Any, ...], main: Any, readers: _Readers, relu_before: bool) -> Chain:
    relu_after, dropout = False, 0.0
    following = readers.only(main)
    if following is not None and is_relu(following.operation):
        relu_after, nodes, following = True, (*nodes, following), readers.only(following)
    if following is not None and _is_dropout(following.operation):
        dropout, nodes = following.operation.rate, (*nodes, following)
    return Chain(nodes, main, around=Around(relu_before, relu_after, dropout))


def _is_plain(node: Any) -> bool:
    """Say whether a node reads one tensor and adds nothing to the loss by what comes out."""
    return len(node.input_tensors) == 1 and getattr(node.operation, "activity_regularizer", None) is None


def _is_activation_to_fold(node: Any, readers: _Readers) -> bool:
    following = readers.only(node)
    taken_by_next = is_relu(node.operation) and following is not None and can_normalise(following.operation)
    return type(node.operation) is keras.layers.Activation and not taken_by_next


def _is_dropout(layer: Any) -> bool:
    return type(layer) is keras.layers.Dropout and layer.noise_shape is None and layer.rate < 1
