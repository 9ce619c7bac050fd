"""Compute an exported file in its own runtime. Run as a module, it is the process in which an export is verified.

It needs neither Keras nor, except for ``.pt2`` files, PyTorch.
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Probabilities = NDArray[np.float32]
Compute = Callable[[Pixels], Probabilities]  # images (n, height, width, 3) -> (n, classes)


def open_onnx(path: Path, threads: int | None = None) -> Compute:
    """Open a file in ONNX Runtime, on the CPU.

    Args:
        path: The file.
        threads: Number of threads; None for the runtime's choice, as in the other functions.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    if threads is not None:
        options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    (given,), (returned,) = session.get_inputs(), session.get_outputs()
    return lambda images: np.asarray(session.run([returned.name], {given.name: images})[0])


def open_openvino(path: Path, threads: int | None = None) -> Compute:
    """Open a file in OpenVINO, on the CPU, in float32: by default, it computes in bfloat16 where the CPU can."""
    openvino = import_openvino()
    settings: dict[str, Any] = {"INFERENCE_PRECISION_HINT": "f32"}
    if threads is not None:
        settings["INFERENCE_NUM_THREADS"] = threads
    compiled = openvino.Core().compile_model(path, "CPU", settings)
    return lambda images: np.array(compiled(images)[0])


def import_openvino() -> Any:
    """Return the package of OpenVINO, imported without sending usage data to Google Analytics, its default."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None: it cannot be imported
    import openvino

    return openvino


def open_litert(path: Path, threads: int | None = None) -> Compute:
    """Open a file in LiteRT; its batch is fixed to 1, so that images are computed one after another."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=threads)
    interpreter.allocate_tensors()
    (given,), (returned,) = interpreter.get_input_details(), interpreter.get_output_details()

    def compute(images: Pixels) -> Probabilities:
        results = []
        for image in images:
            interpreter.set_tensor(given["index"], image[None])
            interpreter.invoke()
            results.append(interpreter.get_tensor(returned["index"]))
        return np.concatenate(results)

    return compute


def open_torch(path: Path, threads: int | None = None) -> Compute:
    """Open a ``.pt2`` file in PyTorch."""
    import torch

    if threads is not None:
        torch.set_num_threads(threads)
    module = torch.export.load(path).module()

    def compute(images: Pixels) -> Probabilities:
        with torch.inference_mode():
            return np.asarray(module(torch.from_numpy(images)).numpy())

    return compute


RUNTIMES: dict[str, Callable[[Path, int | None], Compute]] = {
    "onnx": open_onnx,
    "openvino": open_openvino,
    "litert": open_litert,
    "torch": open_torch,
}


def compute_file(name: str, path: Path, images: Pixels, batches: Sequence[int]) -> list[Probabilities]:
    """Return the probabilities of all images, once for each batch size.

    Args:
        name: The format, a key of `RUNTIMES`.
        path: The file.
        images: ``(n, height, width, 3)``.
        batches: The batch sizes; the last batch of each has what remains.
    """
    compute = RUNTIMES[name](path, None)
    return [
        np.concatenate([compute(images[start : start + size]) for start in range(0, len(images), size)])
        for size in batches
    ]


def _main(name: str, path: str, given: str, results: str, batches: str) -> None:
    sizes = [int(size) for size in batches.split(",")]
    probabilities = compute_file(name, Path(path), np.load(given), sizes)
    present = [module for module in ("keras", "torch") if module in sys.modules]
    np.savez(results, *probabilities, imported=np.array(present, str))


if __name__ == "__main__":
    _main(*sys.argv[1:])
