"""Which number format a network computes in: what the recipe says, or what is fastest here."""

import time

import keras
import torch
import torch.nn.functional as nn

from stridednet.settings import Precision

_WORTHWHILE = 0.8  # of float32's time; below that the copies of the weights, and eight bits of every number, pay off


def concrete_precision(precision: Precision) -> Precision:
    """Return the precision that ``auto`` means here: the one in which Keras' device computes convolutions fastest.

    A processor with AMX multiplies matrices of bfloat16, and one without AVX-512 BF16 has to emulate it. What lies
    between differs: oneDNN's bfloat16 convolutions take longer than its float32 ones on an Intel Xeon whose AMX is
    hidden from the process, as a virtual machine may do. So there it is measured, in some hundredths of a second.
    """
    if precision != "auto":
        return precision
    if keras.ops.zeros(()).device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    able: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()  # older PyTorch cannot tell
    if able.get("amx_bf16"):
        return "bfloat16"
    return _measured() if able.get("avx512_bf16") else "float32"


def _measured() -> Precision:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # two that wait for each other on a busy machine would measure something else
    try:
        turns = [(_convolution_seconds(torch.float32), _convolution_seconds(torch.bfloat16)) for _ in range(5)]
    finally:
        torch.set_num_threads(threads)
    float32, bfloat16 = (min(times) for times in zip(*turns, strict=True))  # the first ones prepare the kernels
    return "bfloat16" if bfloat16 < _WORTHWHILE * float32 else "float32"


def _convolution_seconds(dtype: torch.dtype) -> float:
    """Time one convolution of StridedNet's second stage, forward and backward, on a few images."""
    images = torch.ones(4, 64, 23, 23, dtype=dtype).contiguous(memory_format=torch.channels_last).requires_grad_()
    filters = torch.ones(64, 64, 3, 3, dtype=dtype).contiguous(memory_format=torch.channels_last).requires_grad_()
    gradient = torch.ones_like(images)
    started = time.perf_counter()
    torch.autograd.backward(nn.conv2d(images, filters, padding=1), gradient)
    return time.perf_counter() - started
