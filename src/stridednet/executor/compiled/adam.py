"""Adam on a model's flat parameters, in one pass over memory, directly from the gradients of the network."""

from collections.abc import Sequence

import numpy as np
import torch

from stridednet.executor.compiled.library import Library, address
from stridednet.executor.parameters import Parameters, WorkingCopy

Tensor = torch.Tensor


class CompiledAdam:
    """Takes steps; `adam.h` says what a step is."""

    def __init__(
        self,
        library: Library,
        parameters: Parameters,
        moments: Sequence[Tensor],
        betas: tuple[float, float],
        epsilon: float,
    ) -> None:
        """Note where each variable is, and its regularizer.

        Args:
            library: The compiled functions.
            parameters: Those that `can_step`.
            moments: The first and the second, each ``(n,)`` like the flat parameters; they are changed in place.
            betas: Shares of the moments that are kept in each step.
            epsilon: Added to the root of the second moment.
        """
        self._library = library
        self._parameters = parameters
        self._betas = betas
        self._epsilon = epsilon
        self._starts = np.array(parameters.starts, np.int64)
        self._l1, self._l2 = (np.array(part, np.float32) for part in zip(*parameters.strengths(), strict=True))
        self._are_kernels = np.array(parameters.are_kernels(), bool)
        self._flat = address(parameters.flat, torch.float32, parameters.flat.shape)
        self._moments = [address(moment, torch.float32, parameters.flat.shape) for moment in moments]
        self._kept = moments  # their memory is used for as long as this object is

    @staticmethod
    def can_step(parameters: Parameters) -> bool:
        """Return whether there are parameters, and all regularizers are L1 and L2 at most."""
        strengths = parameters.strengths()
        return bool(strengths) and all(pair is not None for pair in strengths)

    def step(self, weights: WorkingCopy, number: int, rate: float, decay: float) -> float:
        """Update the parameters and their working copy with the gradients of its leaves, which are removed.

        Args:
            weights: Has the gradients.
            number: The number of the step, counted from 1.
            rate: The learning rate.
            decay: Share of each kernel that is subtracted from it.

        Returns:
            What the regularizers add to the loss, for the parameters before the step.
        """
        alpha = rate * (1 - self._betas[1] ** number) ** 0.5 / (1 - self._betas[0] ** number)
        gradients = [self._parameters.taken_gradient(place, leaf) for place, leaf in enumerate(weights.leaves)]
        addresses = np.array(list(map(_gradient_address, gradients, weights.leaves)), np.uintp)
        wide = np.array([gradient is not None and gradient.dtype == torch.float32 for gradient in gradients], np.uint8)
        decays = np.where(self._are_kernels, np.float32(1 - decay), np.float32(1))
        narrow = weights.flat.dtype == torch.bfloat16
        copies = address(weights.flat, torch.bfloat16, weights.flat.shape) if narrow else None
        penalty: float = self._library.adam(
            len(gradients), *_addresses([self._starts, addresses, wide]), self._flat, *self._moments, copies,
            *_addresses([self._l1, self._l2, decays]), alpha, *self._betas, self._epsilon,
        )  # fmt: skip
        if penalty < 0:
            raise MemoryError
        return penalty


def _gradient_address(gradient: Tensor | None, leaf: Tensor) -> int:
    """Return where a gradient is, 0 for none. Its elements are in the order of the leaf's, without gaps."""
    if gradient is None:
        return 0
    if gradient.shape != leaf.shape or gradient.stride() != leaf.stride() or gradient.device.type != "cpu":
        raise TypeError(f"a gradient of {tuple(gradient.shape)} does not belong to a variable of {tuple(leaf.shape)}")
    if gradient.dtype not in (torch.float32, torch.bfloat16):
        raise TypeError(f"a gradient is float32 or bfloat16. Received: {gradient.dtype}")
    return gradient.data_ptr()


def _addresses(arrays: Sequence[np.ndarray]) -> list[int]:
    return [array.ctypes.data for array in arrays]
