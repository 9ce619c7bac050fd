"""The layers of a network as texts, for a table on the screen or on a page."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

from stridednet.conv2d.network import LayerRecord, Network


class LayerRow(NamedTuple):
    """The cells of a layer's line; what is unknown is ``?``, and nothing is ``-``."""

    name: str
    kind: str
    output: str
    parameters: str
    multiply_adds: str
    memory: str
    field: str


TITLES = LayerRow("layer", "type", "output", "parameters", "multiply-adds", "memory", "field")
LEGEND = "multiply-adds and memory (float32) are per image; field is the receptive field, in pixels of the image"


def layer_rows(network: Network) -> list[LayerRow]:
    """Return the lines of all layers."""
    return [
        LayerRow(
            layer.name,
            _type(layer),
            _shape(layer.output_shape),
            _count(layer.parameters),
            _count(layer.multiply_adds),
            _bytes(layer.activation_bytes),
            _field(layer),
        )
        for layer in network.layers
    ]


def total_row(network: Network) -> LayerRow:
    """Return the line with the totals."""
    return LayerRow(
        "total",
        f"{network.name} on {_shape(network.input_shape)}",
        "",
        _count(network.parameters),
        _total(network),
        _bytes(network.activation_bytes),
        "",
    )


def unknown_note(network: Network) -> str:
    """Return what the question marks mean; empty if there are none."""
    unknown = list(dict.fromkeys(layer.kind for layer in network.layers if layer.multiply_adds is None))
    if unknown:
        return f"?: unknown; what these layers compute is not analyzed: {', '.join(unknown)}"
    if not network.is_known:
        return "?: unknown, since positions of the feature map do not correspond to positions in the image"
    return ""


def size_text(count: int) -> str:
    """Format a number of bytes.

    >>> size_text(129_600), size_text(4_147_200)
    ('129.6 kB', '4.1 MB')
    """
    return f"{count / 1000:,.1f} kB" if count < 1_000_000 else f"{count / 1_000_000:,.1f} MB"


def _type(layer: LayerRecord) -> str:
    if layer.conv is not None:
        # Without the initializer, which is usually the same in every line.
        text = f"{layer.kind} {dataclasses.replace(layer.conv.layer, kernel_initializer='glorot_uniform')}"
    elif "pool_size" in layer.settings:
        text = f"{layer.kind} {_shape(layer.settings['pool_size'])}"
    elif layer.kind == "Dropout":
        text = f"{layer.kind} {layer.settings['rate']:g}"
    elif layer.kind == "Dense":
        text = f"{layer.kind} {layer.output_shape[-1]}"
    else:
        text = layer.kind
    activation = layer.settings.get("activation", "linear")
    return text if activation == "linear" else f"{text} {activation}"


def _field(layer: LayerRecord) -> str:
    field = layer.receptive_field
    if field is None or isinstance(field, str):
        return field or "?"
    return _shape(field[:1] if len(set(field)) == 1 else field)


def _shape(sizes: Sequence[int]) -> str:
    return "x".join(str(size) if size else "?" for size in sizes)


def _count(number: int | None) -> str:
    if number is None:
        return "?"
    return f"{number:,}" if number else "-"


def _total(network: Network) -> str:
    """Return the multiply-adds of all layers, or of those for which they are known."""
    if network.multiply_adds is not None or not network.least_multiply_adds:
        return _count(network.multiply_adds)
    return f"at least {network.least_multiply_adds:,}"


def _bytes(count: int | None) -> str:
    return "?" if count is None else size_text(count)
