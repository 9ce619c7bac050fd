"""A recipe's optimizer settings -> steps: compiled where that is possible, else PyTorch's fused optimizer."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from stridednet.training.compiled.adam import CompiledAdam
from stridednet.training.parameters import Parameters, WorkingCopy
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
        self._parameters = parameters
        self._step = 0
        self._moments = {
            "exp_avg": torch.zeros_like(parameters.flat),
            "exp_avg_sq": torch.zeros_like(parameters.flat),
        }
        first, second = self._moments.values()
        self._compiled = CompiledAdam(parameters, (first, second)) if CompiledAdam.can_step(parameters) else None
        self._fused = _Fused(parameters, self._moments, self._beta_2) if self._compiled is None else None

    def rate(self) -> float:
        """Return the learning rate of the step to come."""
        return self._schedule.rate(self._step)

    def step(self, weights: WorkingCopy) -> float:
        """Change the parameters, and their working copy, by the gradients of its leaves and of the regularizers.

        Returns:
            What the regularizers add to the loss, for the parameters as they were.
        """
        rate = self.rate()
        decay = rate * self._weight_decay
        self._step += 1
        correction = (1 - self._beta_2**self._step) ** 0.5
        if self._compiled is not None:
            alpha = rate * correction / (1 - _BETA_1**self._step)
            penalty = self._compiled.step(weights, alpha, (_BETA_1, self._beta_2), _EPSILON, decay)
            up_to_date = not self._parameters.constrained
        else:
            assert self._fused is not None  # noqa: S101  -- there is one or the other
            penalty = float(self._parameters.penalty())
            self._parameters.collect_gradients(weights.leaves)
            # Keras adds epsilon to the second moment's root before its bias is corrected, PyTorch after.
            self._fused.step(rate, _EPSILON / correction, decay)
            up_to_date = False
        self._parameters.apply_constraints()
        if not up_to_date:
            weights.refresh()
        return penalty

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Return copies of the moments and the count of steps."""
        moments = {f"optimizer/{name}": value.cpu().numpy().copy() for name, value in self._moments.items()}
        return {"optimizer/step": np.array(self._step, np.float32)} | moments

    def restore(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Take over what `state` returned."""
        for name, value in self._moments.items():
            value.copy_(torch.from_numpy(np.asarray(state[f"optimizer/{name}"])))
        self._step = int(state["optimizer/step"])
        if self._fused is not None:
            self._fused.count(self._step)


class _Fused:
    """PyTorch's fused Adam on the flat parameters and their gradient."""

    def __init__(self, parameters: Parameters, moments: Mapping[str, torch.Tensor], beta_2: float) -> None:
        self._kernels = parameters.kernels()
        self._flat = torch.nn.Parameter(parameters.flat)
        self._flat.grad = parameters.grad
        self._adam = torch.optim.Adam([self._flat], betas=(_BETA_1, beta_2), fused=True)
        self._adam.state[self._flat] = {"step": torch.zeros((), device=parameters.device), **moments}

    def step(self, rate: float, epsilon: float, decay: float) -> None:
        group = self._adam.param_groups[0]
        group["lr"], group["eps"] = rate, epsilon
        if decay:
            for kernel in self._kernels:
                kernel.mul_(1 - decay)
        self._adam.step()

    def count(self, steps: int) -> None:
        """Go on as after so many steps."""
        self._adam.state[self._flat]["step"].fill_(steps)
