"""Activation functions in NumPy, with Keras' definitions and defaults."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


def activated(x: Array, name: str, **options: float) -> Array:
    """Apply an activation function by its Keras name.

    Args:
        x: Any shape.
        name: A key of `ACTIVATIONS`.
        options: Its parameters, such as ``negative_slope``.
    """
    y: Array = ACTIVATIONS[name](x, **options).astype(np.float32, copy=False)
    return y


def _relu(x: Array, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Array:
    if not (negative_slope or threshold):
        return np.maximum(x, np.float32(0)) if max_value is None else np.clip(x, np.float32(0), np.float32(max_value))
    y = np.where(x >= threshold, x, np.float32(negative_slope) * (x - np.float32(threshold)))
    return y if max_value is None else np.minimum(y, np.float32(max_value))


def _softmax(x: Array, axis: int = -1) -> Array:
    powers: Array = np.exp(x - x.max(axis, keepdims=True))
    powers /= powers.sum(axis, keepdims=True)
    return powers


def _sigmoid(x: Array) -> Array:
    y: Array = np.float32(0.5) * (np.tanh(np.float32(0.5) * x) + np.float32(1))  # does not overflow
    return y


def _elu(x: Array, alpha: float = 1.0) -> Array:
    return np.where(x > 0, x, np.float32(alpha) * np.expm1(np.minimum(x, np.float32(0))))


def _selu(x: Array) -> Array:
    y: Array = np.float32(1.0507009873554805) * _elu(x, 1.6732632423543772)  # Klambauer et al. 2017, arXiv:1706.02515
    return y


def _gelu(x: Array) -> Array:
    from scipy.special import erf

    y: Array = np.float32(0.5) * x * (np.float32(1) + erf(x / np.float32(np.sqrt(2))))
    return y


def _hard_sigmoid(x: Array) -> Array:
    y: Array = np.clip(x / np.float32(6) + np.float32(0.5), np.float32(0), np.float32(1))
    return y


ACTIVATIONS: dict[str, Callable[..., Array]] = {
    "elu": _elu,
    "exponential": np.exp,
    "gelu": _gelu,
    "hard_sigmoid": _hard_sigmoid,
    "hard_silu": lambda x: x * _hard_sigmoid(x),
    "leaky_relu": lambda x, negative_slope=0.2: np.where(x >= 0, x, np.float32(negative_slope) * x),
    "mish": lambda x: x * np.tanh(np.logaddexp(x, np.float32(0))),
    "relu": _relu,
    "relu6": lambda x: _relu(x, max_value=6.0),
    "selu": _selu,
    "sigmoid": _sigmoid,
    "silu": lambda x: x * _sigmoid(x),
    "softmax": _softmax,
    "softplus": lambda x: np.logaddexp(x, np.float32(0)),
    "softsign": lambda x: x / (np.float32(1) + np.abs(x)),
    "tanh": np.tanh,
}
