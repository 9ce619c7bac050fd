"""A functional Keras model -> a list of steps on PyTorch tensors, planned once and run many times."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import keras
import torch

from stridednet.errors import ModelError
from stridednet.executor.backend import Backend
from stridednet.executor.block import build_block
from stridednet.executor.chains import Chain, chains
from stridednet.executor.context import ForwardPass, LayerContext, LayerFunction, Weights
from stridednet.executor.folded import build_folded
from stridednet.executor.layers import build_function, build_merge
from stridednet.models.nodes import nodes_in_order

Tensor = torch.Tensor
_Compute = Callable[[tuple[Tensor, ...], ForwardPass], tuple[Tensor, ...]]


@dataclass(frozen=True)
class _Step:
    """One operation: the tensors that it reads, those that it produces, and the function that computes them."""

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    compute: _Compute


class Graph:
    """A model that runs on PyTorch and compiled C.

    A layer that has no function in `executor.layers` is called itself, in float32. Running a graph changes nothing but
    the `ForwardPass`, and in training the moving statistics of batch normalization.
    """

    def __init__(self, model: keras.Model, weights: Weights, backend: Backend, *, constant: bool = False) -> None:
        """Plan the steps.

        Args:
            model: A built classifier.
            weights: The values of its variables, in the backend's precision.
            backend: How to compute.
            constant: Whether the weights never change and nothing is learned, which allows more to be fused.

        Raises:
            ModelError: The model is not built, or has more than one input or output.
        """
        nodes = nodes_in_order(model)
        if len(model.inputs) != 1 or len(model.outputs) != 1:
            raise ModelError(f"a classifier has one input and one output. Received: {model.inputs}, {model.outputs}")
        self._dtype = backend.dtype
        self._weights = weights
        self._backend = backend
        self._input = id(model.inputs[0])
        self._output = id(model.outputs[0])
        self._softmax = False
        self._constant = constant
        self._chains = chains(nodes, self._output, constant=constant)
        self._steps = [self._step(chain) for chain in self._chains]

    @property
    def has_normalization(self) -> bool:
        """Whether the backend computes batch normalization, and not Keras."""
        return any(chain.around is not None for chain in self._chains)

    def run(self, images: Tensor, forward: ForwardPass) -> Tensor:
        """Return the scores of the classes, ``(batch, classes)``, float32, for the functions below.

        Args:
            images: As the model takes them, of any type, on the backend's device.
            forward: Whether this is training, and its dropout masks; collects the terms that layers add to the loss.
        """
        tensors = {self._input: images.to(self._dtype)}
        for step in self._steps:
            results = step.compute(tuple(tensors[place] for place in step.inputs), forward)
            tensors.update(zip(step.outputs, results, strict=True))
        return tensors[self._output].float()

    def log_probabilities(self, scores: Tensor) -> Tensor:
        """Return the logarithms of the probabilities for scores that `run` returned."""
        if self._softmax:
            return torch.log_softmax(scores, dim=-1)
        epsilon = keras.config.epsilon()  # as in Keras' categorical_crossentropy
        return (scores / scores.sum(dim=-1, keepdim=True)).clamp(epsilon, 1 - epsilon).log()

    def outputs(self, scores: Tensor) -> Tensor:
        """Return the model's outputs for scores that `run` returned."""
        return torch.softmax(scores, dim=-1) if self._softmax else scores

    def _context(self, layer: Any, following: Any = None) -> LayerContext:
        return LayerContext(layer, self._weights, self._backend, following)

    def _step(self, chain: Chain) -> _Step:
        layer = chain.main.operation
        first, last = chain.nodes[0], chain.nodes[-1]
        outputs = tuple(id(tensor) for tensor in last.outputs)
        inputs = tuple(dict.fromkeys(id(tensor) for tensor in first.input_tensors))
        if chain.folded is not None:
            return _Step(
                inputs,
                outputs,
                self._call(build_folded(self._context(layer), chain.folded, constant=self._constant), None),
            )
        if chain.around is not None:
            return _Step(inputs, outputs, self._call(build_block(self._context(layer), chain.around), None))
        activation = chain.activation.operation.activation if chain.activation is not None else None
        if chain.lends_relu:
            activation = keras.activations.linear
        softmax = getattr(last.operation, "activation", None) is keras.activations.softmax
        ends = softmax and self._output in outputs and _can_end(layer, chain.activation)
        if ends:
            activation = keras.activations.linear
        merge = build_merge(layer)
        if merge is not None and getattr(layer, "activity_regularizer", None) is None:
            every = tuple(id(tensor) for tensor in first.input_tensors)  # a tensor may be added to itself
            return _Step(every, outputs, lambda tensors, _: (merge(tensors),))
        function = None
        if len(inputs) == 1 and isinstance(layer, keras.layers.Layer):
            function = build_function(self._context(layer, activation))
        self._softmax |= ends and function is not None
        if function is None:
            return _Step(inputs, outputs, self._keras_call(chain.main, chain.activation, inputs))
        return _Step(inputs, outputs, self._call(function, getattr(layer, "activity_regularizer", None)))

    def _call(self, function: LayerFunction, regularizer: Any) -> _Compute:
        def compute(inputs: tuple[Tensor, ...], forward: ForwardPass) -> tuple[Tensor, ...]:
            result = function(inputs[0], forward).to(self._dtype)  # an activation that is a layer returns float32
            if regularizer is not None:
                forward.penalties.append(regularizer(result.float()) / len(result))  # as Keras does
            return (result,)

        return compute

    def _keras_call(self, node: Any, following: Any, places: tuple[int, ...]) -> _Compute:
        """Call the Keras operation itself, in float32, and collect what it adds to the loss."""
        operation = node.operation
        changed = _changed_in_calls(operation)

        def compute(inputs: tuple[Tensor, ...], forward: ForwardPass) -> tuple[Tensor, ...]:
            known = dict(zip(places, (tensor.float() for tensor in inputs), strict=True))
            arguments, options = node.arguments.fill_in(known)
            if isinstance(operation, keras.layers.Layer):
                training = {"training": forward.training} if operation._call_has_training_arg else {}
                with _saved_as_copies(changed) if changed and forward.training else nullcontext():
                    result = operation(*arguments, **(options | training))
                forward.penalties += _taken_losses(operation)
            else:
                result = operation(*arguments, **options)
            if following is not None:
                result = following.operation(result)
            return tuple(tensor.to(self._dtype) for tensor in keras.tree.flatten(result))

        return compute


