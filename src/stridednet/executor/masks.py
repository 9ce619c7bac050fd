"""Random masks for dropout: the same for a seed, whatever the device, and with or without compiled C."""

import numpy as np
import torch

from stridednet.executor.backend import Backend
from stridednet.executor.compiled.dropout import draw_mask

Tensor = torch.Tensor


class Masks:
    """Draws masks one after another from a seed.

    Each mask has its own 64-bit seed, from NumPy's SFC64. The random number of an element is a hash of that seed and of
    the element's index (see ``compiled/dropout.h``), so that masks are made on the device without waiting for it.
    """

    def __init__(self, backend: Backend) -> None:
        """Start from seed 0."""
        self._library = backend.library
        self.seed(0)

    def seed(self, seed: int) -> None:
        """Start again from a seed."""
        self._generator = np.random.Generator(np.random.SFC64(seed))

    def draw(self, x: Tensor, rate: float) -> Tensor:
        """Return a mask of the shape of ``x``, uint8: 0 with probability ``rate``, else 1.

        The probability is rounded to a multiple of 1/65536.
        """
        dropped = min(round(rate * 65536), 65535)
        seed = int(self._generator.integers(2**64, dtype=np.uint64))
        if self._library is not None:
            return draw_mask(self._library, x.shape, seed, dropped)
        return hashed_mask(x.shape, seed, dropped, x.device)


def hashed_mask(shape: torch.Size, seed: int, dropped: int, device: torch.device) -> Tensor:
    """Return the mask that ``draw_mask`` in ``compiled/dropout.h`` draws, computed by PyTorch.

    Args:
        shape: Of the mask.
        seed: 64 bits.
        dropped: Numbers below it, of 65,536 equally likely ones, are dropped.
        device: Where the mask is made.
    """
    count = shape.numel()
    half = count // 2
    # One hash is two numbers: one for the first half of the mask and one for the second. The last element of an odd
    # number of elements takes the first of them. int32 wraps around as uint32 does.
    places = torch.arange(half + count % 2, dtype=torch.int32, device=device)
    bits = _mixed(_mixed(places ^ _signed(seed)) + _signed(seed >> 32))
    first, second = bits & 0xFFFF, (bits >> 16) & 0xFFFF
    numbers = torch.cat([first[:half], second[:half], first[half:]])
    return numbers.ge(dropped).view(torch.uint8).view(shape)


def _mixed(x: Tensor) -> Tensor:
    """Apply MurmurHash3's finalizer to int32 numbers; a mask after a shift makes it a logical one."""
    x = x ^ ((x >> 16) & 0xFFFF)
    x = x * _signed(0x85EBCA6B)
    x = x ^ ((x >> 13) & 0x7FFFF)
    x = x * _signed(0xC2B2AE35)
    return x ^ ((x >> 16) & 0xFFFF)


def _signed(number: int) -> int:
    """Return the int32 with the bits of a number's lower 32 bits."""
    return (number + 2**31) % 2**32 - 2**31
