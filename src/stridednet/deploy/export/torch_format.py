"""Write a run as a ``.pt2`` file, which PyTorch computes without Keras and without the code of the model."""

import importlib.util
from pathlib import Path

import keras
import torch

from stridednet.deploy.export.metadata import KEY, Metadata
from stridednet.deploy.export.quiet import quiet
from stridednet.errors import ExportError, InputError

_MOST_IMAGES = 65_536  # of a batch; the exporter needs a limit


class _FromBytes(torch.nn.Module):
    """The model with the input of an exported file: uint8."""

    def __init__(self, model: keras.Model) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        probabilities: torch.Tensor = self.model(images.to(torch.float32), training=False)
        return probabilities


def exported_program(model: keras.Model, size: int) -> torch.export.ExportedProgram:
    """Return a model as a graph of PyTorch's operators with a dynamic batch.

    Args:
        model: The model of a run.
        size: Height and width of its images, in pixels.

    Raises:
        ExportError: PyTorch cannot trace the model.
    """
    example = torch.zeros((2, size, size, 3), dtype=torch.uint8)
    batch = torch.export.Dim("batch", min=1, max=_MOST_IMAGES)
    try:
        with torch.no_grad(), quiet():
            return torch.export.export(_FromBytes(model).eval(), (example,), dynamic_shapes=({0: batch},))
    except Exception as error:  # noqa: BLE001 -- whatever a user's layer raises when it is traced
        raise ExportError(f"torch: PyTorch cannot trace the model: {' '.join(str(error).split())[:300]}") from None


def write_torch(model: keras.Model, metadata: Metadata, path: Path) -> None:
    """Write a model as a ``.pt2`` file; the metadata is its extra file ``stridednet``.

    Args:
        model: The model of a run.
        metadata: What the file says of itself.
        path: The file.

    Raises:
        ExportError: PyTorch cannot trace the model.
    """
    torch.export.save(exported_program(model, metadata.image_size), path, extra_files={KEY: metadata.as_json()})


def require_onnxscript() -> None:
    """Check that PyTorch can export ONNX.

    Raises:
        InputError: onnxscript is not installed.
    """
    if importlib.util.find_spec("onnxscript") is None:
        raise InputError("onnx: the model has layers that PyTorch exports with onnxscript: pip install onnxscript")
