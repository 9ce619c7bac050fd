"""Static quantization of an ONNX file to int8, by ONNX Runtime."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from stridednet.deploy.export.onnx_graph import INPUT_NAME
from stridednet.deploy.export.quiet import quiet

_CALIBRATION_IMAGES = 512
_BATCH_SIZE = 32


def spread(count: int) -> NDArray[np.intp]:
    """Return which of some training images are used for the calibration: at most 512, evenly spread over the classes.

    >>> spread(3).tolist(), len(spread(10_000))
    ([0, 1, 2], 512)
    """
    return np.unique(np.linspace(0, count - 1, min(count, _CALIBRATION_IMAGES)).round().astype(np.intp))


def quantize_int8(source: Path, images: NDArray[np.uint8], target: Path) -> None:
    """Write an ONNX file with weights of int8, one scale per filter, and activations of uint8.

    The range of each activation is that of the calibration images.

    Args:
        source: The ONNX file in float32.
        images: Training images for the calibration, ``(n, height, width, 3)``.
        target: The file to write; it has the metadata of ``source``.
    """
    from onnxruntime.quantization import (
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quant_pre_process,
        quantize_static,
    )

    class Batches(CalibrationDataReader):  # type: ignore[misc]  # ONNX Runtime has no types
        def __init__(self) -> None:
            starts = range(0, len(images), _BATCH_SIZE)
            self._batches: Iterator[NDArray[np.uint8]] = (images[start : start + _BATCH_SIZE] for start in starts)

        def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
            batch = next(self._batches, None)
            return None if batch is None else {INPUT_NAME: batch}

    with tempfile.TemporaryDirectory() as temporary, quiet():
        prepared = Path(temporary, "prepared.onnx")
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            target,
            Batches(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )
    quantized, kept = onnx.load(target), onnx.load(source).metadata_props
    present = {item.key for item in quantized.metadata_props}
    for item in kept:
        if item.key not in present:
            quantized.metadata_props.add(key=item.key, value=item.value)
    onnx.save(quantized, target)
