"""Which pixels of the image the positions of a feature map depend on, along one axis.

The arithmetic of receptive fields (Araujo et al. 2019, doi:10.23915/distill.00021), extended to layers that enlarge a
map: there, neighboring positions may have receptive fields of different sizes.
"""

import dataclasses
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction

LONGEST_PERIOD = 4096  # positions; only absurd combinations of factors exceed it

Reads = Callable[[int], Iterable[int]]


@dataclass(frozen=True)
class Reach:
    """The first and the last pixel that each position depends on.

    The pattern repeats: position ``p + len(first)`` depends on pixels that are ``step`` further to the right than those
    of ``p``. Positions and pixels continue beyond the borders, so that padding does not matter.

    Args:
        step: Pixels from one period to the next.
        first: First pixel of each position of a period; infinity if the position depends on no pixel.
        last: Last pixel of each position of a period; minus infinity if it depends on none.
        whole: Whether every position depends on the whole axis; ``first`` and ``last`` are then only used for the jump.
    """

    step: int = 1
    first: tuple[float, ...] = (0,)
    last: tuple[float, ...] = (0,)
    whole: bool = False

    @property
    def size(self) -> int:
        """Size of the receptive field in pixels, for the position that has the largest."""
        return int(max(0, *(last - first + 1 for first, last in zip(self.first, self.last, strict=True))))

    @property
    def jump(self) -> int | float:
        """Pixels from one position to the next; below 1 in a map that is larger than the image."""
        jump = Fraction(self.step, len(self.first))
        return int(jump) if jump.denominator == 1 else float(jump)

    def at(self, position: int) -> tuple[float, float]:
        """Return the first and the last pixel that a position depends on."""
        periods, place = divmod(position, len(self.first))
        return self.first[place] + periods * self.step, self.last[place] + periods * self.step

    def through(self, outputs: int, inputs: int, reads: Reads) -> "Reach | None":
        """Return the reach of a layer's output, if this is that of its input.

        Args:
            outputs: Period of the layer, in positions of its output.
            inputs: By how many positions of the input ``reads`` advances in one period.
            reads: Maps a position of the output to the positions of the input that it is computed from.

        Returns:
            The reach; None if its period is too long to be of use.
        """
        factor = len(self.first) // math.gcd(len(self.first), inputs)
        if outputs * factor > LONGEST_PERIOD:
            return None
        pixels = [[self.at(place) for place in reads(position)] for position in range(outputs * factor)]
        return Reach(
            self.step * inputs * factor // len(self.first),
            tuple(min((first for first, _ in read), default=math.inf) for read in pixels),
            tuple(max((last for _, last in read), default=-math.inf) for read in pixels),
            self.whole,
        )

    def through_window(self, kernel: int, stride: int, dilation: int = 1, before: int = 0) -> "Reach | None":
        """Return the reach after a convolution or pooling with ``before`` pixels of padding at the start."""
        return self.through(1, stride, lambda p: (p * stride - before + tap * dilation for tap in range(kernel)))

    def through_transposed(self, kernel: int, stride: int, dilation: int = 1, cropped: int = 0) -> "Reach | None":
        """Return the reach after a transposed convolution whose first ``cropped`` outputs are cut off."""

        def reads(position: int) -> Iterable[int]:
            for tap in range(kernel):
                place, rest = divmod(position + cropped - tap * dilation, stride)
                if not rest:
                    yield place

        return self.through(stride, 1, reads)

    def through_upsampling(self, factor: int, *, bilinear: bool = False) -> "Reach | None":
        """Return the reach after every position was repeated, or interpolated between its neighbors."""

        def reads(position: int) -> Iterable[int]:
            if not bilinear:
                return (position // factor,)
            # Source: the half-pixel centers of keras.ops.image.resize.
            place, rest = divmod(2 * position + 1 - factor, 2 * factor)
            return (place, place + 1) if rest else (place,)

        return self.through(factor, 1, reads)

    def through_shift(self, before: int) -> "Reach | None":
        """Return the reach after padding by ``before`` positions at the start, or cropping if it is negative."""
        return self.through(1, 1, lambda position: (position - before,))

    def over_everything(self) -> "Reach":
        """Return the reach of a value that depends on the whole axis."""
        return dataclasses.replace(self, whole=True)

    def joined(self, other: "Reach") -> "Reach | None":
        """Return the reach of a merge; None if the two maps have different distances between their positions."""
        if self.whole or other.whole:
            return (other if other.whole else self).over_everything()
        if Fraction(self.step, len(self.first)) != Fraction(other.step, len(other.first)):
            return None
        period = math.lcm(len(self.first), len(other.first))
        if period > LONGEST_PERIOD:
            return None
        ends = [(*self.at(position), *other.at(position)) for position in range(period)]
        return Reach(
            self.step * period // len(self.first),
            tuple(min(end[0], end[2]) for end in ends),
            tuple(max(end[1], end[3]) for end in ends),
        )