def _changed_in_calls(operation: Any) -> list[keras.Variable]:
    """Return the weights that a layer, or one inside it, changes in each call of a training."""
    if not isinstance(operation, keras.layers.Layer):
        return []
    parts = operation._flatten_layers()
    return [part.kernel for part in parts if isinstance(part, keras.layers.SpectralNormalization)]


def _saved_as_copies(weights: list[keras.Variable]) -> AbstractContextManager[Any]:
    """Return a context in which autograd saves copies of these weights for the backward pass.

    It would save the weights themselves otherwise, and a layer that is called again has changed them by then.
    """
    addresses = {variable.value.data_ptr() for variable in weights}

    def save(tensor: Tensor) -> Tensor:
        return tensor.clone() if tensor.data_ptr() in addresses else tensor

    return torch.autograd.graph.saved_tensors_hooks(save, lambda tensor: tensor)


def _taken_losses(layer: Any) -> list[Tensor]:
    """Remove and return what a layer added to the loss in its latest call, without the penalties on its weights."""
    losses = [loss for part in layer._flatten_layers() for loss in part._losses]
    layer._clear_losses()
    return losses


def _can_end(layer: Any, following: Any) -> bool:
    """Return whether the final softmax can be left to the loss, which is exact where exp would underflow."""
    return type(layer) is keras.layers.Dense and (following is not None or layer.activity_regularizer is None)
