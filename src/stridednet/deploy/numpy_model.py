"""A portable model, computed with NumPy: few pictures are answered before PyTorch would be imported."""

import math
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from stridednet.deploy.numpy_layers import OPERATIONS, Array
from stridednet.deploy.portable_file import INPUT, PortableModel
from stridednet.deploy.portable_shapes import result_shapes
from stridednet.errors import InputError
from stridednet.limits import MAX_LAYER_VALUES

_BATCH_SIZE = 16


class NumpyModel:
    """Computes the outputs of a portable model; has the method `predict` of `Predictor`. Threads may share it."""

    def __init__(self, model: PortableModel) -> None:
        """Plan the operations.

        Args:
            model: As `portable_file.read_portable` returns it.
        """
        self._model = model
        self._input_shape = model.input_shape
        self._output = model.output
        self._steps: list[tuple[Callable[..., Array], tuple[int, ...], int, set[int]]] = []
        last = {place: number for number, step in enumerate(model.steps) for place in step.inputs}
        for number, step in enumerate(model.steps):
            weights = {name: None if key is None else model.weights[key] for name, key in step.weights.items()}
            function = partial(OPERATIONS[step.operation], **weights, **step.parameters)
            unneeded = {place for place in step.inputs if last[place] == number and place != model.output}
            self._steps.append((function, step.inputs, step.output, unneeded))

    def predict(self, images: NDArray[np.generic]) -> NDArray[np.float32]:
        """Return the model's outputs.

        Args:
            images: ``(n, height, width, channels)``, as the model takes them; of a run's model, RGB from 0 to 255.

        Returns:
            ``(n, classes)``; of a run's model, the probabilities of the classes.

        Raises:
            InputError: The images do not have the model's input shape.
        """
        shape, expected = images.shape, self._input_shape
        if len(shape) != len(expected) + 1 or any(
            size not in (None, found) for size, found in zip(expected, shape[1:], strict=True)
        ):
            wanted = ", ".join("any" if size is None else str(size) for size in expected)
            raise InputError(f"images: the model takes arrays of shape (n, {wanted}). Received: {shape}")
        batch = 1 if len(images) == 1 else max(1, min(_BATCH_SIZE, MAX_LAYER_VALUES // self._largest(shape[1:])))
        starts = range(0, max(len(images), 1), batch)
        with np.errstate(over="ignore"):  # as in PyTorch, an exponential may be infinite
            return np.concatenate([self._run(images[start : start + batch]) for start in starts])

    def _largest(self, image: tuple[int, ...]) -> int:
        """Return how many numbers the largest result for an image has."""
        shapes = result_shapes(self._model.steps, self._model.weights, image)
        return max(map(math.prod, shapes.values()))

    def _run(self, images: NDArray[np.generic]) -> Array:
        values: dict[int, Array] = {INPUT: images.astype(np.float32)}
        for function, inputs, output, unneeded in self._steps:
            values[output] = function(*(values[place] for place in inputs))
            for place in unneeded:  # their memory is not needed anymore
                del values[place]
        return values[self._output]
