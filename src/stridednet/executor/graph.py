"""A functional Keras model -> a list of steps on PyTorch tensors, walked once and run many times."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import torch

from stridednet.errors import ModelError
from stridednet.executor.block import build_block
from stridednet.executor.chains import Chain, chains
from stridednet.executor.context import Kernel, Mode, Setting
from stridednet.executor.layers import build_kernel, build_merge
from stridednet.executor.parameters import WorkingCopy
from stridednet.models.nodes import nodes_in_order

Tensor = torch.Tensor
_Compute = Callable[[tuple[Tensor, ...]], tuple[Tensor, ...]]


@dataclass(frozen=True)
class _Step:
    """One operation: which tensors go in, which come out, and what computes them."""

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    compute: _Compute


class Graph:
    """A model that runs on PyTorch's own kernels, with the weights of a working copy.

    A layer that has no kernel here is called itself, in float32. ``penalties`` are the terms that activity regularizers
    and layers added to the loss in the latest run.
    """

    def __init__(self, model: keras.Model, weights: WorkingCopy, mode: Mode) -> None:
        """Plan the steps.

        Raises:
            ModelError: The model is not built, or has more than one input or output.
        """
        nodes = nodes_in_order(model)
        if len(model.inputs) != 1 or len(model.outputs) != 1:
            raise ModelError(f"a classifier has one input and one output. Received: {model.inputs}, {model.outputs}")
        self.dtype = weights.dtype
        self.penalties: list[Tensor] = []
        self._weights = weights
        self._mode = mode
        self._input = id(model.inputs[0])
        self._output = id(model.outputs[0])
        self._softmax = False
        self._steps = [self._step(chain) for chain in chains(nodes, self._output)]

    def run(self, images: Tensor, *, training: bool) -> Tensor:
        """Return the scores of the classes, ``(batch, classes)``, float32, for the functions below.

        Args:
            images: As the model takes them, of any dtype.
            training: As for Keras layers.
        """
        self.penalties = []
        self._mode.training = training
        tensors = {self._input: images.to(self.dtype)}
        for step in self._steps:
            results = step.compute(tuple(tensors[place] for place in step.inputs))
            tensors.update(zip(step.outputs, results, strict=True))
        return tensors[self._output].float()

    def log_probabilities(self, scores: Tensor) -> Tensor:
        """Return the logarithms of the probabilities of scores that `run` gave."""
        if self._softmax:
            return torch.log_softmax(scores, dim=-1)
        epsilon = keras.config.epsilon()  # as in Keras' categorical_crossentropy
        return (scores / scores.sum(dim=-1, keepdim=True)).clamp(epsilon, 1 - epsilon).log()

    def outputs(self, scores: Tensor) -> Tensor:
        """Return the model's outputs for scores that `run` gave."""
        return torch.softmax(scores, dim=-1) if self._softmax else scores

    def _step(self, chain: Chain) -> _Step:
        layer = chain.main.operation
        first, last = chain.nodes[0], chain.nodes[-1]
        outputs = tuple(id(tensor) for tensor in last.outputs)
        inputs = tuple(dict.fromkeys(id(tensor) for tensor in first.input_tensors))
        if chain.around is not None:
            block = build_block(Setting(layer, self._weights, self._mode), chain.around)
            return _Step(inputs, outputs, self._kernel_call(block, None))
        activation = chain.behind.operation.activation if chain.behind is not None else None
        if chain.lends_relu:
            activation = keras.activations.linear
        softmax = getattr(last.operation, "activation", None) is keras.activations.softmax
        ends = softmax and self._output in outputs and _can_end(layer, chain.behind)
        if ends:
            activation = keras.activations.linear
        merge = build_merge(layer)
        if merge is not None and getattr(layer, "activity_regularizer", None) is None:
            every = tuple(id(tensor) for tensor in first.input_tensors)  # one tensor may be added to itself
            return _Step(every, outputs, lambda tensors: (merge(tensors),))
        kernel = None
        if len(inputs) == 1 and isinstance(layer, keras.layers.Layer):
            kernel = build_kernel(Setting(layer, self._weights, self._mode, activation))
        self._softmax |= ends and kernel is not None
        if kernel is None:
            return _Step(inputs, outputs, self._keras_call(chain.main, chain.behind, inputs))
        return _Step(inputs, outputs, self._kernel_call(kernel, getattr(layer, "activity_regularizer", None)))

    def _kernel_call(self, kernel: Kernel, regularizer: Any) -> _Compute:
        def compute(inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            result = kernel(inputs[0]).to(self.dtype)  # an activation that is a layer gives float32
            if regularizer is not None:
                self.penalties.append(regularizer(result.float()) / len(result))  # as Keras does
            return (result,)

        return compute

    def _keras_call(self, node: Any, following: Any, places: tuple[int, ...]) -> _Compute:
        """Call the Keras operation itself, in float32, and take what it adds to the loss."""
        operation = node.operation

        def compute(inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            known = dict(zip(places, (tensor.float() for tensor in inputs), strict=True))
            arguments, options = node.arguments.fill_in(known)
            if isinstance(operation, keras.layers.Layer):
                result = operation(*arguments, **(options | self._training_argument(operation)))
                self.penalties += _taken_losses(operation)
            else:
                result = operation(*arguments, **options)
            if following is not None:
                result = following.operation(result)
            return tuple(tensor.to(self.dtype) for tensor in keras.tree.flatten(result))

        return compute

    def _training_argument(self, layer: Any) -> dict[str, bool]:
        return {"training": self._mode.training} if layer._call_has_training_arg else {}


def _taken_losses(layer: Any) -> list[Tensor]:
    """Take what a layer has added to the loss in its latest call, without the penalties on its weights."""
    losses = [loss for part in layer._flatten_layers() for loss in part._losses]
    layer._clear_losses()
    return losses


def _can_end(layer: Any, following: Any) -> bool:
    """Say whether the softmax at the end can be left to the loss, which is exact where exp would round to nothing."""
    return type(layer) is keras.layers.Dense and (following is not None or layer.activity_regularizer is None)
