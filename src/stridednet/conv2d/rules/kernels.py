"""Advice on kernels, strides, padding and dilation: what a layer reads of its input."""

from collections.abc import Iterator

from stridednet.conv2d.arithmetic import Conv2DFacts, unread_share
from stridednet.conv2d.finding import ARITHMETIC, TUTORIAL, Finding
from stridednet.conv2d.network import LayerRecord, Network

SMALL_IMAGE = 128  # pixels, from the tutorial


def even_kernel(network: Network) -> Iterator[Finding]:
    """Find kernels without a centre, where no strides need them."""
    for layer, conv in network.convolutions:
        even = [size for size in conv.layer.kernel_size if size % 2 == 0]
        if even and conv.layer.strides == (1, 1):
            yield Finding(
                "even kernel",
                "advice",
                layer.name,
                f"kernel {_size(conv)}: the output lies {conv.shift[0]:g} pixels lower, {conv.shift[1]:g} to the right",
                "an even kernel has no centre, so that padding cannot be equal on both sides",
                f"take {min(even) + 1}" + (f" or {min(even) - 1}" if min(even) > 2 else ""),
                TUTORIAL,
            )


def first_kernel(network: Network) -> Iterator[Finding]:
    """Apply the tutorial's rule of 128 pixels to the first convolution."""
    if not network.convolutions or not all(network.input_shape[:2]):
        return
    first, conv = network.convolutions[0]
    size, kernel = max(network.input_shape[:2]), max(conv.layer.kernel_size)
    if kernel > 3 and size <= SMALL_IMAGE:
        yield Finding(
            "first kernel and image size",
            "advice",
            first.name,
            f"kernel {_size(conv)} on images of {size} pixels",
            f"up to {SMALL_IMAGE} pixels the tutorial's rule is 1x1 and 3x3 only (its own StridedNet breaks it)",
            "kernel_size 3, and measure: `stridednet train --set model.stem_kernel=3` for StridedNet",
            TUTORIAL,
        )
    elif kernel <= 3 and size > SMALL_IMAGE:
        yield Finding(
            "first kernel and image size",
            "note",
            first.name,
            f"kernel {_size(conv)} on images of {size} pixels",
            f"above {SMALL_IMAGE} pixels a first 5x5 or 7x7 with strides learns larger shapes and shrinks the map",
            "kernel_size 5 or 7 with strides 2, in this layer only",
            TUTORIAL,
        )


def large_kernel(network: Network) -> Iterator[Finding]:
    """Find kernels above 5 behind the first convolution."""
    for layer, conv in network.convolutions[1:]:
        if max(conv.layer.kernel_size) > 5:
            yield Finding(
                "large kernel",
                "advice",
                layer.name,
                f"kernel {_size(conv)} behind the first convolution",
                "two 3x3 see as much as one 5x5, and three as much as one 7x7, with fewer weights",
                "stack 3x3 convolutions",
                "Simonyan and Zisserman 2014, arXiv:1409.1556, section 2.3",
            )


def kernel_beyond_map(network: Network) -> Iterator[Finding]:
    """Find kernels that cover more than their input."""
    for layer, conv in network.convolutions:
        height, width = layer.input_shape[:2]
        if conv.rows.extent > height or conv.columns.extent > width:
            yield Finding(
                "kernel larger than its input",
                "problem",
                layer.name,
                f"{conv.rows.extent}x{conv.columns.extent} on a map of {height}x{width}: {_padding_share(conv):.0%} of "
                "what it reads is padding",
                "the map has shrunk to less than the kernel",
                "larger images, fewer strided layers, or a 1x1 kernel here",
                ARITHMETIC,
            )


def unread_pixels(network: Network) -> Iterator[Finding]:
    """Find pixels that no window reads: gaps between windows, and what is left over at the border."""
    for layer, conv in network.convolutions:
        rows, columns = conv.unread
        if not rows and not columns:
            continue
        height, width = layer.input_shape[:2]
        gaps = any(
            stride > (size - 1) * spread + 1
            for stride, size, spread in zip(
                conv.layer.strides, conv.layer.kernel_size, conv.layer.dilation_rate, strict=True
            )
        )
        shortcut = conv.layer.kernel_size == (1, 1)  # as ResNet's, whose main path reads the rest
        yield Finding(
            "pixels that are never read",
            "problem" if gaps and not shortcut else "note",
            layer.name,
            f"{len(rows)} of {height} rows, {len(columns)} of {width} columns: "
            f"{unread_share(rows, columns, layer.input_shape):.1%} of the input",
            "the strides are larger than the kernel"
            if gaps
            else "what the strides leave over at the border is dropped",
            f"a kernel of at least {max(conv.layer.strides)}" if gaps else "padding 'same', or another image size",
            ARITHMETIC,
        )


def lost_borders(network: Network) -> Iterator[Finding]:
    """Find `valid` padding with a kernel above 1."""
    losing = [
        (layer, max(conv.rows.extent, conv.columns.extent) - 1)
        for layer, conv in network.convolutions
        if conv.layer.padding == "valid" and max(conv.layer.kernel_size) > 1 and not _padded_before(network, layer)
    ]
    if losing:
        only_the_first = [layer for layer, _ in losing] == [network.convolutions[0][0]]
        yield Finding(
            "valid padding loses borders",
            "note" if only_the_first else "advice",
            losing[0][0].name,
            "pixels lost in each direction: " + ", ".join(f"{layer.name} {lost}" for layer, lost in losing),
            "with `valid` the map shrinks by the kernel, and fewer windows read the pixels at the border",
            "padding 'same' nearly everywhere, and shrink by strides or pooling",
            TUTORIAL,
        )


def dilation(network: Network) -> Iterator[Finding]:
    """Find dilation on images that are small."""
    if not all(network.input_shape[:2]) or max(network.input_shape[:2]) > SMALL_IMAGE:
        return
    for layer, conv in network.convolutions:
        spread = max(conv.layer.dilation_rate)
        if spread > 1:
            height, width = layer.input_shape[:2]
            yield Finding(
                "dilation without need",
                "advice",
                layer.name,
                f"dilation {spread} on a map of {height}x{width}; images of {max(network.input_shape[:2])} pixels",
                "gaps between the taps skip detail; they are for large images whose map must not shrink",
                "dilation_rate 1; for a larger receptive field strides or one more layer",
                f"{TUTORIAL}; Yu and Koltun 2015, arXiv:1511.07122",
            )


def _size(conv: Conv2DFacts) -> str:
    return "x".join(map(str, conv.layer.kernel_size))


def _padding_share(conv: Conv2DFacts) -> float:
    """Return which share of a layer's taps meets padding."""
    rows = sum(len(conv.rows.read([row])) for row in range(conv.rows.output))
    columns = sum(len(conv.columns.read([column])) for column in range(conv.columns.output))
    return 1 - rows * columns / (conv.rows.output * conv.rows.kernel * conv.columns.output * conv.columns.kernel)


def _padded_before(network: Network, layer: LayerRecord) -> bool:
    return any(network.by_name[name].kind == "ZeroPadding2D" for name in layer.inputs)
