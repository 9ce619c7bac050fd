"""Which layers of a graph are fused and computed by one function."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras

from stridednet.executor.block import Around, can_normalize
from stridednet.executor.folded import Folded, bound_of_relu, can_fold

_FOLDING = (
    keras.layers.Conv2D,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
    keras.layers.Dense,
)


@dataclass(frozen=True)
class Chain:
    """Consecutive nodes that are computed together; most chains are a single node.

    Args:
        nodes: In order.
        main: The node whose layer determines the function.
        activation: The node of the activation that is fused with a convolution or dense layer, if there is one.
        lends_relu: Whether the layer's own ReLU is left to the normalization that follows.
        around: The layers fused with a normalization; None for any other layer.
        folded: What is folded into a convolution; None for any other layer.
    """

    nodes: tuple[Any, ...]
    main: Any
    activation: Any = None
    lends_relu: bool = False
    around: Around | None = None
    folded: Folded | None = None


def chains(nodes: Sequence[Any], output: int, *, constant: bool = False) -> list[Chain]:
    """Divide all nodes of a graph into chains.

    A convolution or dense layer is fused with the activation that follows it; a batch normalization with a ReLU before
    it, and with a ReLU and a dropout after it. A ReLU between a convolution and a normalization belongs to the
    normalization, which reads its input more than once and applies the ReLU as it reads; this ReLU may be the
    convolution's own activation.

    Args:
        nodes: In order, as `nodes_in_order` returns them.
        output: The id of the model's output, which must be computed even if another layer reads it.
        constant: Whether the weights never change and nothing is learned. A convolution is then fused with the batch
            normalization and the ReLU that follow it, otherwise only if the normalization is frozen.
    """
    readers = _Readers(nodes, output)
    found: list[Chain] = []
    taken: set[int] = set()
    lent: set[int] = set()  # nodes that compute the ReLU of the layer before them
    for node in nodes:
        if id(node) in taken:
            continue
        chain = _folded(node, readers, constant) or _chain(node, readers, id(node) in lent)
        if chain.lends_relu:
            lent.add(id(readers.only(node)))
        taken |= {id(member) for member in chain.nodes}
        found.append(chain)
    return found


def is_relu(layer: Any) -> bool:
    """Return whether a layer is a plain ReLU."""
    if type(layer) is keras.layers.ReLU:
        return bool(layer.max_value is None and not layer.negative_slope and not layer.threshold)
    return type(layer) is keras.layers.Activation and layer.activation is keras.activations.relu


def is_dropout(layer: Any) -> bool:
    """Return whether a layer is a dropout of single elements that does not drop all of them."""
    return type(layer) is keras.layers.Dropout and layer.noise_shape is None and layer.rate < 1


class _Readers:
    """Which node reads which tensor."""

    def __init__(self, nodes: Sequence[Any], output: int) -> None:
        counts = Counter(id(tensor) for node in nodes for tensor in node.input_tensors)
        self._reader = {id(tensor): node for node in nodes for tensor in node.input_tensors if counts[id(tensor)] == 1}
        self._reader.pop(output, None)

    def only(self, node: Any) -> Any:
        """Return the single reader of a node's output if it reads nothing else, or None."""
        reader = self._reader.get(id(node.outputs[0])) if len(node.outputs) == 1 else None
        return reader if reader is not None and _is_plain(reader) else None


def _chain(node: Any, readers: _Readers, gets_relu: bool) -> Chain:
    following = readers.only(node)
    if _is_plain(node):
        if can_normalize(node.operation):
            return _block((node,), node, readers, gets_relu)
        if is_relu(node.operation) and following is not None and can_normalize(following.operation):
            return _block((node, following), following, readers, True)
        if type(node.operation) in _FOLDING and following is not None:
            activation = node.operation.activation
            if can_normalize(following.operation) and activation is keras.activations.relu:
                return Chain((node,), node, lends_relu=True)
            if activation is keras.activations.linear and _is_activation_to_fold(following, readers):
                return Chain((node, following), node, activation=following)
    return Chain((node,), node)


def _folded(node: Any, readers: _Readers, constant: bool) -> Chain | None:
    following = readers.only(node)
    if following is None or not _is_plain(node) or not can_fold(node.operation, following.operation):
        return None
    if following.operation.trainable and not constant:
        return None
    last = readers.only(following)
    highest = None if last is None else bound_of_relu(last.operation)
    nodes = (node, following) if highest is None else (node, following, last)
    return Chain(nodes, node, folded=Folded(following.operation, highest))


def _block(nodes: tuple[Any, ...], main: Any, readers: _Readers, relu_before: bool) -> Chain:
    relu_after, dropout = False, 0.0
    following = readers.only(main)
    if following is not None and is_relu(following.operation):
        relu_after, nodes, following = True, (*nodes, following), readers.only(following)
    if following is not None and is_dropout(following.operation):
        dropout, nodes = following.operation.rate, (*nodes, following)
    return Chain(nodes, main, around=Around(relu_before, relu_after, dropout))


def _is_plain(node: Any) -> bool:
    """Return whether a node reads one tensor and its output adds nothing to the loss."""
    return len(node.input_tensors) == 1 and getattr(node.operation, "activity_regularizer", None) is None


def _is_activation_to_fold(node: Any, readers: _Readers) -> bool:
    following = readers.only(node)
    taken_by_next = is_relu(node.operation) and following is not None and can_normalize(following.operation)
    return type(node.operation) is keras.layers.Activation and not taken_by_next
