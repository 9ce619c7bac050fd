"""A Keras model's graph: its operations in the order in which they can be computed."""

from typing import Any

import keras

from stridednet.errors import ModelError


def nodes_in_order(model: keras.Model) -> list[Any]:
    """Return one node for each call of a layer, inputs first and without the inputs themselves.

    A node has ``operation`` (the layer), ``input_tensors`` and ``outputs``.

    Raises:
        ModelError: The model is not built.
    """
    if isinstance(model, keras.Sequential):
        model = model._functional
    if not hasattr(model, "_nodes_by_depth"):
        raise ModelError(f"the model has no graph of layers: build it with keras.Input. Received: {model!r}")
    return [
        node
        for depth in sorted(model._nodes_by_depth, reverse=True)
        for node in model._nodes_by_depth[depth]
        if node.operation is not None and not node.is_input
    ]
