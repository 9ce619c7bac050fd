"""A network as the guide sees it: layers with their shapes, costs and receptive fields, without Keras."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from stridednet.conv2d.arithmetic import BYTES_OF_FLOAT32, Conv2DFacts, Pair

# Layers that change values, not the size: what stands behind a convolution is looked for beyond them.
_TRANSPARENT = ("Dropout", "SpatialDropout2D", "GaussianNoise")


@dataclass(frozen=True)
class LayerRecord:
    """One layer; counts are for one image, and shapes have no batch and the channels last."""

    name: str
    kind: str  # Keras' class name
    inputs: tuple[str, ...]  # names of the layers before it; none for the first
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    parameters: int
    multiply_adds: int
    receptive_field: Pair | None  # None: the whole image, behind a dense layer or global pooling
    jump: Pair
    conv: Conv2DFacts | None = None  # of a Conv2D
    settings: Mapping[str, Any] = field(default_factory=dict)  # Keras' arguments that advice looks at

    @property
    def activation_bytes(self) -> int:
        """Memory of the output in float32."""
        return math.prod(self.output_shape) * BYTES_OF_FLOAT32

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width of the output; None for a vector."""
        return (self.output_shape[0], self.output_shape[1]) if len(self.output_shape) == 3 else None


@dataclass(frozen=True)
class Network:
    """A model's layers, in the order in which they are computed."""

    name: str
    input_shape: tuple[int, ...]
    layers: tuple[LayerRecord, ...]

    @property
    def parameters(self) -> int:
        """Of all layers."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def multiply_adds(self) -> int:
        """Of all layers, for one image."""
        return sum(layer.multiply_adds for layer in self.layers)

    @property
    def activation_bytes(self) -> int:
        """Of all layers' outputs, for one image, in float32: about what training keeps."""
        return sum(layer.activation_bytes for layer in self.layers)

    @cached_property
    def convolutions(self) -> tuple[tuple[LayerRecord, Conv2DFacts], ...]:
        """The `Conv2D` layers, each with its facts."""
        return tuple((layer, layer.conv) for layer in self.layers if layer.conv is not None)

    @cached_property
    def readers(self) -> dict[str, tuple[LayerRecord, ...]]:
        """For each layer's name, the layers that read its output."""
        return {
            layer.name: tuple(reader for reader in self.layers if layer.name in reader.inputs) for layer in self.layers
        }

    @cached_property
    def by_name(self) -> dict[str, LayerRecord]:
        """The layers by their names."""
        return {layer.name: layer for layer in self.layers}

    def behind(self, layer: LayerRecord) -> LayerRecord | None:
        """Return the one layer that reads this one, dropout aside; None where several do or none."""
        readers = self.readers[layer.name]
        while len(readers) == 1 and readers[0].kind in _TRANSPARENT:
            readers = self.readers[readers[0].name]
        return readers[0] if len(readers) == 1 else None
