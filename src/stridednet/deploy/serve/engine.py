"""What computes a served run: its exported ONNX file, NumPy or Keras."""

import importlib.util
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stridednet.deploy.export.runtimes import open_onnx
from stridednet.deploy.numpy_model import NumpyModel
from stridednet.deploy.portable_file import read_portable, sha256
from stridednet.errors import RunError
from stridednet.run_directory import RunDirectory

Pixels = NDArray[np.uint8]
Probabilities = NDArray[np.float32]
Compute = Callable[[Pixels], Probabilities]

_EXPORTED = Path("export", "model.onnx")  # where `stridednet export --format onnx` puts it


@dataclass(frozen=True)
class Engine:
    """A way to compute a run.

    Args:
        name: ``onnx``, ``numpy`` or ``keras``.
        compute: Images ``(n, size, size, 3)``, RGB, to probabilities ``(n, classes)``, in float32.
    """

    name: str
    compute: Compute


def open_engine(run: RunDirectory, threads: int) -> Engine:
    """Open the quickest engine that a run has.

    That is the run's ``export/model.onnx``, if it was made from this ``model.keras`` and ONNX Runtime is installed;
    otherwise its ``predict.npz`` with NumPy; otherwise ``model.keras`` with Keras and PyTorch.

    Args:
        run: A finished run.
        threads: Number of threads for ONNX Runtime.

    Raises:
        RunError: The model is damaged, or does not match the recipe and the labels of the run.
    """
    engine = _exported(run, threads) or _portable(run) or Engine("keras", run.predictor().predict)
    size, classes = run.recipe.image_size, len(run.labels)
    try:
        shape = engine.compute(np.zeros((1, size, size, 3), np.uint8)).shape  # also prepares the first request
    except Exception as error:
        reason = " ".join(str(error).split())
        raise RunError(f"the run {run.folder} is damaged: its model does not fit its recipe: {reason}") from error
    if shape != (1, classes):
        raise RunError(
            f"the run {run.folder} is damaged: its model has {shape[-1]} outputs, but there are {classes} labels"
        )
    return engine


def _exported(run: RunDirectory, threads: int) -> Engine | None:
    path = run.folder / _EXPORTED
    if not path.is_file() or importlib.util.find_spec("onnxruntime") is None:
        return None
    import onnxruntime

    from stridednet.deploy.export.metadata import KEY

    try:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        metadata = json.loads(session.get_modelmeta().custom_metadata_map.get(KEY, "{}"))
    except Exception:  # noqa: BLE001 -- ONNX Runtime has an exception type of its own for each kind of damage
        return None
    if metadata.get("model_sha256") != sha256(run.model_file):
        return None
    return Engine("onnx", open_onnx(path, threads))


def _portable(run: RunDirectory) -> Engine | None:
    if not run.portable_file.is_file():
        return None
    portable = read_portable(run.portable_file, run.model_file)
    return None if portable is None else Engine("numpy", NumpyModel(portable).predict)
