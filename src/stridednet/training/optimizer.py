"""A recipe's optimizer settings -> PyTorch's fused optimizer."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from stridednet.training.parameters import Parameters
from stridednet.training.schedule import Schedule

_BETA_1 = 0.9
_EPSILON = 1e-7  # Keras' default


class Optimizer:
    """Adam (Kingma and Ba 2015, arXiv:1412.6980) on a model's flat parameters, with the numbers of Keras' Adam.

    AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101) before that takes ``learning_rate * weight_decay`` of each
    kernel away; biases and the scales and offsets of batch normalisation are left alone.
    """

    def __init__(self, schedule: Schedule, parameters: Parameters) -> None:
        """Start at step 0 with moments of zero."""
        settings = schedule.settings
        self._schedule = schedule
        self._beta_2 = settings.beta_2
        self._weight_decay = settings.weight_decay if settings.name == "adamw" else 0.0
        self._kernels = parameters.kernels()
        self._step = 0
        self._flat = torch.nn.Parameter(parameters.flat)
        self._flat.grad = parameters.grad
        self._adam = torch.optim.Adam([self._flat], betas=(_BETA_1, settings.beta_2), fused=True)
        self._adam.state[self._flat] = {
            "step": torch.zeros((), device=parameters.device),
            "exp_avg": torch.zeros_like(parameters.flat),
            "exp_avg_sq": torch.zeros_like(parameters.flat),
        }

    def rate(self) -> float:
        """Return the learning rate of the step to come."""
        return self._schedule.rate(self._step)

    def step(self) -> None:
        """Change the parameters by their gradient."""
        group = self._adam.param_groups[0]
        group["lr"] = rate = self.rate()
        if self._weight_decay:
            for kernel in self._kernels:
                kernel.mul_(1 - rate * self._weight_decay)
        self._step += 1
        # Keras adds epsilon to the second moment's root before its bias is corrected, PyTorch after.
        group["eps"] = _EPSILON / (1 - self._beta_2**self._step) ** 0.5
        self._adam.step()

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Return copies of the moments and the count of steps."""
        return {f"optimizer/{name}": value.cpu().numpy().copy() for name, value in self._adam.state[self._flat].items()}

    def restore(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Take over what `state` returned."""
        for name, value in self._adam.state[self._flat].items():
            value.copy_(torch.from_numpy(np.asarray(state[f"optimizer/{name}"])))
        self._step = int(state["optimizer/step"])
