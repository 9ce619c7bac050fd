"""Arithmetic of `Conv2D`: shapes, padding, parameters, multiply-adds, memory, receptive field."""

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from stridednet.conv2d.initialization import INITIALIZERS, gain_through_relu, standard_deviation, standard_initializer
from stridednet.conv2d.window import Padding, Windows, standard_padding, windows
from stridednet.errors import ModelError

Shape = tuple[int, int, int]  # height, width, channels
Pair = tuple[int, int]  # rows, columns

BYTES_OF_FLOAT32 = 4


@dataclass(frozen=True)
class Conv2DLayer:
    """The arguments of a `Conv2D` layer that its arithmetic depends on, with Keras' names and defaults.

    >>> layer = Conv2DLayer(filters=16, kernel_size=(7, 7), strides=(2, 2))
    >>> str(layer)
    '16,7,strides=2'

    As in Keras, a single integer stands for rows and columns, and ``padding`` may be in upper case and
    ``kernel_initializer`` the name of a class.

    Args:
        filters: Number of filters.
        kernel_size: Height and width of the kernel.
        strides: Step between windows, for rows and for columns, in pixels.
        padding: ``valid`` or ``same``.
        dilation_rate: Step between kernel elements, for rows and for columns, in pixels.
        groups: Number of groups.
        use_bias: Whether the layer has a bias.
        kernel_initializer: Name of a Keras initializer; None if it has settings of its own, in which case the standard
            deviation of the initial weights is unknown.

    Raises:
        ModelError: An argument is invalid, or strides and dilation are both above 1.
    """

    filters: int
    kernel_size: Pair
    strides: Pair = (1, 1)
    padding: Padding = "valid"
    dilation_rate: Pair = (1, 1)
    groups: int = 1
    use_bias: bool = True
    kernel_initializer: str | None = "glorot_uniform"

    def __post_init__(self) -> None:
        """Standardize the arguments, and raise an error for those that Keras rejects."""
        object.__setattr__(self, "padding", standard_padding(self.padding))
        object.__setattr__(self, "kernel_initializer", standard_initializer(self.kernel_initializer))
        for name in ("filters", "groups"):
            object.__setattr__(self, name, _integer(name, getattr(self, name)))
            if getattr(self, name) < 1:
                raise ModelError(f"{name} must be at least 1. Received: {name}={getattr(self, name)}")
        for name in ("kernel_size", "strides", "dilation_rate"):
            object.__setattr__(self, name, _integers(name, getattr(self, name)))
            if min(getattr(self, name)) < 1:
                raise ModelError(
                    f"{name} must be at least 1 in both directions. Received: {name}={getattr(self, name)}"
                )
        if self.padding not in ("same", "valid"):
            raise ModelError(f"padding must be 'same' or 'valid'. Received: padding={self.padding!r}")
        if self.kernel_initializer not in (None, *INITIALIZERS):
            raise ModelError(
                f"kernel_initializer must be one of {', '.join(INITIALIZERS)}. "
                f"Received: kernel_initializer={self.kernel_initializer!r}"
            )
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ModelError(
                "Keras does not support strides > 1 together with dilation_rate > 1. Use strides of 1 and downsample "
                "in a later layer, or omit dilation_rate, since strides enlarge the receptive field as well. "
                f"Received: strides={self.strides}, dilation_rate={self.dilation_rate}"
            )
        check_groups(self.groups, self.filters)

    def __str__(self) -> str:
        """Return the layer in the notation of `parse_layer`, without arguments that have their default."""
        parts = [str(self.filters), _text(self.kernel_size)]
        if self.strides != (1, 1):
            parts.append(f"strides={_text(self.strides)}")
        if self.padding != "valid":
            parts.append(f"padding={self.padding}")
        if self.dilation_rate != (1, 1):
            parts.append(f"dilation_rate={_text(self.dilation_rate)}")
        if self.groups != 1:
            parts.append(f"groups={self.groups}")
        if not self.use_bias:
            parts.append("use_bias=false")
        if self.kernel_initializer not in (None, "glorot_uniform"):
            parts.append(f"kernel_initializer={self.kernel_initializer}")
        return ",".join(parts)


