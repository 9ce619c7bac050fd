"""Write a run as ONNX."""

from pathlib import Path

import keras
import onnx

from stridednet.deploy.export.metadata import Metadata
from stridednet.deploy.export.onnx_graph import BATCH, INPUT_NAME, OPSET, OUTPUT_NAME, onnx_model
from stridednet.deploy.export.quiet import quiet
from stridednet.deploy.portable import portable_model
from stridednet.errors import ExportError


def write_onnx(model: keras.Model, metadata: Metadata, path: Path) -> None:
    """Write a model as ONNX with its metadata.

    It is written from the list of steps that `portable_model` makes of it; where a layer has no step there, by
    PyTorch's exporter.

    Args:
        model: The model of a run.
        metadata: What the file says of itself.
        path: The file.

    Raises:
        ExportError: The model cannot be written as ONNX.
    """
    portable = portable_model(model)
    try:
        size = metadata.image_size
        graph = _traced(model, size) if portable is None else onnx_model(portable, size)
    except ValueError as error:
        raise ExportError(f"onnx: {error}") from None
    for key, text in metadata.as_texts().items():
        graph.metadata_props.add(key=key, value=text)
    onnx.save(graph, path)


def _traced(model: keras.Model, size: int) -> onnx.ModelProto:
    """Return a model as PyTorch's exporter writes it."""
    from stridednet.deploy.export.torch_format import exported_program, require_onnxscript

    require_onnxscript()
    import torch

    program = exported_program(model, size)
    try:
        with quiet():
            exported = torch.onnx.export(
                program, input_names=[INPUT_NAME], output_names=[OUTPUT_NAME], opset_version=OPSET, dynamo=True,
                dynamic_shapes=({0: BATCH},), verbose=False,
            )  # fmt: skip
    except Exception as error:  # noqa: BLE001 -- whatever a layer's tracing raises
        raise ExportError(f"onnx: PyTorch cannot export the model: {' '.join(str(error).split())[:300]}") from None
    if exported is None:
        raise ExportError("onnx: PyTorch cannot export the model")
    return exported.model_proto
