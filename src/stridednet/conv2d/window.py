"""Where a convolution or pooling kernel lies along one axis: output size, padding, and what it reads.

The rules are those of TensorFlow and Keras (https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2); the
words, and how to chain layers, are those of Dumoulin and Visin 2016, arXiv:1603.07285.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Padding = Literal["same", "valid"]


@dataclass(frozen=True)
class Windows:
    """The windows of one layer along one axis, in pixels of its input."""

    size: int  # of the input
    kernel: int
    stride: int
    dilation: int
    before: int  # padding at the top or on the left
    after: int  # padding at the bottom or on the right
    output: int  # how many windows there are; 0 where the kernel does not fit

    @property
    def extent(self) -> int:
        """From the first tap to the last: dilation spreads the taps."""
        return (self.kernel - 1) * self.dilation + 1

    @property
    def shift(self) -> float:
        """How far the windows' centres lie, on average, behind the centre of the input."""
        return (self.output - 1) * self.stride / 2 - self.before + (self.extent - 1) / 2 - (self.size - 1) / 2

    def read(self, outputs: Iterable[int] | None = None) -> frozenset[int]:
        """Return the input positions that the given outputs are computed from; without them, all outputs."""
        chosen = range(self.output) if outputs is None else outputs
        starts = [output * self.stride - self.before for output in chosen]
        taps = [tap * self.dilation for tap in range(self.kernel)]
        return frozenset(place for start in starts for tap in taps if 0 <= (place := start + tap) < self.size)


def windows(size: int, kernel: int, stride: int = 1, padding: Padding = "valid", dilation: int = 1) -> Windows:
    """Lay a kernel along an axis as Keras does.

    ``same`` gives ``ceil(size / stride)`` outputs and pads what is missing for that, the odd pixel at the end; so
    strides and even kernels make it asymmetric.

    Args:
        size: Of the input.
        kernel: Taps of the kernel.
        stride: From one window to the next.
        padding: ``same`` or ``valid``.
        dilation: From one tap to the next.
    """
    extent = (kernel - 1) * dilation + 1
    if padding == "same":
        output = -(-size // stride)
        missing = max((output - 1) * stride + extent - size, 0)
        return Windows(size, kernel, stride, dilation, missing // 2, missing - missing // 2, output)
    return Windows(size, kernel, stride, dilation, 0, 0, max((size - extent) // stride + 1, 0))
