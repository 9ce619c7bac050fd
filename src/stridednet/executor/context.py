"""What a layer is computed from: its weights and backend, and the state of one forward pass."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import keras
import torch

from stridednet.executor.backend import Backend
from stridednet.executor.masks import Masks

Tensor = torch.Tensor


@dataclass
class ForwardPass:
    """One run of a graph. Nothing else changes during a run, so that threads can share a graph.

    Args:
        training: As for Keras layers.
        masks: Draws the dropout masks; needed in training only.
        penalties: Terms that activity regularizers and layers add to the loss, collected during the run.
    """

    training: bool = False
    masks: Masks | None = None
    penalties: list[Tensor] = field(default_factory=list)

    def dropout_mask(self, x: Tensor, rate: float) -> Tensor | None:
        """Return the mask for dropout of a tensor like this one, or None where nothing is dropped."""
        if not self.training or rate == 0:
            return None
        if self.masks is None:
            raise ValueError("a training pass with dropout needs masks")
        return self.masks.draw(x, rate)


LayerFunction = Callable[[Tensor, ForwardPass], Tensor]


class Weights(Protocol):
    """Where layers find the values of their variables."""

    def tensor(self, variable: keras.Variable) -> Tensor:
        """Return a variable in the backend's precision; always the same tensor, whose values may change."""
        ...

    def full(self, variable: keras.Variable) -> Tensor:
        """Return a variable in float32, whatever the precision; always the same tensor."""
        ...


@dataclass(frozen=True)
class LayerContext:
    """A layer and its surroundings: what its function is built from.

    Args:
        layer: A built Keras layer.
        weights: The values of its variables.
        backend: How to compute.
        following: The activation function to use instead of the layer's own: that of the next layer, or linear.
    """

    layer: Any
    weights: Weights
    backend: Backend
    following: Any = None

    @property
    def activation(self) -> Any:
        """The activation function that is applied to the layer's output."""
        return self.layer.activation if self.following is None else self.following

    def bias(self) -> Tensor | None:
        """Return the layer's bias, or None if it has none."""
        return self.weights.tensor(self.layer.bias) if self.layer.use_bias else None
