"""A Keras model's trainable variables, moved into one flat tensor that the optimizer updates in a single call.

The variables remain Keras' own: each becomes a view of the flat tensor, so that the model can be saved, used and
inspected at any time. Kernels of 2D convolutions have the memory layout that PyTorch's channels-last convolutions read.
Variables that are not float32 keep their own memory, and have a float32 copy in the flat tensor.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import torch


class Parameters:
    """The flat tensor ``(n,)``, its gradient, and the penalties of the regularizers, on the model's device."""

    def __init__(self, model: keras.Model) -> None:
        """Move the variables; those with the same L1 and L2 become neighbors."""
        variables = sorted(model.trainable_variables, key=lambda variable: repr(_strengths(variable.regularizer)))
        starts = [0]
        for variable in variables:
            starts.append(starts[-1] + variable.value.numel())
        self.device = next((variable.value.device for variable in model.variables), torch.device("cpu"))
        self.flat = torch.empty(starts[-1], device=self.device)
        self.grad = torch.zeros_like(self.flat)
        self.starts = starts  # of each variable in the flat tensor, and the end of the last
        self._place = dict(zip(map(id, variables), starts[:-1], strict=True))
        self._variables = variables
        # Variables of another type keep their own memory, and are copied to and from the flat tensor.
        self._copied = [variable for variable in variables if variable.value.dtype != torch.float32]
        self.constrained = [variable for variable in variables if variable.constraint is not None]
        with torch.no_grad():
            for variable in variables:
                view = self.view(self.flat, variable)
                view.copy_(variable.value)
                if variable.value.dtype == torch.float32:
                    variable.value.data = view
        self._grad_views = [self.view(self.grad, variable) for variable in variables]
        self._penalties = list(_penalty_ranges(variables, starts))
        self._other = [v for v in variables if v.regularizer is not None and _strengths(v.regularizer) is None]

    def view(self, flat: torch.Tensor, variable: keras.Variable) -> torch.Tensor:
        """Return the part of a flat tensor that belongs to a variable, in the variable's shape."""
        start = self._place[id(variable)]
        return as_laid_out(flat[start : start + variable.value.numel()], variable)

    def holds(self, variable: keras.Variable) -> bool:
        """Return whether a variable is trainable, and so part of the flat tensor."""
        return id(variable) in self._place

    def kernels(self) -> list[torch.Tensor]:
        """Return the parts of the flat tensor that are kernels, each ``(n,)``: all variables that are not vectors."""
        bounds = itertools.pairwise(self.starts)
        return [self.flat[slice(*ends)] for ends, kernel in zip(bounds, self.are_kernels(), strict=True) if kernel]

    def are_kernels(self) -> list[bool]:
        """Return for each variable whether it is a kernel, which all but vectors are."""
        return [len(variable.shape) > 1 for variable in self._variables]

    def strengths(self) -> list[tuple[float, float] | None]:
        """Return each variable's L1 and L2, None for a regularizer of another kind."""
        return [_strengths(variable.regularizer) for variable in self._variables]

    def taken_gradient(self, place: int, leaf: torch.Tensor) -> torch.Tensor | None:
        """Remove and return the gradient of a variable's leaf, with the leaf's own memory layout.

        A layer that Keras computed has its gradient on Keras' own tensor.
        """
        gradient, leaf.grad = leaf.grad, None
        variable = self._variables[place]
        if variable.value.grad is not None:
            gradient = variable.value.grad if gradient is None else variable.value.grad + gradient
            variable.value.grad = None
        if gradient is not None and gradient.dtype not in (torch.float32, leaf.dtype):
            gradient = gradient.to(torch.float32)
        if gradient is None or gradient.stride() == leaf.stride():
            return gradient
        return torch.empty_like(leaf, dtype=gradient.dtype).copy_(gradient)

    def penalty(self) -> torch.Tensor:
        """Return what the regularizers add to the loss, a scalar."""
        total = torch.zeros((), device=self.device)
        for part, l1, l2 in self._penalties:
            weights = self.flat[part]
            if l2:
                total = total + l2 * torch.dot(weights, weights)
            if l1:
                total = total + l1 * weights.abs().sum()
        for variable in self._other:
            total = total + variable.regularizer(variable.value.detach())
        return total

    def collect_gradients(self, leaves: Sequence[torch.Tensor]) -> None:
        """Move the gradients of a working copy's leaves into `grad`, and add those of the regularizers."""
        for place, (view, leaf) in enumerate(zip(self._grad_views, leaves, strict=True)):
            gradient = self.taken_gradient(place, leaf)
            if gradient is None:
                view.zero_()
            else:
                view.copy_(gradient)
        for part, l1, l2 in self._penalties:
            if l2:
                self.grad[part].add_(self.flat[part], alpha=2 * l2)
            if l1:
                self.grad[part].add_(self.flat[part].sign(), alpha=l1)
        for variable in self._other:
            weights = variable.value.detach().clone().requires_grad_()
            with torch.enable_grad():
                variable.regularizer(weights).backward()
            self.view(self.grad, variable).add_(weights.grad)

    def apply_constraints(self) -> None:
        """Project constrained variables onto the values that their constraints allow."""
        for variable in self.constrained:
            variable.assign(variable.constraint(variable.value))
        self.read()

    def read(self) -> None:
        """Copy variables that are not float32 into the flat tensor."""
        for variable in self._copied:
            self.view(self.flat, variable).copy_(variable.value.detach())

    def write(self) -> None:
        """Copy the flat tensor into variables that are not float32."""
        for variable in self._copied:
            variable.value.detach().copy_(self.view(self.flat, variable))

    def leaves(self, flat: torch.Tensor) -> list[torch.Tensor]:
        """Return tensors to differentiate by, one for each variable, which share the memory of a flat tensor."""
        return [self.view(flat, variable).detach().requires_grad_() for variable in self._variables]

    def index(self, variable: keras.Variable) -> int:
        """Return the index of a variable's leaf."""
        return next(place for place, other in enumerate(self._variables) if other is variable)


