"""A recipe's optimizer: compiled C where possible, otherwise PyTorch's fused Adam."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from stridednet.executor.backend import Backend
from stridednet.executor.compiled.adam import CompiledAdam
from stridednet.executor.parameters import Parameters, WorkingCopy
from stridednet.executor.schedule import Schedule

_BETA_1 = 0.9
_EPSILON = 1e-7  # Keras' default


class Optimizer:
    """Adam (Kingma and Ba 2015, arXiv:1412.6980) on a model's flat parameters, with the numbers of Keras' Adam.

    AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101) first subtracts ``learning_rate * weight_decay`` of each
    kernel; biases and the scales and offsets of batch normalization do not decay.
    """

    def __init__(self, schedule: Schedule, parameters: Parameters, backend: Backend) -> None:
        """Start at step 0 with moments of zero."""
        settings = schedule.settings
        self._schedule = schedule
        self._weight_decay = settings.weight_decay if settings.name == "adamw" else 0.0
        self._parameters = parameters
        self._number = 0  # of steps taken
        self._moments = {
            "exp_avg": torch.zeros_like(parameters.flat),
            "exp_avg_sq": torch.zeros_like(parameters.flat),
        }
        arguments = parameters, list(self._moments.values()), (_BETA_1, settings.beta_2), _EPSILON
        self._adam: CompiledAdam | _FusedAdam
        if backend.library is not None and CompiledAdam.can_step(parameters):
            self._adam = CompiledAdam(backend.library, *arguments)
        else:
            self._adam = _FusedAdam(*arguments)

    @property
    def is_compiled(self) -> bool:
        """Whether compiled C takes the steps."""
        return isinstance(self._adam, CompiledAdam)

    def rate(self) -> float:
        """Return the learning rate of the next step."""
        return self._schedule.rate(self._number)

    def step(self, weights: WorkingCopy) -> torch.Tensor | float:
        """Update the parameters and their working copy with the gradients of its leaves and of the regularizers.

        Returns:
            What the regularizers add to the loss, for the parameters before the step.
        """
        rate = self.rate()
        self._number += 1
        penalty = self._adam.step(weights, self._number, rate, rate * self._weight_decay)
        self._parameters.write()
        if self._parameters.constrained:
            self._parameters.apply_constraints()
            weights.refresh()
        return penalty

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Return copies of the moments and the number of steps."""
        moments = {f"optimizer/{name}": value.cpu().numpy().copy() for name, value in self._moments.items()}
        return {"optimizer/step": np.array(self._number, np.float32)} | moments

    def restore(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Restore what `state` returned."""
        for name, value in self._moments.items():
            value.copy_(torch.from_numpy(np.asarray(state[f"optimizer/{name}"])))
        self._number = int(state["optimizer/step"])


class _FusedAdam:
    """The same steps by PyTorch's fused Adam, on the flat parameters and their gradient."""

    def __init__(
        self, parameters: Parameters, moments: Sequence[torch.Tensor], betas: tuple[float, float], epsilon: float
    ) -> None:
        self._parameters = parameters
        self._beta_2 = betas[1]
        self._epsilon = epsilon
        self._kernels = parameters.kernels()
        self._flat = torch.nn.Parameter(parameters.flat)
        self._flat.grad = parameters.grad
        self._adam = torch.optim.Adam([self._flat], betas=betas, fused=True)
        self._count = torch.zeros((), device=parameters.device)
        self._adam.state[self._flat] = {"step": self._count, "exp_avg": moments[0], "exp_avg_sq": moments[1]}

    def step(self, weights: WorkingCopy, number: int, rate: float, decay: float) -> torch.Tensor:
        """Update the parameters and their working copy; arguments and result as for `CompiledAdam.step`."""
        penalty = self._parameters.penalty()
        self._parameters.collect_gradients(weights.leaves)
        if decay:
            for kernel in self._kernels:
                kernel.mul_(1 - decay)
        group = self._adam.param_groups[0]
        # Keras adds epsilon to the second moment's root before its bias is corrected, PyTorch after.
        group["lr"], group["eps"] = rate, self._epsilon / (1 - self._beta_2**number) ** 0.5
        self._count.fill_(number - 1)  # PyTorch counts the step itself
        self._adam.step()
        weights.refresh()
        return penalty
