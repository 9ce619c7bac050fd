"""The graph of a Keras model: its layer calls in an order in which they can be computed."""

from typing import Any

import keras

from stridednet.errors import ModelError


def nodes_in_order(model: keras.Model) -> list[Any]:
    """Return one node per call of a layer, in an order in which they can be computed; input layers are omitted.

    A node has the attributes ``operation`` (the layer), ``input_tensors`` and ``outputs``.

    Raises:
        ModelError: The model has no graph, since it is not built or is a subclassed model.
    """
    graph = graph_of(model)
    return [
        node
        for depth in sorted(graph._nodes_by_depth, reverse=True)
        for node in graph._nodes_by_depth[depth]
        if node.operation is not None and not node.is_input
    ]


def graph_of(model: keras.Model) -> Any:
    """Return the functional model that holds a model's graph, with its ``inputs`` and ``outputs``.

    Raises:
        ModelError: The model has no graph, since it is not built or is a subclassed model.
    """
    if isinstance(model, keras.Sequential):
        model = model._functional
    if not hasattr(model, "_nodes_by_depth"):
        raise ModelError(f"the model has no graph of layers: build it with keras.Input. Received: {model!r}")
    return model
