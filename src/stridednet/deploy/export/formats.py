"""The formats that a run can be exported to: what each needs, and what writes it."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras

from stridednet.deploy.export.metadata import Metadata
from stridednet.deploy.export.verification import BATCHES
from stridednet.errors import InputError

Writer = Callable[[keras.Model, Metadata, Path], None]


@dataclass(frozen=True)
class Format:
    """A file format.

    Args:
        name: As the command calls it.
        file: The name of the file.
        needs: The packages that write it and compute it.
        extra: The extra of stridednet that installs them.
        batches: The batch sizes in which a file is verified.
    """

    name: str
    file: str
    needs: tuple[str, ...] = ()
    extra: str = ""
    batches: tuple[int, ...] = BATCHES

    def check_installed(self) -> None:
        """Check that the packages of the format are installed, without importing them.

        Raises:
            InputError: One is not.
        """
        missing = [package for package in self.needs if importlib.util.find_spec(package) is None]
        if missing:
            extra = f"pip install 'stridednet[{self.extra}]'"
            raise InputError(f"{self.name} needs {', '.join(missing)}, which is not installed: {extra}")

    def writer(self) -> Writer:
        """Return the function that writes the format."""
        if self.name == "onnx":
            from stridednet.deploy.export.onnx_format import write_onnx as write
        elif self.name == "openvino":
            from stridednet.deploy.export.openvino_format import write_openvino as write
        elif self.name == "litert":
            from stridednet.deploy.export.litert_format import write_litert as write
        else:
            from stridednet.deploy.export.torch_format import write_torch as write
        return write


FORMATS = {
    one.name: one
    for one in (
        Format("onnx", "model.onnx", ("onnx", "onnxruntime"), "onnx"),
        Format("openvino", "model.xml", ("openvino", "onnx"), "openvino"),
        Format("litert", "model.tflite", ("litert_torch", "ai_edge_litert"), "litert", (1,)),
        Format("torch", "model.pt2"),
    )
}
