"""Activation functions as ONNX nodes, with Keras' definitions; `numpy_activations` has the same names."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stridednet.deploy.export.onnx_graph import OnnxGraph

_OPERATORS: dict[str, tuple[str, dict[str, Any]]] = {
    "elu": ("Elu", {"alpha": 1.0}),
    "exponential": ("Exp", {}),
    "gelu": ("Gelu", {}),
    "hard_sigmoid": ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
    "hard_silu": ("HardSwish", {}),
    "leaky_relu": ("LeakyRelu", {"alpha": 0.2}),
    "mish": ("Mish", {}),
    "selu": ("Selu", {"alpha": 1.6732632423543772, "gamma": 1.0507009873554805}),
    "sigmoid": ("Sigmoid", {}),
    "softplus": ("Softplus", {}),
    "softsign": ("Softsign", {}),
    "tanh": ("Tanh", {}),
}
_NAMES = {"negative_slope": "alpha"}  # Keras' parameter -> ONNX' attribute


def activated(graph: "OnnxGraph", value: str, name: str, **options: Any) -> str:
    """Append an activation function other than softmax, and return the name of its output.

    Args:
        graph: The graph.
        value: The name of the input.
        name: The name of the function in Keras.
        options: Its parameters.
    """
    if name in _COMPOSED:
        return _COMPOSED[name](graph, value, **options)
    operator, attributes = _OPERATORS[name]
    given = {_NAMES.get(option, option): float(number) for option, number in options.items()}
    return graph.node(operator, [value], **attributes | given)


def _relu(
    graph: "OnnxGraph",
    value: str,
    negative_slope: float = 0.0,
    max_value: float | None = None,
    threshold: float = 0.0,
) -> str:
    if not (negative_slope or threshold):
        if max_value is None:
            return graph.node("Relu", [value])
        return graph.node("Clip", [value, graph.constant(0.0), graph.constant(max_value)])
    limit = graph.constant(threshold)
    below = graph.node("Mul", [graph.node("Sub", [value, limit]), graph.constant(negative_slope)])
    result = graph.node("Where", [graph.node("GreaterOrEqual", [value, limit]), value, below])
    return result if max_value is None else graph.node("Min", [result, graph.constant(max_value)])


def _relu6(graph: "OnnxGraph", value: str) -> str:
    return _relu(graph, value, max_value=6.0)


def _silu(graph: "OnnxGraph", value: str) -> str:
    return graph.node("Mul", [value, graph.node("Sigmoid", [value])])


_COMPOSED: dict[str, Callable[..., str]] = {"relu": _relu, "relu6": _relu6, "silu": _silu}
NAMES = frozenset({*_OPERATORS, *_COMPOSED, "softmax"})
