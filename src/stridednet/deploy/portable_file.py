"""``predict.npz``: a model as a list of steps and arrays, which NumPy alone can read and compute."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stridednet.deploy.portable_shapes import result_shapes
from stridednet.limits import MAX_IMAGE_SIZE, parse_json, read_arrays
from stridednet.storage import sha256, written_whole

INPUT = 0  # the place of the images among the values that the steps read and produce
_DESCRIPTION = "description"
_FORMAT = 1


@dataclass(frozen=True)
class Step:
    """One operation.

    Args:
        operation: The name of a function of `numpy_layers`.
        inputs: The places of the values that it reads, in the order of the function's arguments.
        output: The place of its result.
        weights: The function's array arguments, and the key of each in the file; None for an argument without an array.
        parameters: The function's other arguments.
    """

    operation: str
    inputs: tuple[int, ...]
    output: int
    weights: Mapping[str, str | None]
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class PortableModel:
    """A classifier.

    Args:
        steps: In an order in which they can be computed.
        weights: Arrays by their key, float32.
        input_shape: ``(height, width, channels)``; None for any size.
        output: The place of the probabilities.
    """

    steps: tuple[Step, ...]
    weights: Mapping[str, NDArray[np.float32]]
    input_shape: tuple[int | None, ...]
    output: int

    @property
    def largest_input(self) -> tuple[int, ...]:
        """The shape of the largest image that a run can have."""
        return tuple(MAX_IMAGE_SIZE if size is None else size for size in self.input_shape)


def write_portable(path: Path, model: PortableModel, model_file: Path) -> None:
    """Write a model, whole or not at all.

    Args:
        path: The file.
        model: The model.
        model_file: The ``.keras`` file of the same model, whose hash is written too.

    Raises:
        StorageError: The file cannot be written.
    """
    description = {
        "format": _FORMAT,
        "model_sha256": sha256(model_file),
        "input_shape": model.input_shape,
        "output": model.output,
        "steps": [asdict(step) for step in model.steps],
    }
    with written_whole(path) as beside, beside.open("wb") as file:
        text = np.array(json.dumps(description))
        np.savez(file, **{_DESCRIPTION: text}, **model.weights)  # type: ignore[arg-type]  # its stub mistakes ** for a flag


def read_portable(path: Path, model_file: Path) -> PortableModel | None:
    """Read a model.

    Args:
        path: The file.
        model_file: The ``.keras`` file from which it was made.

    Returns:
        The model, or None if the file is damaged, exceeds a limit, is of another version, or was made from another
        model file.

    Raises:
        OSError: A file cannot be read.
    """
    try:
        arrays: dict[str, Any] = dict(read_arrays(path))
        description = parse_json(str(arrays[_DESCRIPTION]))
        if description["format"] != _FORMAT or description["model_sha256"] != sha256(model_file):
            return None
        steps = tuple(Step(**step) for step in description["steps"])
        keys = {key for step in steps for key in step.weights.values() if key is not None}
        weights = {key: _float32(arrays[key]) for key in keys}
        model = PortableModel(steps, weights, tuple(description["input_shape"]), description["output"])
        places = result_shapes(steps, weights, model.largest_input)
        return model if model.output in places else None
    except (ValueError, LookupError, TypeError, AttributeError, MemoryError):
        return None


def _float32(array: NDArray[np.generic]) -> NDArray[np.float32]:
    if array.dtype != np.float32:
        raise TypeError
    return np.asarray(array, np.float32)
