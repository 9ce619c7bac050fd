"""Dropout masks in one pass over memory; see ``dropout.h``."""

import torch

from stridednet.executor.compiled.library import Library, address


def draw_mask(library: Library, shape: torch.Size, seed: int, dropped: int) -> torch.Tensor:
    """Return a mask, uint8.

    Args:
        library: The compiled functions.
        shape: Of the mask.
        seed: 64 bits.
        dropped: Of 65,536 equally likely numbers, those below it give 0, the others 1.
    """
    mask = torch.empty(shape, dtype=torch.uint8)
    library.draw_mask(address(mask, torch.uint8, shape), mask.numel(), seed, dropped)
    return mask
