"""How many numbers the layers of a model need for one image: a file must not make a prediction need any memory."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import keras
from keras import layers

from stridednet.errors import ModelError
from stridednet.limits import MAX_LAYER_VALUES
from stridednet.models.nodes import nodes_in_order

_ATTENTION = (layers.Attention, layers.AdditiveAttention, layers.MultiHeadAttention, layers.GroupQueryAttention)
_UNKNOWN_SIZE = 1024  # of height and width, where a model takes any


def too_large(model: keras.Model) -> str | None:
    """Return which layer of a model needs too much memory for one image; None if there is none.

    Layers of nested models count too, and operations between layers.
    """
    for node in _nodes(model):
        values = max((math.prod(_sizes(tensor)) for tensor in node.outputs), default=0)
        values = max(values, _within(node.operation, [_sizes(tensor) for tensor in node.input_tensors]))
        if values > MAX_LAYER_VALUES:
            return f"the layer '{node.operation.name}', which needs {values:,} numbers per image"
    return None


def _nodes(model: keras.Model) -> Iterator[Any]:
    try:
        nodes = nodes_in_order(model)
    except ModelError:  # not built
        return
    for node in nodes:
        yield node
        for part in (node.operation, getattr(node.operation, "layer", None)):  # a wrapper, such as TimeDistributed
            if isinstance(part, keras.Model):
                yield from _nodes(part)


def _sizes(tensor: Any) -> tuple[int, ...]:
    """Return the shape of one image's part of a tensor."""
    return tuple(_UNKNOWN_SIZE if size is None else size for size in tensor.shape[1:])


def _within(operation: Any, inputs: Sequence[tuple[int, ...]]) -> int:
    """Return how many numbers an operation needs besides its outputs: a padded input, or what attends to what."""
    if not inputs:
        return 0
    values = math.prod(inputs[0])
    if isinstance(operation, _ATTENTION):
        keys = inputs[min(1, len(inputs) - 1)]
        heads = getattr(operation, "num_heads", getattr(operation, "num_query_heads", 1))
        width = inputs[0][-1] if isinstance(operation, layers.AdditiveAttention) else 1
        return int(math.prod(inputs[0][:-1]) * math.prod(keys[:-1]) * heads * width)
    window = getattr(operation, "pool_size", getattr(operation, "kernel_size", None))
    if window is None or getattr(operation, "padding", "valid") != "same":
        return values
    taps = (window,) if isinstance(window, int) else tuple(window)
    gaps = getattr(operation, "dilation_rate", 1)
    gaps = (gaps,) * len(taps) if isinstance(gaps, int) else tuple(gaps)
    positions = inputs[0][: len(taps)] if getattr(operation, "data_format", None) != "channels_first" else inputs[0][1:]
    padded = math.prod(size + tap * gap for size, tap, gap in zip(positions, taps, gaps, strict=False))
    return int(padded * values // max(1, math.prod(positions)))
