"""A network as the advice rules see it: layers with shapes, costs and receptive fields, without Keras."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from stridednet.conv2d.arithmetic import BYTES_OF_FLOAT32, Conv2DFacts

# Layers that `follower` skips: they keep the shape and do nothing at inference.
_TRANSPARENT = ("Dropout", "SpatialDropout2D", "GaussianNoise")


@dataclass(frozen=True)
class LayerRecord:
    """One layer. Counts are per image; shapes are channels last and omit the batch axis; None is unknown."""

    name: str
    kind: str  # name of the Keras class
    inputs: tuple[str, ...]  # names of the layers that it reads; empty for the first layer
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    parameters: int
    multiply_adds: int | None
    # In pixels along each axis of the image; "all": the whole image, after a dense layer or global pooling.
    receptive_field: tuple[int, ...] | Literal["all"] | None
    jump: tuple[int | float, ...] | None  # pixels of the image between neighboring outputs
    conv: Conv2DFacts | None = None  # for a Conv2D only
    settings: Mapping[str, Any] = field(default_factory=dict)  # the Keras arguments that the rules read

    @property
    def activation_bytes(self) -> int | None:
        """Memory of the output in float32, in bytes."""
        return math.prod(self.output_shape) * BYTES_OF_FLOAT32 if all(self.output_shape) else None

    @property
    def is_known(self) -> bool:
        """Whether cost and receptive field are known."""
        return self.multiply_adds is not None and self.receptive_field is not None

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width of the output; None if it is a vector."""
        return (self.output_shape[0], self.output_shape[1]) if len(self.output_shape) == 3 else None


@dataclass(frozen=True)
class Network:
    """The layers of a model, in the order of computation."""

    name: str
    input_shape: tuple[int, ...]
    layers: tuple[LayerRecord, ...]

    @property
    def parameters(self) -> int:
        """Number of parameters of all layers."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def multiply_adds(self) -> int | None:
        """Multiply-adds of all layers, per image; None if that of a layer is unknown."""
        return _sum(layer.multiply_adds for layer in self.layers)

    @property
    def least_multiply_adds(self) -> int:
        """Multiply-adds of the layers for which they are known, per image."""
        return sum(layer.multiply_adds or 0 for layer in self.layers)

    @property
    def activation_bytes(self) -> int | None:
        """Memory of all outputs per image in float32, in bytes: about what a training step keeps."""
        return _sum(layer.activation_bytes for layer in self.layers)

    @property
    def is_known(self) -> bool:
        """Whether costs and receptive fields of all layers are known."""
        return all(layer.is_known for layer in self.layers)

    @cached_property
    def convolutions(self) -> tuple[tuple[LayerRecord, Conv2DFacts], ...]:
        """The `Conv2D` layers with their facts."""
        return tuple((layer, layer.conv) for layer in self.layers if layer.conv is not None)

    @cached_property
    def readers(self) -> dict[str, tuple[LayerRecord, ...]]:
        """Maps each layer name to the layers that read its output."""
        return {
            layer.name: tuple(reader for reader in self.layers if layer.name in reader.inputs) for layer in self.layers
        }

    @cached_property
    def by_name(self) -> dict[str, LayerRecord]:
        """Maps each layer name to the layer."""
        return {layer.name: layer for layer in self.layers}

    def follower(self, layer: LayerRecord) -> LayerRecord | None:
        """Return the only layer that reads this one, skipping dropout and noise; None if there are none or several."""
        readers = self.readers[layer.name]
        while len(readers) == 1 and readers[0].kind in _TRANSPARENT:
            readers = self.readers[readers[0].name]
        return readers[0] if len(readers) == 1 else None


def _sum(numbers: Iterable[int | None]) -> int | None:
    total = 0
    for number in numbers:
        if number is None:
            return None
        total += number
    return total