@dataclass(frozen=True)
class Conv2DFacts:
    """What follows from a layer's arguments and its input shape. All counts are per image.

    `chain` computes the facts.

    >>> (facts,) = chain((96, 96, 3), [Conv2DLayer(16, (7, 7), (2, 2))])
    >>> facts.output_shape, facts.parameters, facts.multiply_adds
    ((45, 45, 16), 2368, 4762800)
    >>> facts.padding, facts.unread  # the last row and column are never read
    ((0, 0, 0, 0), ((95,), (95,)))
    """

    layer: Conv2DLayer
    input_shape: Shape
    rows: Windows
    columns: Windows
    receptive_field: Pair  # in pixels of the chain's first input, not cropped at the border
    jump: Pair  # pixels of the chain's first input between neighboring outputs

    @property
    def output_shape(self) -> Shape:
        """Shape of the output, ``(height, width, channels)``."""
        return self.rows.output, self.columns.output, self.layer.filters

    @property
    def padding(self) -> tuple[int, int, int, int]:
        """Rows or columns of zeros, ``(top, bottom, left, right)``."""
        return self.rows.before, self.rows.after, self.columns.before, self.columns.after

    @property
    def fan_in(self) -> int:
        """Number of weights per filter, which is the number of inputs of one output value."""
        height, width = self.layer.kernel_size
        return height * width * self.input_shape[2] // self.layer.groups

    @property
    def weights(self) -> int:
        """Number of weights in the kernel."""
        return self.fan_in * self.layer.filters

    @property
    def biases(self) -> int:
        """Number of biases."""
        return self.layer.filters if self.layer.use_bias else 0

    @property
    def parameters(self) -> int:
        """Number of weights and biases."""
        return self.weights + self.biases

    @property
    def multiply_adds(self) -> int:
        """Number of multiply-adds, including those with padding."""
        return self.rows.output * self.columns.output * self.weights

    @property
    def activation_bytes(self) -> int:
        """Memory of the output in float32, in bytes."""
        height, width, channels = self.output_shape
        return height * width * channels * BYTES_OF_FLOAT32

    @property
    def shift(self) -> Pair | tuple[float, float]:
        """Mean offset of the windows from the center of the layer's input, ``(down, right)``, in pixels."""
        return self.rows.shift, self.columns.shift

    @cached_property
    def unread(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Indices of the rows and of the columns of the layer's input that no window reads."""
        return _missing(self.rows, self.rows.read()), _missing(self.columns, self.columns.read())

    @property
    def standard_deviation(self) -> float | None:
        """Standard deviation of the initial weights; None if the initializer is unknown."""
        layer = self.layer
        if layer.kernel_initializer is None:
            return None
        return standard_deviation(
            layer.kernel_initializer, layer.kernel_size, self.input_shape[2] // layer.groups, layer.filters
        )

    @property
    def gain(self) -> float | None:
        """Factor by which the layer followed by ReLU scales the signal's mean square at initialization.

        None if the mean of the initial weights is not 0, or if the initializer is unknown.
        """
        deviation = self.standard_deviation
        if deviation is None or self.layer.kernel_initializer == "ones":
            return None
        return gain_through_relu(deviation, self.fan_in)


def chain(input_shape: Shape, layers: Sequence[Conv2DLayer]) -> tuple[Conv2DFacts, ...]:
    """Return the facts of a chain of layers, each applied to the output of the previous one.

    Each layer adds ``(extent - 1) * jump`` to the receptive field, and the jump is the product of the strides (Araujo
    et al. 2019, "Computing Receptive Fields of Convolutional Neural Networks", doi:10.23915/distill.00021).

    >>> stem = Conv2DLayer(16, (7, 7), (2, 2))
    >>> first, second = chain((96, 96, 3), [stem, Conv2DLayer(32, (3, 3), padding="same")])
    >>> first.output_shape, second.output_shape, second.receptive_field
    ((45, 45, 16), (45, 45, 32), (11, 11))

    Args:
        input_shape: Shape of an image, ``(height, width, channels)``.
        layers: The layers, first to last.

    Returns:
        The facts of each layer; counts are per image.

    Raises:
        ModelError: The shape is not positive, ``groups`` does not divide the channels, or a kernel does not fit into
            its input.
    """
    if min(input_shape) < 1:
        raise ModelError(f"height, width and channels of the input must be at least 1. Received: {_text(input_shape)}")
    facts: list[Conv2DFacts] = []
    shape, field, jump = input_shape, (1, 1), (1, 1)
    for number, layer in enumerate(layers, start=1):
        where = f"layer {number}: " if len(layers) > 1 else ""
        facts.append(work_out(layer, shape, field, jump, where))
        shape, field, jump = facts[-1].output_shape, facts[-1].receptive_field, facts[-1].jump
    return tuple(facts)


def work_out(
    layer: Conv2DLayer, shape: Shape, field: Pair = (1, 1), jump: Pair = (1, 1), where: str = ""
) -> Conv2DFacts:
    """Return the facts of one layer.

    Args:
        layer: The layer's arguments.
        shape: Shape of its input, ``(height, width, channels)``.
        field: Receptive field of its input, in pixels of the image.
        jump: Distance between neighboring positions of its input, in pixels of the image.
        where: Prefix of error messages.

    Raises:
        ModelError: ``groups`` does not divide the channels, or the kernel does not fit into the input.
    """
    check_groups(layer.groups, layer.filters, shape[2], where)
    rows, columns = (
        windows(shape[axis], layer.kernel_size[axis], layer.strides[axis], layer.padding, layer.dilation_rate[axis])
        for axis in (0, 1)
    )
    if not rows.output or not columns.output:
        raise ModelError(
            f"{where}the kernel covers {rows.extent}x{columns.extent} pixels and does not fit into an input of "
            f"{shape[0]}x{shape[1]} with padding='valid'; use padding='same', a smaller kernel or larger images. "
            f"Received: {layer}"
        )
    field = (field[0] + (rows.extent - 1) * jump[0], field[1] + (columns.extent - 1) * jump[1])
    jump = (jump[0] * layer.strides[0], jump[1] * layer.strides[1])
    return Conv2DFacts(layer, shape, rows, columns, field, jump)


def never_read(facts: Sequence[Conv2DFacts]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the rows and columns of the first input that no output of the last layer depends on.

    Args:
        facts: A chain of layers, at least one.
    """
    rows: frozenset[int] | None = None
    columns: frozenset[int] | None = None
    for fact in reversed(facts):
        rows, columns = fact.rows.read(rows), fact.columns.read(columns)
    assert rows is not None  # noqa: S101  -- for the type checker: a chain has at least one layer
    assert columns is not None  # noqa: S101
    return _missing(facts[0].rows, rows), _missing(facts[0].columns, columns)


def unread_share(rows: Sequence[int], columns: Sequence[int], shape: Sequence[int]) -> float:
    """Return the share of an image's pixels that lie in an unread row or column.

    >>> round(unread_share([95], [95], (96, 96, 3)), 4)  # 191 of 9,216 pixels
    0.0207

    Args:
        rows: Indices of the unread rows.
        columns: Indices of the unread columns.
        shape: Shape of the image, ``(height, width, ...)``.
    """
    return 1 - (1 - len(rows) / shape[0]) * (1 - len(columns) / shape[1])


def _missing(axis: Windows, read: frozenset[int]) -> tuple[int, ...]:
    return tuple(place for place in range(axis.size) if place not in read)


def check_groups(groups: int, filters: int, channels: int | None = None, where: str = "") -> None:
    """Check that channels and filters can be split into groups, and propose numbers that work with both.

    Args:
        groups: Number of groups.
        filters: Number of filters.
        channels: Number of input channels; None if they are unknown.
        where: Prefix of error messages.

    Raises:
        ModelError: ``groups`` does not divide one of them.
    """
    counts = {"filters": filters} if channels is None else {"input channels": channels, "filters": filters}
    undivided = [f"{count} {name}" for name, count in counts.items() if groups < 1 or count % groups]
    if not undivided:
        return
    common = math.gcd(*counts.values())
    works = [str(number) for number in range(1, common + 1) if common % number == 0]
    advice = f"use groups {' or '.join(works)}" if channels else "use a common divisor of both"
    if groups > 1 and channels is not None and channels % groups == 0:
        below = filters // groups * groups
        fitting = [str(count) for count in (below, below + groups) if count]
        advice += f", or {' or '.join(fitting)} filters"
    raise ModelError(
        f"{where}groups must divide both the input channels and the filters, and {groups} does not divide "
        f"{' and '.join(undivided)}; {advice}. Received: groups={groups}"
    )


def _integer(name: str, value: Any) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise ModelError(f"{name} must be an integer. Received: {name}={value!r}") from None


def _integers(name: str, value: Any) -> Pair:
    if isinstance(value, Sequence) and not isinstance(value, str):
        if len(value) == 2:
            return _integer(name, value[0]), _integer(name, value[1])
        raise ModelError(f"{name} must be an integer or a pair, for rows and columns. Received: {name}={value!r}")
    return (_integer(name, value),) * 2


def _text(numbers: Sequence[int]) -> str:
    same = len(numbers) == 2 and numbers[0] == numbers[1]
    return str(numbers[0]) if same else "x".join(map(str, numbers))
