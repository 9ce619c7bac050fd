"""Write a run as OpenVINO IR: an ``.xml`` file of the graph and a ``.bin`` file of the weights."""

import tempfile
from pathlib import Path

import keras

from stridednet.deploy.export.metadata import Metadata
from stridednet.deploy.export.onnx_format import write_onnx
from stridednet.deploy.export.runtimes import import_openvino


def write_openvino(model: keras.Model, metadata: Metadata, path: Path) -> None:
    """Write a model as OpenVINO IR in float32, from the ONNX file of the same model.

    Args:
        model: The model of a run.
        metadata: What the file says of itself; in ``rt_info``.
        path: The ``.xml`` file; the ``.bin`` file is beside it.

    Raises:
        ExportError: The model cannot be written as ONNX.
    """
    openvino = import_openvino()
    with tempfile.TemporaryDirectory() as temporary:
        onnx = Path(temporary, "model.onnx")
        write_onnx(model, metadata, onnx)
        converted = openvino.Core().read_model(onnx)
        for key, text in metadata.as_texts().items():
            converted.set_rt_info(text, ["model_info", key])
        openvino.save_model(converted, path, compress_to_fp16=False)
