"""Adam on a model's flat parameters, in one pass over them, from the gradients as they come out of the network."""

from collections.abc import Sequence

import numpy as np
import torch

from stridednet.executor.compiled.library import library
from stridednet.executor.parameters import Parameters, WorkingCopy

Tensor = torch.Tensor


class CompiledAdam:
    """Takes steps; see `adam.h` for what one is."""

    def __init__(self, parameters: Parameters, moments: Sequence[Tensor], betas: tuple[float, float], epsilon: float):
        """Note where each variable lies, and what its regularizer is.

        Args:
            parameters: Those that `can_step`.
            moments: The first and the second, each ``(n,)`` like the flat parameters; they are changed.
            betas: How much of them stays.
            epsilon: Added to the root of the second.
        """
        self._parameters = parameters
        self._moments = moments
        self._betas = betas
        self._epsilon = epsilon
        self._starts = np.array(parameters.starts, np.int64)
        self._l1, self._l2 = (np.array(part, np.float32) for part in zip(*parameters.strengths(), strict=True))
        self._are_kernels = np.array(parameters.are_kernels(), bool)

    @staticmethod
    def can_step(parameters: Parameters) -> bool:
        """Say whether there are parameters, on the processor, whose regularizers are L1 and L2 at most."""
        strengths = parameters.strengths()
        known = bool(strengths) and all(pair is not None for pair in strengths)
        return known and parameters.device.type == "cpu" and library() is not None

    def step(self, weights: WorkingCopy, number: int, rate: float, decay: float) -> float:
        """Change the parameters and their working copy by the gradients of its leaves, which are used up.

        Args:
            weights: Has the gradients.
            number: Of the step, the first being 1.
            rate: The learning rate.
            decay: Share of each kernel that is taken away.

        Returns:
            What the regularizers add to the loss, for the parameters as they were.
        """
        alpha = rate * (1 - self._betas[1] ** number) ** 0.5 / (1 - self._betas[0] ** number)
        gradients = [self._parameters.taken_gradient(place, leaf) for place, leaf in enumerate(weights.leaves)]
        places = np.array([0 if gradient is None else gradient.data_ptr() for gradient in gradients], np.uintp)
        wide = np.array([gradient is not None and gradient.dtype == torch.float32 for gradient in gradients], np.uint8)
        decays = np.where(self._are_kernels, np.float32(1 - decay), np.float32(1))
        copies = weights.flat.data_ptr() if weights.flat.dtype == torch.bfloat16 else None
        kernels = library()
        assert kernels is not None  # noqa: S101  -- `can_step` has seen to it
        penalty: float = kernels.adam(
            len(gradients), *_places([self._starts, places, wide]), self._parameters.flat.data_ptr(),
            *(moment.data_ptr() for moment in self._moments), copies, *_places([self._l1, self._l2, decays]),
            alpha, *self._betas, self._epsilon,
        )  # fmt: skip
        if penalty < 0:
            raise MemoryError
        return penalty


def _places(arrays: Sequence[np.ndarray]) -> list[int]:
    return [array.ctypes.data for array in arrays]
