"""The windows of a convolution or pooling kernel along one axis: output size, padding, and which pixels are read.

The rules are those of TensorFlow and Keras (https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2); the
terms follow Dumoulin and Visin 2016, arXiv:1603.07285.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

Padding = Literal["same", "valid"]


def standard_padding(padding: Any) -> Any:
    """Return a padding in lower case, as Keras does; other values are returned as they are.

    >>> standard_padding("SAME")
    'same'
    """
    return padding.lower() if isinstance(padding, str) else padding


@dataclass(frozen=True)
class Windows:
    """The windows of one layer along one axis, in pixels of its input."""

    size: int  # of the input
    kernel: int  # number of kernel elements ("taps")
    stride: int
    dilation: int
    before: int  # padding at the top or on the left
    after: int  # padding at the bottom or on the right
    output: int  # number of windows; 0 if the kernel does not fit

    @property
    def extent(self) -> int:
        """Pixels from the first tap to the last, including the gaps of a dilated kernel."""
        return (self.kernel - 1) * self.dilation + 1

    @property
    def shift(self) -> float:
        """Mean offset of the windows' centers from the center of the input, in pixels; positive is down or right."""
        return (self.output - 1) * self.stride / 2 - self.before + (self.extent - 1) / 2 - (self.size - 1) / 2

    def read(self, outputs: Iterable[int] | None = None) -> frozenset[int]:
        """Return the input positions that the given outputs depend on.

        Args:
            outputs: Indices of outputs; None for all of them.
        """
        chosen = range(self.output) if outputs is None else outputs
        starts = [output * self.stride - self.before for output in chosen]
        taps = [tap * self.dilation for tap in range(self.kernel)]
        return frozenset(place for start in starts for tap in taps if 0 <= (place := start + tap) < self.size)


def windows(size: int, kernel: int, stride: int = 1, padding: Padding = "valid", dilation: int = 1) -> Windows:
    """Return the windows of a kernel along one axis, placed as Keras places them.

    ``same`` gives ``ceil(size / stride)`` outputs and adds as many zeros as these need. If that number is odd, the
    extra zero is at the end, so strides and even kernels make the padding asymmetric.

    >>> rows = windows(6, kernel=3, stride=2, padding="same")
    >>> (rows.output, rows.before, rows.after)
    (3, 0, 1)

    Args:
        size: Size of the input, in pixels.
        kernel: Size of the kernel, in elements.
        stride: Step between windows, in pixels.
        padding: ``same`` or ``valid``.
        dilation: Step between kernel elements, in pixels.

    Returns:
        The windows; ``output`` is 0 if the kernel does not fit into the input.
    """
    extent = (kernel - 1) * dilation + 1
    if padding == "same":
        output = -(-size // stride)
        missing = max((output - 1) * stride + extent - size, 0)
        return Windows(size, kernel, stride, dilation, missing // 2, missing - missing // 2, output)
    return Windows(size, kernel, stride, dilation, 0, 0, max((size - extent) // stride + 1, 0))
