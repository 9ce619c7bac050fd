"""Write a run as a ``.tflite`` file of LiteRT, by its own converter.

The batch is fixed to 1: the converter (litert-torch 0.10) does not trace a dynamic batch, and the file that it writes
cannot be resized by the runtime.
"""

import zipfile
from pathlib import Path

import keras
import torch

from stridednet.deploy.export.metadata import KEY, Metadata
from stridednet.deploy.export.quiet import quiet
from stridednet.deploy.export.torch_format import exported_program
from stridednet.errors import ExportError


def write_litert(model: keras.Model, metadata: Metadata, path: Path) -> None:
    """Write a model as a ``.tflite`` file.

    The file is also a ZIP archive, as files with TensorFlow Lite's metadata are: it holds ``labels.txt`` and
    ``stridednet.json``.

    Args:
        model: The model of a run.
        metadata: What the file says of itself.
        path: The file.

    Raises:
        ExportError: PyTorch cannot trace the model, or the converter cannot convert it.
    """
    module = exported_program(model, metadata.image_size).module()
    example = torch.zeros((1, metadata.image_size, metadata.image_size, 3), dtype=torch.uint8)
    with quiet():
        import litert_torch

        try:
            litert_torch.convert(module, (example,)).export(str(path))
        except Exception as error:  # noqa: BLE001 -- whatever the converter raises for an operation that it does not know
            raise ExportError(f"litert: the model cannot be converted: {' '.join(str(error).split())[:300]}") from None
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("labels.txt", "".join(f"{label}\n" for label in metadata.labels))
        archive.writestr(f"{KEY}.json", metadata.as_json())
