"""Advice on the shape of a network: filters, downsampling, receptive field, distribution of parameters."""

from collections.abc import Iterator
from itertools import pairwise

from stridednet.conv2d.finding import ARITHMETIC, TUTORIAL, Finding
from stridednet.conv2d.network import LayerRecord, Network

_LARGE_DENSE = 100_000  # parameters; in a tiny network, the share alone means little


def filters_and_powers(network: Network) -> Iterator[Finding]:
    """Find numbers of filters that are not powers of two."""
    odd = [layer for layer, conv in network.convolutions if conv.layer.filters & (conv.layer.filters - 1)]
    if odd:
        yield Finding(
            "filters and powers of two",
            "note",
            odd[0].name,
            ", ".join(f"{layer.name} {layer.output_shape[2]}" for layer in odd),
            "powers of two are a convention that suits the kernels of most libraries; accuracy does not depend on it",
            "use the next power of two, unless a concatenation in a module requires this number",
            TUTORIAL,
        )


def filters_and_depth(network: Network) -> Iterator[Finding]:
    """Find layers that have fewer filters after downsampling than before."""
    most: dict[float, int] = {}
    for layer, conv in network.convolutions:
        if not layer.jump:  # the feature map may have any size relative to the image
            return
        most[layer.jump[0]] = max(most.get(layer.jump[0], 0), conv.layer.filters)
    for (jump, filters), (next_jump, next_filters) in pairwise(sorted(most.items())):
        if next_filters < filters:
            first = next(layer for layer, _ in network.convolutions if layer.jump and layer.jump[0] == next_jump)
            yield Finding(
                "filters do not grow with depth",
                "advice",
                first.name,
                f"at most {next_filters} filters at a total stride of {next_jump:g}, but {filters} at {jump:g}",
                "as the feature map shrinks, more filters, for more abstract features, are affordable at the same cost",
                f"use at least {filters} filters, or double them whenever height and width are halved",
                TUTORIAL,
            )


def pooling_or_strides(network: Network) -> Iterator[Finding]:
    """Find max pooling that could be replaced by strides in the preceding convolution."""
    replaceable = []
    for pool in network.layers:
        conv = _convolution_before(network, pool) if pool.kind == "MaxPooling2D" else None
        if conv is not None and max(pool.settings["strides"]) > 1:
            replaceable.append((pool, conv))
    if replaceable:
        rows_and_columns = [pool.settings["strides"] for pool, _ in replaceable]
        spared = sum(
            conv.conv.multiply_adds - conv.conv.multiply_adds // (strides[0] * strides[1])
            for (_, conv), strides in zip(replaceable, rows_and_columns, strict=True)
            if conv.conv is not None
        )
        total = "" if network.multiply_adds is None else f"of {network.multiply_adds / 1e6:.1f} "
        yield Finding(
            "pooling replaceable by strides",
            "note",
            replaceable[0][0].name,
            f"max pooling layers: {len(replaceable)}; strides in the preceding convolutions would save "
            f"{spared / 1e6:.1f} {total}million multiply-adds",
            "a strided convolution learns how to downsample, and the paper found it about as accurate",
            "use strides=2 in the preceding convolution; for StridedNet: `--set model.downsample=strides`",
            "Springenberg et al. 2014, arXiv:1412.6806",
        )


def receptive_field(network: Network) -> Iterator[Finding]:
    """Compare the receptive field of the last convolution with the image."""
    image = network.input_shape[:2]
    if not network.convolutions or not network.is_known:  # an unknown layer may combine distant pixels
        return
    last = next(layer for layer in reversed(network.layers) if "Conv" in layer.kind)
    field = last.receptive_field
    if field is None or isinstance(field, str) or len(field) != 2:
        return
    height, width = field
    if height < image[0] or width < image[1]:
        averaged = any(layer.kind.startswith("Global") for layer in network.layers)
        rest = "global pooling cannot" if averaged else "the dense layer must"
        yield Finding(
            "receptive field smaller than the image",
            "advice" if averaged else "note",
            last.name,
            f"{height}x{width} of {image[0]}x{image[1]} pixels",
            f"no single output covers an object larger than that; {rest} combine its parts",
            "use one more strided stage, downsample earlier, or use smaller images",
            "Araujo et al. 2019, doi:10.23915/distill.00021",
        )


def dense_majority(network: Network) -> Iterator[Finding]:
    """Find a dense layer after convolutions that holds more than half of the parameters."""
    for layer in network.layers if network.convolutions else ():
        if (
            layer.kind == "Dense"
            and len(layer.input_shape) == 1
            and layer.parameters > max(network.parameters / 2, _LARGE_DENSE)
        ):
            yield Finding(
                "a dense layer holds most of the parameters",
                "advice",
                layer.name,
                f"{layer.parameters:,} of {network.parameters:,}: {layer.parameters / network.parameters:.0%}",
                "it is large in memory and on disk, and has to learn each feature separately for every position",
                "downsample once more before Flatten, use fewer units, or use GlobalAveragePooling2D; measure it, "
                "since it can cost accuracy",
                "Lin et al. 2013, arXiv:1312.4400, section 3.2",
            )


def collapsed_map(network: Network) -> Iterator[Finding]:
    """Find kernels larger than 1x1 on a feature map of a single pixel."""
    for layer, conv in network.convolutions:
        height, width = conv.layer.kernel_size
        if layer.input_shape[:2] == (1, 1) and height * width > 1:
            yield Finding(
                "feature map of a single pixel",
                "problem",
                layer.name,
                f"{height}x{width} on one pixel: {height * width - 1} of {height * width} weights read padding only",
                "there are no neighboring pixels left to read",
                "use fewer strided or pooling layers, or larger images",
                ARITHMETIC,
            )


def _convolution_before(network: Network, pool: LayerRecord) -> LayerRecord | None:
    """Return the convolution that only this pooling layer reads, skipping activation and normalization."""
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
