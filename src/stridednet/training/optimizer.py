"""A recipe's optimizer settings -> PyTorch's fused optimizer and a learning-rate schedule."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from stridednet.recipe import OptimizerSettings
from stridednet.training.parameters import Parameters

_BETAS = (0.9, 0.999)
_EPSILON = 1e-7  # Keras' default


class Optimizer:
    """Adam (Kingma and Ba 2015, arXiv:1412.6980) on a model's flat parameters, with the numbers of Keras' Adam.

    ``decay`` is that of Keras' optimizers before 2.11, spread over the epochs as in the tutorial: at step n, counted
    from 0 over the whole training, the learning rate is ``learning_rate / (1 + decay / epochs * n)``.
    """

    def __init__(self, settings: OptimizerSettings, epochs: int, parameters: Parameters) -> None:
        """Start at step 0 with moments of zero."""
        self._settings = settings
        self._decay = settings.decay / epochs
        self._step = 0
        self._flat = torch.nn.Parameter(parameters.flat)
        self._flat.grad = parameters.grad
        self._adam = torch.optim.Adam([self._flat], betas=_BETAS, fused=True)
        self._adam.state[self._flat] = {
            "step": torch.zeros(()),
            "exp_avg": torch.zeros_like(parameters.flat),
            "exp_avg_sq": torch.zeros_like(parameters.flat),
        }

    def rate(self) -> float:
        """Return the learning rate of the step to come."""
        return self._settings.learning_rate / (1 + self._decay * self._step)

    def step(self) -> None:
        """Change the parameters by their gradient."""
        group = self._adam.param_groups[0]
        group["lr"] = self.rate()
        self._step += 1
        # Keras adds epsilon to the second moment's root before its bias is corrected, PyTorch after.
        group["eps"] = _EPSILON / (1 - _BETAS[1] ** self._step) ** 0.5
        self._adam.step()

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Return copies of the moments and the count of steps."""
        return {f"optimizer/{name}": value.numpy().copy() for name, value in self._adam.state[self._flat].items()}

    def restore(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Take over what `state` returned."""
        for name, value in self._adam.state[self._flat].items():
            value.copy_(torch.from_numpy(np.asarray(state[f"optimizer/{name}"])))
        self._step = int(state["optimizer/step"])