class WorkingCopy:
    """The weights in the precision that the network computes in; in float32 they share the parameters' memory."""

    def __init__(self, parameters: Parameters, dtype: torch.dtype) -> None:
        """Make the copy; `refresh` must follow every change of the parameters."""
        self.dtype = dtype
        self._parameters = parameters
        self.flat = parameters.flat if dtype == torch.float32 else parameters.flat.to(dtype)
        self.leaves = parameters.leaves(self.flat)
        self._frozen: list[tuple[torch.Tensor, keras.Variable]] = []

    def tensor(self, variable: keras.Variable) -> torch.Tensor:
        """Return a variable in this precision: always the same tensor, which `refresh` updates."""
        if self._parameters.holds(variable):
            return self.leaves[self._parameters.index(variable)]
        if self.dtype == torch.float32:
            return self.full(variable)
        copy: torch.Tensor = variable.value.detach().to(self.dtype, copy=True)
        self._frozen.append((copy, variable))
        return copy

    def full(self, variable: keras.Variable) -> torch.Tensor:
        """Return a variable in float32, whatever the precision; never a copy."""
        if not self._parameters.holds(variable):
            frozen: torch.Tensor = variable.value.detach()
            return frozen
        index = self._parameters.index(variable)
        if self.leaves[index].dtype != torch.float32:  # once, though several layers may share it
            self.leaves[index] = self._parameters.view(self._parameters.flat, variable).detach().requires_grad_()
        return self.leaves[index]

    def refresh(self, *, frozen: bool = False) -> None:
        """Copy the parameters' values, and those of frozen variables if ``frozen`` is set."""
        if self.flat is not self._parameters.flat:
            self.flat.copy_(self._parameters.flat)
        if frozen:
            for copy, variable in self._frozen:
                copy.copy_(variable.value.detach())


class FixedWeights:
    """Copies of a model's variables as they are now; the model itself is left as it is."""

    def __init__(self, dtype: torch.dtype) -> None:
        """Start without copies; each variable is copied when it is first needed."""
        self._dtype = dtype
        self._copies: dict[tuple[int, torch.dtype], torch.Tensor] = {}

    def tensor(self, variable: keras.Variable) -> torch.Tensor:
        """Return a variable in the chosen precision."""
        return self._copy(variable, self._dtype)

    def full(self, variable: keras.Variable) -> torch.Tensor:
        """Return a variable in float32."""
        return self._copy(variable, torch.float32)

    def _copy(self, variable: keras.Variable, dtype: torch.dtype) -> torch.Tensor:
        key = id(variable), dtype
        if key not in self._copies:
            value = variable.value.detach()
            flat = torch.empty(value.numel(), dtype=dtype, device=value.device)
            self._copies[key] = as_laid_out(flat, variable)
            self._copies[key].copy_(value)
        return self._copies[key]


def as_laid_out(flat: torch.Tensor, variable: keras.Variable) -> torch.Tensor:
    """Return a view of a variable's elements ``(n,)`` in the variable's shape and the layout that convolutions read."""
    if _is_image_kernel(variable):
        height, width, channels, filters = variable.shape
        return flat.view(filters, height, width, channels).permute(1, 2, 3, 0)
    return flat.view(tuple(variable.shape))


def _is_image_kernel(variable: keras.Variable) -> bool:
    return len(variable.shape) == 4 and variable.name == "kernel"


def _strengths(regularizer: Any) -> tuple[float, float] | None:
    """Return the strengths of L1 and L2, or None for a regularizer of another kind."""
    if regularizer is None:
        return 0.0, 0.0
    kind = type(regularizer)  # a subclass may compute something else
    if kind is keras.regularizers.L1L2:
        return float(regularizer.l1), float(regularizer.l2)
    if kind is keras.regularizers.L1:
        return float(regularizer.l1), 0.0
    if kind is keras.regularizers.L2:
        return 0.0, float(regularizer.l2)
    return None


def _penalty_ranges(variables: Sequence[keras.Variable], starts: Sequence[int]) -> Iterator[tuple[slice, float, float]]:
    """Yield the ranges of the flat tensor that have the same penalty, with its L1 and L2."""
    places = range(len(variables))
    for strengths, same in itertools.groupby(places, key=lambda place: _strengths(variables[place].regularizer)):
        stretch = list(same)
        if strengths is not None and strengths != (0.0, 0.0):
            yield slice(starts[stretch[0]], starts[stretch[-1] + 1]), *strengths
