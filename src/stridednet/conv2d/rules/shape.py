"""Advice on the shape of a whole network: filters, shrinking, receptive field, where the parameters are."""

from collections.abc import Iterator
from itertools import pairwise

from stridednet.conv2d.finding import ARITHMETIC, TUTORIAL, Finding
from stridednet.conv2d.network import LayerRecord, Network

_LARGE_DENSE = 100_000  # parameters; a share of a tiny network says little


def filters_and_powers(network: Network) -> Iterator[Finding]:
    """Find numbers of filters that are no powers of two."""
    odd = [layer for layer, conv in network.convolutions if conv.layer.filters & (conv.layer.filters - 1)]
    if odd:
        yield Finding(
            "filters and powers of two",
            "note",
            odd[0].name,
            ", ".join(f"{layer.name} {layer.output_shape[2]}" for layer in odd),
            "powers of two are a habit that suits the kernels of most libraries; accuracy does not depend on it",
            "the next power of two, unless a module's sum needs this number",
            TUTORIAL,
        )


def filters_and_depth(network: Network) -> Iterator[Finding]:
    """Find maps that shrink without getting more filters."""
    most: dict[int, int] = {}
    for layer, conv in network.convolutions:
        most[layer.jump[0]] = max(most.get(layer.jump[0], 0), conv.layer.filters)
    for (jump, filters), (next_jump, next_filters) in pairwise(sorted(most.items())):
        if next_filters < filters:
            first = next(layer for layer, _ in network.convolutions if layer.jump[0] == next_jump)
            yield Finding(
                "filters do not grow with depth",
                "advice",
                first.name,
                f"at most {next_filters} filters where neighbours are {next_jump} pixels apart, {filters} at {jump}",
                "as the map shrinks there is room for more, and more abstract, features at the same cost",
                f"at least {filters}, or double them whenever the map is halved",
                TUTORIAL,
            )


def pooling_or_strides(network: Network) -> Iterator[Finding]:
    """Find max pooling that strides in the convolution before it could replace."""
    replaceable = []
    for pool in network.layers:
        conv = _convolution_before(network, pool) if pool.kind == "MaxPooling2D" else None
        if conv is not None and max(pool.settings["strides"]) > 1:
            replaceable.append((pool, conv))
    if replaceable:
        rows_and_columns = [pool.settings["strides"] for pool, _ in replaceable]
        spared = sum(
            conv.multiply_adds - conv.multiply_adds // (strides[0] * strides[1])
            for (_, conv), strides in zip(replaceable, rows_and_columns, strict=True)
        )
        yield Finding(
            "pooling that strides could replace",
            "note",
            replaceable[0][0].name,
            f"max pooling layers: {len(replaceable)}; strides in the convolution before each would spare "
            f"{spared / 1e6:.1f} of {network.multiply_adds / 1e6:.1f} million multiply-adds",
            "a strided convolution learns how to shrink, and the paper found it about as accurate",
            "strides=2 in the convolution in front; `--set model.downsample=strides` for StridedNet",
            "Springenberg et al. 2014, arXiv:1412.6806",
        )


def receptive_field(network: Network) -> Iterator[Finding]:
    """Compare what the last convolution sees with the image."""
    image = network.input_shape[:2]
    if not network.convolutions or not all(image):
        return
    last, conv = network.convolutions[-1]
    height, width = conv.receptive_field
    if height < image[0] or width < image[1]:
        averaged = any(layer.kind.startswith("Global") for layer in network.layers)
        behind = "and the mean behind it cannot join parts" if averaged else "the dense layer behind it must join parts"
        yield Finding(
            "receptive field smaller than the image",
            "advice" if averaged else "note",
            last.name,
            f"{height}x{width} of {image[0]}x{image[1]} pixels",
            f"no value of the last map sees a larger object whole, {behind}",
            "one more strided stage, earlier strides, or smaller images",
            "Araujo et al. 2019, doi:10.23915/distill.00021",
        )


def dense_majority(network: Network) -> Iterator[Finding]:
    """Find a dense layer that holds more than half of the parameters."""
    for layer in network.layers:
        if layer.kind == "Dense" and layer.parameters > max(network.parameters / 2, _LARGE_DENSE):
            yield Finding(
                "a dense layer holds most of the parameters",
                "advice",
                layer.name,
                f"{layer.parameters:,} of {network.parameters:,}: {layer.parameters / network.parameters:.0%}",
                "it is large in memory and on disk, and learns a feature anew for each place",
                "shrink the map once more before Flatten, take fewer units, or GlobalAveragePooling2D, and measure: "
                "it can cost accuracy",
                "Lin et al. 2013, arXiv:1312.4400, section 3.2",
            )


def collapsed_map(network: Network) -> Iterator[Finding]:
    """Find convolutions above 1x1 on a map of a single pixel."""
    for layer, conv in network.convolutions:
        height, width = conv.layer.kernel_size
        if layer.input_shape[:2] == (1, 1) and height * width > 1:
            yield Finding(
                "the map has collapsed",
                "problem",
                layer.name,
                f"{height}x{width} on one pixel: {height * width - 1} of {height * width} weights meet padding only",
                "there is no neighbourhood left to look at",
                "fewer strided or pooling layers, or larger images",
                ARITHMETIC,
            )


def _convolution_before(network: Network, pool: LayerRecord) -> LayerRecord | None:
    """Return the convolution that only this pooling layer reads, activation and normalisation aside."""
    layer = pool
    while layer.inputs:
        layer = network.by_name[layer.inputs[0]]
        if len(network.readers[layer.name]) > 1:
            return None
        if layer.conv is not None:
            return layer
        if layer.kind not in ("Activation", "ReLU", "LeakyReLU", "BatchNormalization"):
            return None
    return None
