"""The features of pictures: what the last layer of a model reads, computed once and kept in the cache folder."""

import hashlib

import keras
import numpy as np
from numpy.typing import NDArray

from stridednet.executor.backend import Backend
from stridednet.executor.predictor import Predictor
from stridednet.training.feature_cache import Features, cached_features

_BATCH_SIZE = 16  # images that are computed at once; larger batches are not faster, and need more memory
_VERSION = "1"  # increment when the numbers change


class FeatureExtractor:
    """Computes the input of a model's last layer, with the weights that the model has when this object is made."""

    def __init__(self, model: keras.Model, backend: Backend) -> None:
        """Plan how to compute them.

        Args:
            model: A built classifier that ends with a dense layer.
            backend: How to compute.
        """
        last = model.layers[-1]
        self._predictor = Predictor(keras.Model(model.inputs, last.input), backend)
        digest = hashlib.sha256(f"{_VERSION} {backend.precision} {backend.device.type} {model.input_shape}".encode())
        own = {id(variable) for variable in last.weights}
        for variable in model.weights:
            if id(variable) not in own:
                digest.update(variable.value.detach().cpu().numpy().tobytes())
        self._model_digest = digest.hexdigest()

    def __call__(self, images: NDArray[np.uint8]) -> tuple[Features, bool]:
        """Return the features of images, and whether they were in the cache.

        Args:
            images: ``(n, height, width, channels)``, as the model takes them.

        Returns:
            ``(n, features)``, float32, which may be memory-mapped.
        """
        pixels = np.ascontiguousarray(images)
        key = hashlib.sha256(self._model_digest.encode())
        key.update(str(pixels.shape).encode())
        key.update(pixels.data)
        return cached_features(key.hexdigest()[:32], lambda: self._predictor.predict(pixels, _BATCH_SIZE))
