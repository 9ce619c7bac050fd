"""Advice on kernels, strides, padding and dilation: which pixels a layer reads."""

from collections.abc import Iterator

from stridednet.conv2d.arithmetic import Conv2DFacts, unread_share
from stridednet.conv2d.finding import ARITHMETIC, TUTORIAL, Finding
from stridednet.conv2d.network import LayerRecord, Network

SMALL_IMAGE = 128  # pixels, from the tutorial


def even_kernel(network: Network) -> Iterator[Finding]:
    """Find even kernels in layers without strides."""
    for layer, conv in network.convolutions:
        even = [size for size in conv.layer.kernel_size if size % 2 == 0]
        if even and conv.layer.strides == (1, 1):
            down, right = conv.shift
            yield Finding(
                "even kernel",
                "advice",
                layer.name,
                f"kernel {_size(conv)}: windows are offset by {down:g} pixels down and {right:g} to the right",
                "an even kernel has no center pixel, so `same` padding cannot be symmetric",
                f"use kernel_size {min(even) + 1}" + (f" or {min(even) - 1}" if min(even) > 2 else ""),
                TUTORIAL,
            )


def first_kernel(network: Network) -> Iterator[Finding]:
    """Check the kernel of the first convolution against the tutorial's rule of 128 pixels."""
    if not network.convolutions or not all(network.input_shape[:2]):
        return
    first, conv = network.convolutions[0]
    if first.receptive_field is None:  # an unknown layer before it may have changed the size of the image
        return
    size, kernel = max(network.input_shape[:2]), max(conv.layer.kernel_size)
    if kernel > 3 and size <= SMALL_IMAGE:
        yield Finding(
            "first kernel and image size",
            "advice",
            first.name,
            f"kernel {_size(conv)} on images of {size} pixels",
            f"the tutorial recommends only 1x1 and 3x3 up to {SMALL_IMAGE} pixels (its own StridedNet deviates)",
            "use kernel_size 3 and measure the effect; for StridedNet: `stridednet train --set model.stem_kernel=3`",
            TUTORIAL,
        )
    elif kernel <= 3 and size > SMALL_IMAGE:
        yield Finding(
            "first kernel and image size",
            "note",
            first.name,
            f"kernel {_size(conv)} on images of {size} pixels",
            f"above {SMALL_IMAGE} pixels, a 5x5 or 7x7 first layer with strides learns larger shapes and downsamples",
            "use kernel_size 5 or 7 with strides 2, in this layer only",
            TUTORIAL,
        )


def large_kernel(network: Network) -> Iterator[Finding]:
    """Find kernels larger than 5 after the first convolution."""
    for layer, conv in network.convolutions[1:]:
        if max(conv.layer.kernel_size) > 5:
            yield Finding(
                "large kernel",
                "advice",
                layer.name,
                f"kernel {_size(conv)} after the first convolution",
                "two 3x3 layers have the receptive field of one 5x5 layer, and three that of 7x7, with fewer weights",
                "stack 3x3 convolutions instead",
                "Simonyan and Zisserman 2014, arXiv:1409.1556, section 2.3",
            )


def kernel_beyond_map(network: Network) -> Iterator[Finding]:
    """Find kernels that are larger than their input."""
    for layer, conv in network.convolutions:
        height, width = layer.input_shape[:2]
        if conv.rows.extent > height or conv.columns.extent > width:
            yield Finding(
                "kernel larger than its input",
                "problem",
                layer.name,
                f"kernel {conv.rows.extent}x{conv.columns.extent} on a {height}x{width} feature map: "
                f"{_padding_share(conv):.0%} of the values read are padding",
                "the feature map has become smaller than the kernel",
                "use larger images, fewer strided layers, or a 1x1 kernel here",
                ARITHMETIC,
            )


def unread_pixels(network: Network) -> Iterator[Finding]:
    """Find pixels that no window reads: in gaps between windows, or left over at the border."""
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
        shortcut = conv.layer.kernel_size == (1, 1)  # as in ResNet, where the main path reads the other pixels
        yield Finding(
            "unread pixels",
            "problem" if gaps and not shortcut else "note",
            layer.name,
            f"{len(rows)} of {height} rows, {len(columns)} of {width} columns: "
            f"{unread_share(rows, columns, layer.input_shape):.1%} of the input",
            "the strides are larger than the kernel, so windows leave gaps"
            if gaps
            else "the last window does not reach the border, and the remaining pixels are dropped",
            f"use a kernel_size of at least {max(conv.layer.strides)}"
            if gaps
            else "use padding 'same', or another image size",
            ARITHMETIC,
        )


def lost_borders(network: Network) -> Iterator[Finding]:
    """Find `valid` padding in layers with a kernel larger than 1."""
    losing = [
        (layer, max(conv.rows.extent, conv.columns.extent) - 1)
        for layer, conv in network.convolutions
        if conv.layer.padding == "valid" and max(conv.layer.kernel_size) > 1 and not _padded_before(network, layer)
    ]
    if losing:
        only_the_first = [layer for layer, _ in losing] == [network.convolutions[0][0]]
        yield Finding(
            "valid padding shrinks the output",
            "note" if only_the_first else "advice",
            losing[0][0].name,
            "pixels lost in each direction: " + ", ".join(f"{layer.name} {lost}" for layer, lost in losing),
            "with `valid`, the output shrinks by the kernel's size minus 1, and fewer windows read the border pixels",
            "use padding 'same' nearly everywhere, and downsample by strides or pooling",
            TUTORIAL,
        )


def dilation(network: Network) -> Iterator[Finding]:
    """Find dilation in networks for small images."""
    if len(network.input_shape) != 3 or not all(network.input_shape) or max(network.input_shape[:2]) > SMALL_IMAGE:
        return
    image = max(network.input_shape[:2])
    for layer, conv in network.convolutions:
        rate = max(conv.layer.dilation_rate)
        if rate > 1:
            height, width = layer.input_shape[:2]
            yield Finding(
                "unnecessary dilation",
                "advice",
                layer.name,
                f"dilation_rate {rate} on a {height}x{width} feature map, with images of {image} pixels",
                "a dilated kernel skips detail; it is meant for large images whose feature maps must keep their size",
                "use dilation_rate 1; for a larger receptive field, use strides or one more layer",
                f"{TUTORIAL}; Yu and Koltun 2015, arXiv:1511.07122",
            )


def _size(conv: Conv2DFacts) -> str:
    return "x".join(map(str, conv.layer.kernel_size))


def _padding_share(conv: Conv2DFacts) -> float:
    """Return the share of the values read by a layer's windows that are padding."""
    rows = sum(len(conv.rows.read([row])) for row in range(conv.rows.output))
    columns = sum(len(conv.columns.read([column])) for column in range(conv.columns.output))
    return 1 - rows * columns / (conv.rows.output * conv.rows.kernel * conv.columns.output * conv.columns.kernel)


def _padded_before(network: Network, layer: LayerRecord) -> bool:
    return any(network.by_name[name].kind == "ZeroPadding2D" for name in layer.inputs)
