"""How a network is computed: on which device, in which precision, and by compiled C or by PyTorch alone."""

from dataclasses import dataclass, replace
from typing import Self

import keras
import torch

from stridednet.executor.compiled.library import Library, load_library
from stridednet.executor.precision import fastest_precision
from stridednet.settings import ConcretePrecision, Precision


@dataclass(frozen=True)
class Backend:
    """Chosen once for a training or a predictor, and passed to whatever computes.

    Args:
        device: Where Keras puts variables: the CPU, unless ``KERAS_TORCH_DEVICE`` says otherwise.
        precision: What the network computes in. Parameters, optimizer, loss and batch statistics are float32 always.
        library: The compiled C functions; None where PyTorch computes everything.
        problem: Why there is no library although there is a compiler, in one line; empty otherwise.
    """

    device: torch.device
    precision: ConcretePrecision
    library: Library | None = None
    problem: str = ""

    @classmethod
    def choose(cls, precision: Precision = "auto") -> Self:
        """Choose the fastest way to compute on Keras' device.

        Args:
            precision: ``auto`` takes the one in which the device computes convolutions fastest.
        """
        device = keras.ops.zeros(()).device
        chosen = fastest_precision(device) if precision == "auto" else precision
        if device.type != "cpu":
            return cls(device, chosen)
        loaded = load_library()
        return cls(device, chosen, loaded.library, loaded.problem)

    @property
    def dtype(self) -> torch.dtype:
        """The precision as PyTorch's type."""
        return torch.bfloat16 if self.precision == "bfloat16" else torch.float32

    def in_float32(self) -> Self:
        """Return the same backend with float32 as its precision."""
        return replace(self, precision="float32")
