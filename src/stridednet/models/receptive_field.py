"""Where the values of a tensor come from: the receptive field of each, through the layers of a Keras model."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from stridednet.conv2d.reach import Reach
from stridednet.conv2d.window import windows
from stridednet.models.layer_kind import ELEMENTWISE, MERGES, pool_of, spatial_axes

Sizes = tuple[int, ...]

# Marks an axis of a tensor along which positions of several axes follow each other, as after Flatten.
_FOLDED = -1
_MIXES_LAST_AXIS = ("softmax", "log_softmax", "sparsemax")


@dataclass(frozen=True)
class Origin:
    """Which part of the image the values of a tensor depend on.

    Args:
        axes: For each axis of the tensor without the batch, the image axes whose positions lie along it; empty for
            channels.
        reaches: For each axis of the image without its channels, what positions along it depend on.
    """

    axes: tuple[frozenset[int], ...]
    reaches: tuple[Reach, ...]

    def field(self, image: Sizes) -> Sizes | Literal["all"]:
        """Return the receptive field in pixels along each axis of the image, or ``all`` if it is the whole image."""
        if all(reach.whole for reach in self.reaches):
            return "all"
        return tuple(size if reach.whole else reach.size for size, reach in zip(image, self.reaches, strict=True))

    @property
    def jump(self) -> tuple[int | float, ...]:
        """Pixels of the image between neighboring positions, along each of its axes."""
        return tuple(reach.jump for reach in self.reaches)

    def mixed(self, *axes: int) -> "Origin":
        """Return the origin of values that depend on all positions along some axes of the tensor."""
        over = frozenset().union(*(self.axes[axis] for axis in axes))
        reaches = (reach.over_everything() if number in over else reach for number, reach in enumerate(self.reaches))
        return Origin(self.axes, tuple(reaches))

    def moved(self, axis: int, through: Callable[[Reach], Reach | None]) -> "Origin | None":
        """Return the origin after a layer that reads windows along an axis of the tensor."""
        along = self.axes[axis]
        if not along:
            return self
        if len(along) > 1:
            return None
        (number,) = along
        reach = through(self.reaches[number])
        if reach is None:
            return None
        return Origin(self.axes, (*self.reaches[:number], reach, *self.reaches[number + 1 :]))


def origin_of_image(shape: Sizes, channel_axis: int | None) -> Origin:
    """Return the origin of a model's input itself.

    Args:
        shape: Shape of the input without the batch.
        channel_axis: Axis of its channels; None if it has none.
    """
    places = [axis for axis in range(len(shape)) if channel_axis is None or axis != channel_axis % len(shape)]
    axes = [frozenset[int]()] * len(shape)
    for number, axis in enumerate(places):
        axes[axis] = frozenset({number})
    return Origin(tuple(axes), (Reach(),) * len(places))


def follow(
    layer: Any, kind: str, origins: Sequence[Origin | None], inputs: Sequence[Sizes], output: Sizes
) -> Origin | None:
    """Return the origin of a layer's output; None if it is unknown.

    Args:
        layer: A Keras layer or operation.
        kind: Name of the Keras class whose computation it has, as returned by `kind_of`.
        origins: Origins of its inputs.
        inputs: Shapes of its inputs, without the batch.
        output: Shape of its output.
    """
    if kind in MERGES:
        return _merged(layer, origins, inputs, output)
    if len(origins) != 1 or origins[0] is None:
        return None
    known, shape = origins[0], inputs[0]
    if not all(shape) or not all(output) or len(known.axes) != len(shape):
        return None
    origin = _through(layer, kind, known, shape, output)
    activation = getattr(getattr(layer, "activation", None), "__name__", "")
    if origin is not None and activation in _MIXES_LAST_AXIS and origin.axes:
        origin = origin.mixed(-1)
    return origin


def _through(layer: Any, kind: str, origin: Origin, shape: Sizes, output: Sizes) -> Origin | None:
    if kind in ELEMENTWISE:
        return origin
    if kind == "Dense":
        return origin.mixed(-1)
    if kind in ("Softmax", "LayerNormalization", "UnitNormalization", "RMSNormalization"):
        return _mixed_over(origin, layer.axis)
    if kind == "GroupNormalization":
        channels = layer.axis % (len(shape) + 1) - 1
        return origin.mixed(*(axis for axis in range(len(shape)) if axis != channels))
    if kind == "Flatten":
        return _reshaped(origin, shape, (math.prod(shape),))
    if kind == "Reshape":
        return _reshaped(origin, shape, output)
    if kind == "Permute":
        return Origin(tuple(origin.axes[axis - 1] for axis in layer.dims), origin.reaches)
    if kind == "RepeatVector":
        return Origin((frozenset(), *origin.axes), origin.reaches)
    axes = spatial_axes(layer, shape)
    if kind.startswith("Global"):
        pooled = origin.mixed(*axes)
        kept = [frozenset[int]() if axis in axes else along for axis, along in enumerate(pooled.axes)]
        if not layer.keepdims:
            kept = [along for axis, along in enumerate(kept) if axis not in axes]
        return Origin(tuple(kept), pooled.reaches)
    moved: Origin | None = origin
    for number, axis in enumerate(axes):
        through = _window(layer, kind, number, shape[axis], output[axis])
        moved = moved and through and moved.moved(axis, through)
    return moved


def _window(layer: Any, kind: str, number: int, size: int, output: int) -> Callable[[Reach], Reach | None] | None:
    """Return what a layer does along one of its spatial axes; None if it is unknown."""
    if kind.startswith("UpSampling"):
        factor = _numbers(layer.size)[number]
        how = getattr(layer, "interpolation", "nearest")
        if how not in ("nearest", "bilinear"):
            return None
        return lambda reach: reach.through_upsampling(factor, bilinear=how == "bilinear")
    if kind.startswith(("ZeroPadding", "Cropping")):
        edges = layer.padding if kind.startswith("Zero") else layer.cropping
        before = edges[number][0] if isinstance(edges[number], tuple | list) else edges[0]
        return lambda reach: reach.through_shift(before if kind.startswith("Zero") else -before)
    if kind == "CenterCrop":
        return (lambda reach: reach.through_shift(-((size - output) // 2))) if size >= output else None
    if kind.startswith("Adaptive"):
        width = size // output
        return None if size % output else lambda reach: reach.through_window(width, width)
    kernel, stride, dilation = pool_of(layer, number)
    if kind.endswith("Transpose"):
        cropped = _cropped(kernel, stride, dilation, layer.padding, layer.output_padding, number)
        return lambda reach: reach.through_transposed(kernel, stride, dilation, cropped)
    if layer.padding == "causal":
        before = (kernel - 1) * dilation
    else:
        before = windows(size, kernel, stride, layer.padding, dilation).before
    return lambda reach: reach.through_window(kernel, stride, dilation, before)


def _cropped(kernel: int, stride: int, dilation: int, padding: str, output_padding: Any, number: int) -> int:
    """Return how many outputs of a transposed convolution are cut off at the start, as Keras does on PyTorch."""
    if padding == "valid":
        return 0
    extent = (kernel - 1) * dilation + 1
    extra = stride - extent % 2 if output_padding is None else _numbers(output_padding)[number]
    return max(-((extent % 2 - extent + extra) // 2), 0)


def _numbers(value: Any) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, tuple | list) else (value,) * 3


def _mixed_over(origin: Origin, axis: Any) -> Origin:
    """Mix axes that are counted as Keras counts them: from 0, which is the batch, or from the end."""
    rank = len(origin.axes) + 1
    chosen = axis if isinstance(axis, tuple | list) else [axis]
    return origin.mixed(*(number % rank - 1 for number in chosen if number % rank))


def _reshaped(origin: Origin, shape: Sizes, output: Sizes) -> Origin | None:
    axes: list[frozenset[int]] = [frozenset()] * len(output)
    for sources, targets in _groups(shape, output):
        along = frozenset().union(*(origin.axes[axis] for axis in sources))
        if len(targets) > 1 and along:
            return None
        for target in targets:
            axes[target] = along | {_FOLDED} if len(sources) > 1 and along else along
    return Origin(tuple(axes), origin.reaches)


def _groups(shape: Sizes, output: Sizes) -> Iterator[tuple[list[int], list[int]]]:
    """Yield which axes of a tensor become which axes when it is reshaped, without axes of size 1."""
    old = [axis for axis, size in enumerate(shape) if size > 1]
    new = [axis for axis, size in enumerate(output) if size > 1]
    while old and new:
        sources, targets = [old.pop(0)], [new.pop(0)]
        while (before := math.prod(shape[axis] for axis in sources)) != (
            after := math.prod(output[axis] for axis in targets)
        ):
            if before < after:
                sources.append(old.pop(0))
            else:
                targets.append(new.pop(0))
        yield sources, targets


def _merged(layer: Any, origins: Sequence[Origin | None], inputs: Sequence[Sizes], output: Sizes) -> Origin | None:
    known = [origin for origin in origins if origin is not None]
    if not known or len(known) < len(origins) or not all(map(all, [*inputs, output])):
        return None
    rank = len(output)
    joined = [frozenset[int]()] * rank
    for origin, shape in zip(known, inputs, strict=True):
        for axis, along in enumerate(origin.axes, start=rank - len(shape)):
            # A single position that is added to each of many is only known if it depends on everything.
            repeated = shape[axis - rank] == 1 and output[axis] > 1 and type(layer).__name__ != "Concatenate"
            if along and (repeated or joined[axis] not in (frozenset(), along)):
                if not all(origin.reaches[number].whole for number in along - {_FOLDED}):
                    return None
                continue
            joined[axis] = joined[axis] | along
    if type(layer).__name__ == "Concatenate":
        along = joined[layer.axis if layer.axis < 0 else layer.axis - 1]
        if along and _FOLDED not in along:
            return None
    placed = frozenset().union(*(along for along in joined if _FOLDED not in along))
    reaches = list(known[0].reaches)
    for origin in known[1:]:
        for number, reach in enumerate(origin.reaches):
            both = reaches[number].joined(reach) if number in placed else _larger(reaches[number], reach)
            if both is None:
                return None
            reaches[number] = both
    return Origin(tuple(joined), tuple(reaches))


def _larger(one: Reach, other: Reach) -> Reach:
    return max(one, other, key=lambda reach: (reach.whole, reach.size))
