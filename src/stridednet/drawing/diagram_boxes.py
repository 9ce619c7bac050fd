"""Group the layers of a network into the boxes of a diagram."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from stridednet.conv2d.arithmetic import Conv2DLayer
from stridednet.conv2d.network import LayerRecord, Network


class Kind(StrEnum):
    """The kind of a box, as written in the legend."""

    INPUT = "input"
    CONVOLUTION = "convolution"
    STRIDED = "strided convolution"
    POOLING = "pooling"
    DENSE = "dense"
    MERGE = "merge"
    OTHER = "other"


@dataclass(frozen=True)
class Box:
    """A layer that names the box, and the following layers that do not change its shape."""

    kind: Kind
    headline: str
    details: tuple[str, ...]
    output_shape: tuple[int, ...]
    parameters: int
    layers: tuple[str, ...]  # names, in order; empty for the input box if no layer is part of it


@dataclass(frozen=True)
class Boxes:
    """The boxes of a network, the input first, and its edges as pairs of box numbers, from lower to higher."""

    boxes: tuple[Box, ...]
    edges: tuple[tuple[int, int], ...]


_MERGES = ("Add", "Average", "Concatenate", "Dot", "Maximum", "Minimum", "Multiply", "Subtract")

# Layers that join the box before them, and their labels there; None: the name of the class.
_FOLLOWERS = {
    "Activation": None,
    "ReLU": None,
    "LeakyReLU": None,
    "PReLU": None,
    "ELU": None,
    "Softmax": "softmax",
    "BatchNormalization": "batch norm",
    "LayerNormalization": "layer norm",
    "GroupNormalization": "group norm",
    "Dropout": "dropout",
    "SpatialDropout1D": "spatial dropout",
    "SpatialDropout2D": "spatial dropout",
    "SpatialDropout3D": "spatial dropout",
    "GaussianDropout": "Gaussian dropout",
    "GaussianNoise": "noise",
    "Rescaling": "rescaling",
    "Normalization": "normalization",
}
_ACTIVATIONS = {"relu": "ReLU", "relu6": "ReLU6", "elu": "ELU", "selu": "SELU", "gelu": "GELU", "silu": "SiLU"}


def boxes_of(network: Network) -> Boxes:
    """Group the layers into boxes; each layer is in exactly one.

    Activation, normalization and dropout layers join the box before them if they are the only readers of its output.
    """
    groups: list[_Group] = [_Group()]
    group_of: dict[str, int] = {}
    for layer in network.layers:
        before = _boxes_before(layer, group_of)
        if _joins(layer, groups[before[0]], network, before):
            number = before[0]
            groups[number].layers.append(layer)
        else:
            number = len(groups)
            groups.append(_Group([layer], before))
        group_of[layer.name] = number
    boxes = [_input_box(network.input_shape, groups[0].layers), *(_box(group.layers) for group in groups[1:])]
    edges = [(source, target) for target, group in enumerate(groups) for source in group.before]
    return Boxes(tuple(boxes), tuple(edges))


@dataclass
class _Group:
    layers: list[LayerRecord] = field(default_factory=list)
    before: list[int] = field(default_factory=list)


def _reads_the_image(layer: LayerRecord) -> bool:
    # The image itself is not a layer, so a merge with a single input layer also reads the image.
    return not layer.inputs or (layer.kind in _MERGES and len(layer.inputs) == 1)


def _boxes_before(layer: LayerRecord, group_of: dict[str, int]) -> list[int]:
    before = [group_of[name] for name in layer.inputs]
    return list(dict.fromkeys([*before, 0] if _reads_the_image(layer) else before))


def _joins(layer: LayerRecord, group: _Group, network: Network, before: Sequence[int]) -> bool:
    if layer.kind not in _FOLLOWERS or len(before) > 1:
        return False
    if not group.layers:  # the bare image
        return sum(map(_reads_the_image, network.layers)) == 1
    return len(network.readers[group.layers[-1].name]) == 1


def _input_box(shape: tuple[int, ...], layers: Sequence[LayerRecord]) -> Box:
    details = tuple(_detail(layer) for layer in layers)
    names = tuple(layer.name for layer in layers)
    return Box(Kind.INPUT, "Input", details, shape, sum(layer.parameters for layer in layers), names)


def _box(layers: Sequence[LayerRecord]) -> Box:
    first, *followers = layers
    details = [_detail(layer) for layer in followers]
    if "pool_size" in first.settings:
        details.insert(0, f"strides {_number(first.settings['strides'])}")
    activation = first.settings.get("activation", "linear")
    if activation != "linear" and first.kind != "Activation":
        details.insert(0, _ACTIVATIONS.get(activation, activation))
    return Box(
        kind=_kind(first),
        headline=_headline(first),
        details=tuple(details),
        output_shape=layers[-1].output_shape,
        parameters=sum(layer.parameters for layer in layers),
        layers=tuple(layer.name for layer in layers),
    )


def _detail(layer: LayerRecord) -> str:
    if layer.kind == "Activation":
        name = str(layer.settings.get("activation", "activation"))
        return _ACTIVATIONS.get(name, name)
    word = _FOLLOWERS[layer.kind] or layer.kind
    return f"{word} {layer.settings['rate']:g}" if "rate" in layer.settings else word


def _kind(layer: LayerRecord) -> Kind:
    if _is_convolution(layer):
        halved = len(layer.output_shape) > 1 and layer.input_shape[0] >= 2 * layer.output_shape[0] > 0
        strided = max(layer.conv.layer.strides) > 1 if layer.conv else halved
        return Kind.STRIDED if strided else Kind.CONVOLUTION
    if "Pooling" in layer.kind:
        return Kind.POOLING
    if layer.kind in _MERGES:
        return Kind.MERGE
    return Kind.DENSE if layer.kind == "Dense" else Kind.OTHER


def _is_convolution(layer: LayerRecord) -> bool:
    return any(f"Conv{rank}D" in layer.kind for rank in (1, 2, 3))


def _headline(layer: LayerRecord) -> str:
    if layer.conv:
        return f"Conv2D {_arguments(layer.conv.layer)}"
    if "pool_size" in layer.settings:
        return f"{layer.kind} {_size(layer.settings['pool_size'])}"
    if layer.kind == "Dense" or _is_convolution(layer):
        return f"{layer.kind} {layer.output_shape[-1]}"
    return _detail(layer).capitalize() if layer.kind == "Activation" else layer.kind


def _arguments(layer: Conv2DLayer) -> str:
    parts = [str(layer.filters), _size(layer.kernel_size)]
    if layer.strides != (1, 1):
        parts.append(f"strides {_number(layer.strides)}")
    parts.append(layer.padding)
    if layer.dilation_rate != (1, 1):
        parts.append(f"dilation {_number(layer.dilation_rate)}")
    if layer.groups > 1:
        parts.append(f"groups {layer.groups}")
    return ", ".join(parts)


def _size(sizes: Sequence[int]) -> str:
    return "x".join(map(str, sizes))


def _number(sizes: Sequence[int]) -> str:
    return str(sizes[0]) if len(set(sizes)) == 1 else _size(sizes)
