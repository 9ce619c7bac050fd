"""Images -> probabilities, for any Keras classifier."""

from collections.abc import Iterable

import keras
import numpy as np
import torch
from numpy.typing import NDArray

from stridednet.errors import InputError
from stridednet.executor.backend import Backend
from stridednet.executor.context import ForwardPass
from stridednet.executor.graph import Graph
from stridednet.executor.parameters import FixedWeights

_BATCH_SIZE = 64


class Predictor:
    """Computes a model's outputs in float32, on the weights that the model has when the predictor is made.

    The model is not changed. Several threads may use one predictor at a time.

    Examples:
        >>> import keras
        >>> from stridednet.models.vgg import build_vgg
        >>> predictor = Predictor(build_vgg(32, 32, 3, classes=4, rescaling=(1 / 255, 0.0)))
        >>> predictor.predict(np.zeros((10, 32, 32, 3), np.uint8)).shape
        (10, 4)
    """

    def __init__(self, model: keras.Model, backend: Backend | None = None) -> None:
        """Copy the model's weights and plan how to compute it.

        Args:
            model: A built Keras model with one input, images, and one output, ``(batch, classes)``.
            backend: How to compute; None for the best one in float32.

        Raises:
            ModelError: The model is not built, or has more than one input or output.
        """
        backend = backend or Backend.choose("float32")
        self._graph = Graph(model, FixedWeights(backend.dtype), backend, constant=True)
        self._device = backend.device
        self._input_shape: tuple[int | None, ...] = tuple(model.inputs[0].shape[1:])

    def predict(self, images: NDArray[np.generic], batch_size: int = _BATCH_SIZE) -> NDArray[np.float32]:
        """Return the model's outputs.

        Args:
            images: ``(n, height, width, channels)``, as the model takes them; of a run's model, RGB from 0 to 255.
            batch_size: Number of images that are computed at once.

        Returns:
            ``(n, classes)``; of a run's model, the probabilities of the classes.

        Raises:
            InputError: The images do not have the model's input shape.
        """
        starts = range(0, max(len(images), 1), batch_size)
        return self.predict_batches(images[start : start + batch_size] for start in starts)

    @torch.no_grad()
    def predict_batches(self, batches: Iterable[NDArray[np.generic]]) -> NDArray[np.float32]:
        """Return the model's outputs for all images of some batches, ``(n, classes)``.

        Args:
            batches: Each ``(batch, height, width, channels)``; at least one.

        Raises:
            InputError: A batch does not have the model's input shape.
        """
        tensors = (image_tensor(batch, self._input_shape, self._device) for batch in batches)
        parts = [self._graph.outputs(self._graph.run(tensor, ForwardPass())) for tensor in tensors]
        outputs: NDArray[np.float32] = torch.cat(parts).cpu().numpy()
        return outputs


def image_tensor(
    images: NDArray[np.generic], input_shape: tuple[int | None, ...], device: torch.device
) -> torch.Tensor:
    """Return images as a tensor, of their own type, after checking their shape.

    Args:
        images: ``(n, height, width, channels)``, as a model takes them.
        input_shape: The model's input shape without the batch; None where any size is accepted.
        device: Where the model is computed.

    Raises:
        InputError: The images do not have the model's input shape.
    """
    shape = images.shape
    if len(shape) != len(input_shape) + 1 or any(
        size not in (None, found) for size, found in zip(input_shape, shape[1:], strict=True)
    ):
        wanted = ", ".join("any" if size is None else str(size) for size in input_shape)
        raise InputError(f"images: the model takes arrays of shape (n, {wanted}). Received: {shape}")
    return torch.from_numpy(np.ascontiguousarray(images)).to(device)
