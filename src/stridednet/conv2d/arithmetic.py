"""The arithmetic of `Conv2D`: shapes, padding, parameters, multiply-adds, memory, receptive field."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from stridednet.conv2d.initialization import INITIALIZERS, gain_through_relu, standard_deviation
from stridednet.conv2d.window import Padding, Windows, windows
from stridednet.errors import ModelError

Shape = tuple[int, int, int]  # height, width, channels
Pair = tuple[int, int]  # rows, columns

BYTES_OF_FLOAT32 = 4


@dataclass(frozen=True)
class Conv2DLayer:
    """The arguments of a `Conv2D` that its arithmetic depends on, under Keras' names and with Keras' defaults.

    Nothing is known of the first weights where ``kernel_initializer`` is None: it has settings of its own.
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
        """Refuse what Keras refuses, and say what to do instead."""
        for name in ("filters", "groups"):
            if getattr(self, name) < 1:
                raise ModelError(f"{name} is at least 1. Received: {name}={getattr(self, name)}")
        for name in ("kernel_size", "strides", "dilation_rate"):
            if min(getattr(self, name)) < 1:
                raise ModelError(f"{name} is at least 1 in each direction. Received: {name}={getattr(self, name)}")
        if self.padding not in ("same", "valid"):
            raise ModelError(f"padding is 'same' or 'valid'. Received: padding={self.padding!r}")
        if self.kernel_initializer not in (None, *INITIALIZERS):
            raise ModelError(
                f"kernel_initializer is one of {', '.join(INITIALIZERS)}. Received: {self.kernel_initializer!r}"
            )
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ModelError(
                f"Keras refuses strides with dilation. Received: strides={self.strides}, "
                f"dilation_rate={self.dilation_rate}. Dilate at strides 1 and halve behind it, with a strided "
                "convolution or pooling; or spare the dilation, since strides widen the receptive field as well"
            )
        if self.filters % self.groups:
            raise ModelError(_groups_message(self, f"{self.filters} filters", self.filters))

    def __str__(self) -> str:
        """Write the layer as one would type it, without what is default."""
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
    """What follows from a layer's arguments and its input; all counts are for one image."""

    layer: Conv2DLayer
    input_shape: Shape
    rows: Windows
    columns: Windows
    receptive_field: Pair  # pixels of the chain's first input that one output depends on, cut at no border
    jump: Pair  # pixels of the chain's first input between two neighbouring outputs

    @property
    def output_shape(self) -> Shape:
        """Height, width and channels."""
        return self.rows.output, self.columns.output, self.layer.filters

    @property
    def padding(self) -> tuple[int, int, int, int]:
        """Zeros at the top, at the bottom, on the left, on the right."""
        return self.rows.before, self.rows.after, self.columns.before, self.columns.after

    @property
    def fan_in(self) -> int:
        """Weights of one filter: the values that one output sums up."""
        height, width = self.layer.kernel_size
        return height * width * self.input_shape[2] // self.layer.groups

    @property
    def weights(self) -> int:
        """Numbers in the kernel."""
        return self.fan_in * self.layer.filters

    @property
    def biases(self) -> int:
        """Numbers in the bias."""
        return self.layer.filters if self.layer.use_bias else 0

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        return self.weights + self.biases

    @property
    def multiply_adds(self) -> int:
        """Multiplications of a weight and a value, each with an addition; those with padding count too."""
        return self.rows.output * self.columns.output * self.weights

    @property
    def activation_bytes(self) -> int:
        """Memory of the output in float32."""
        height, width, channels = self.output_shape
        return height * width * channels * BYTES_OF_FLOAT32

    @property
    def shift(self) -> Pair | tuple[float, float]:
        """Pixels of the layer's input by which the windows lie too low and too far to the right, on average."""
        return self.rows.shift, self.columns.shift

    @cached_property
    def unread(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Rows and columns of the layer's input that no window reads."""
        return _missing(self.rows, self.rows.read()), _missing(self.columns, self.columns.read())

    @property
    def standard_deviation(self) -> float | None:
        """Of the weights at first, as the layer's initializer draws them; None where nothing is known of it."""
        layer = self.layer
        if layer.kernel_initializer is None:
            return None
        return standard_deviation(
            layer.kernel_initializer, layer.kernel_size, self.input_shape[2] // layer.groups, layer.filters
        )

    @property
    def gain(self) -> float | None:
        """By what layer and ReLU multiply the signal's mean square at first.

        None for weights whose mean is not 0, or of which nothing is known.
        """
        deviation = self.standard_deviation
        if deviation is None or self.layer.kernel_initializer == "ones":
            return None
        return gain_through_relu(deviation, self.fan_in)


def chain(input_shape: Shape, layers: Sequence[Conv2DLayer]) -> tuple[Conv2DFacts, ...]:
    """Work out a chain of layers, each on the output of the one before it.

    The receptive field grows by ``(extent - 1) * jump`` a layer, and the jump is the product of the strides (Araujo et
    al. 2019, "Computing Receptive Fields of Convolutional Neural Networks", doi:10.23915/distill.00021).

    Args:
        input_shape: Height, width and channels of an image.
        layers: First to last.

    Raises:
        ModelError: A shape is not positive, ``groups`` does not divide the channels, or nothing is left of an image.
    """
    if min(input_shape) < 1:
        raise ModelError(f"height, width and channels of the input are at least 1. Received: {_text(input_shape)}")
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
    """Work out one layer.

    Args:
        layer: Its arguments.
        shape: Height, width and channels of its input.
        field: Receptive field of its input.
        jump: Between two neighbours of its input, in pixels of the image.
        where: Put in front of an error's message.

    Raises:
        ModelError: ``groups`` does not divide the channels, or nothing is left of an image.
    """
    if shape[2] % layer.groups:
        raise ModelError(where + _groups_message(layer, f"{shape[2]} input channels", shape[2]))
    rows, columns = (
        windows(shape[axis], layer.kernel_size[axis], layer.strides[axis], layer.padding, layer.dilation_rate[axis])
        for axis in (0, 1)
    )
    if not rows.output or not columns.output:
        raise ModelError(
            f"{where}a kernel that covers {rows.extent}x{columns.extent} does not fit into "
            f"{shape[0]}x{shape[1]} without padding; take padding 'same', a smaller kernel or larger images"
        )
    field = (field[0] + (rows.extent - 1) * jump[0], field[1] + (columns.extent - 1) * jump[1])
    jump = (jump[0] * layer.strides[0], jump[1] * layer.strides[1])
    return Conv2DFacts(layer, shape, rows, columns, field, jump)


def never_read(facts: Sequence[Conv2DFacts]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the rows and the columns of the first input that no output of the last layer depends on."""
    rows: frozenset[int] | None = None
    columns: frozenset[int] | None = None
    for fact in reversed(facts):
        rows, columns = fact.rows.read(rows), fact.columns.read(columns)
    assert rows is not None  # noqa: S101  -- for the type checker: a chain has a layer
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


def _groups_message(layer: Conv2DLayer, of_what: str, count: int) -> str:
    fitting = [str(groups) for groups in range(1, count + 1) if count % groups == 0 and layer.filters % groups == 0]
    return (
        f"groups must divide both the input's channels and the filters, and {layer.groups} does not divide {of_what}; "
        f"take {' or '.join(fitting)}"
    )


def _text(numbers: Sequence[int]) -> str:
    same = len(numbers) == 2 and numbers[0] == numbers[1]
    return str(numbers[0]) if same else "x".join(map(str, numbers))
