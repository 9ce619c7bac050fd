"""The model of a run: pictures of the model's size -> probabilities, by the quickest way for their number."""

import threading
from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stridednet.data.samples import Ranges
from stridednet.deploy.numpy_model import NumpyModel
from stridednet.deploy.portable_file import read_portable
from stridednet.errors import InputError, RunError
from stridednet.run_directory import RunDirectory
from stridednet.settings import ResizeRule

# Importing Keras and PyTorch and loading a model takes 3 s, in which NumPy computes this many pictures of 96x96 pixels.
FEW = 1000


class _Model(Protocol):
    def predict(self, images: NDArray[np.generic]) -> NDArray[np.float32]: ...


class RunModel:
    """Computes the probabilities of a run's classes. Threads may share it.

    If the run has a ``predict.npz`` that was made from its ``model.keras``, NumPy computes the first `FEW` pictures of
    batches, which needs neither Keras nor PyTorch, and all pictures that come one by one, of which each takes less time
    than with PyTorch. `Predictor`, which is loaded once, computes everything else. Both compute the same in float32, up
    to rounding.
    """

    def __init__(
        self, run: RunDirectory, on_message: Callable[[str], None] = lambda _: None, *, threads: int | None = None
    ) -> None:
        """Open the model.

        Args:
            run: A finished run.
            on_message: Called with a line if the run's ``predict.npz`` cannot be used.
            threads: Number of threads of PyTorch, if it computes; None to leave them as they are.
        """
        self._run = run
        self._threads = threads
        self._seen = self._expected = 0
        self._lock = threading.Lock()
        self._by_numpy: NumpyModel | None = None
        self._by_pytorch: _Model | None = None
        if run.portable_file.is_file():
            portable = read_portable(run.portable_file, run.model_file)
            if portable is None:
                name, model = run.portable_file.name, run.model_file.name
                on_message(f"{name} is damaged or was not made from this {model}, which is loaded instead")
            else:
                self._by_numpy = NumpyModel(portable)

    @property
    def labels(self) -> list[str]:
        """The classes, in the order of the columns of `predict`."""
        return self._run.labels

    @property
    def size(self) -> int:
        """Height and width of the images, in pixels."""
        return self._run.recipe.image_size

    @property
    def rule(self) -> ResizeRule:
        """How a picture becomes a square; see `stridednet.data.decode.resize`."""
        return self._run.recipe.resize

    @property
    def ranges(self) -> Ranges:
        """Which samples of more than 8 bits became 0 and 255 in training."""
        return self._run.sample_ranges

    def expect(self, count: int) -> None:
        """Announce a number of pictures: for more than `FEW` of them, Keras is loaded at once."""
        with self._lock:
            self._expected = count

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probabilities of the classes, ``(n, classes)``.

        Args:
            images: ``(n, size, size, 3)``, RGB.

        Raises:
            RunError: The model's file is damaged, or its outputs do not match the run's labels.
        """
        if not len(images):
            return np.empty((0, len(self.labels)), np.float32)
        try:
            probabilities = self._chosen(len(images)).predict(images)
        except InputError as error:
            if isinstance(error, RunError):
                raise
            raise RunError(
                f"the run {self._run.folder} is damaged: its model does not fit its recipe: {error}"
            ) from None
        except (MemoryError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and "allocate memory" not in str(error):  # as PyTorch says it
                raise
            raise RunError(f"the model of the run {self._run.folder} needs more memory than there is") from None
        if probabilities.shape != (len(images), len(self.labels)):
            raise RunError(
                f"the run {self._run.folder} is damaged: its model has {probabilities.shape[-1]} outputs, "
                f"but there are {len(self.labels)} labels"
            )
        return probabilities

    def _chosen(self, count: int) -> _Model:
        with self._lock:
            if self._by_numpy is not None and count == 1:
                return self._by_numpy
            self._seen += count
            if self._by_numpy is not None and max(self._seen, self._expected) <= FEW:
                return self._by_numpy
            if self._by_pytorch is None:
                self._by_pytorch = self._run.predictor()
                if self._threads is not None:
                    import torch

                    torch.set_num_threads(self._threads)
            return self._by_pytorch
