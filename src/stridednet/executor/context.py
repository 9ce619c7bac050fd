"""What a kernel is built from: a layer, where its weights are, and what changes from run to run."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from stridednet.executor.compiled.library import library
from stridednet.executor.parameters import WorkingCopy

Tensor = torch.Tensor
Kernel = Callable[[Tensor], Tensor]


@dataclass
class Mode:
    """What changes from run to run: whether the model is in training, and the random numbers for dropout."""

    training: bool = False
    generator: np.random.Generator = field(default_factory=lambda: np.random.Generator(np.random.SFC64(0)))

    def seed(self, seed: int) -> None:
        """Start again from a seed."""
        self.generator = np.random.Generator(np.random.SFC64(seed))

    def keep(self, x: Tensor, rate: float) -> Tensor:
        """Return which elements of a tensor like this one stay, as bytes: 0 with probability ``rate``, else 1.

        The probability is a multiple of 1/65536. Compiled, an element's number is a hash of a seed and its place;
        elsewhere it comes from NumPy's SFC64.
        """
        dropped = min(round(rate * 65536), 65535)
        kernels = library() if x.device.type == "cpu" else None
        if kernels is not None:
            kept = torch.empty(x.shape, dtype=torch.uint8)
            kernels.draw_mask(
                kept.data_ptr(), kept.numel(), int(self.generator.integers(2**64, dtype=np.uint64)), dropped
            )
            return kept
        words = self.generator.integers(0, 2**64, -(-x.numel() // 4), np.uint64)
        drawn = torch.from_numpy(words.view(np.int16))[: x.numel()].view(x.shape).to(x.device)
        return drawn.ge(dropped - 32768).view(torch.uint8)


@dataclass(frozen=True)
class Setting:
    """A layer and where it is: what a kernel is built from.

    Args:
        layer: A built Keras layer.
        weights: Where its weights are, in the precision to compute in.
        mode: What changes from run to run.
        following: The activation function to use instead of the layer's own: that of the layer behind it, or none.
    """

    layer: Any
    weights: WorkingCopy
    mode: Mode
    following: Any = None

    @property
    def activation(self) -> Any:
        """The function that the layer's output goes through."""
        return self.layer.activation if self.following is None else self.following

    def bias(self) -> Tensor | None:
        """The layer's bias, if it has one."""
        return self.weights.tensor(self.layer.bias) if self.layer.use_bias else None
