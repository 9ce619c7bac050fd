"""The number format in which a device computes convolutions fastest."""

import time

import torch
import torch.nn.functional as nn

from stridednet.settings import ConcretePrecision

_WORTHWHILE = 0.8  # share of float32's time below which bfloat16's extra copies and lower precision pay off


def fastest_precision(device: torch.device) -> ConcretePrecision:
    """Return the precision in which a device computes convolutions fastest.

    A CPU with AMX multiplies bfloat16 matrices in hardware; one without AVX-512 BF16 emulates them. CPUs in between
    differ: oneDNN's bfloat16 convolutions are slower than its float32 ones on an Intel Xeon whose AMX is hidden from
    the process, as a virtual machine may do. For those, one convolution is timed in both, in less than 0.1 s.
    """
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    able: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()  # missing in older versions of PyTorch
    if able.get("amx_bf16"):
        return "bfloat16"
    return _measured() if able.get("avx512_bf16") else "float32"


def _measured() -> ConcretePrecision:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # on a busy machine, two threads that wait for each other would distort the timing
    try:
        turns = [(_convolution_seconds(torch.float32), _convolution_seconds(torch.bfloat16)) for _ in range(5)]
    finally:
        torch.set_num_threads(threads)
    float32, bfloat16 = (min(times) for times in zip(*turns, strict=True))  # the first turns include one-time setup
    return "bfloat16" if bfloat16 < _WORTHWHILE * float32 else "float32"


def _convolution_seconds(dtype: torch.dtype) -> float:
    """Time one convolution of StridedNet's second stage, forward and backward, on a few images."""
    images = torch.ones(4, 64, 23, 23, dtype=dtype).contiguous(memory_format=torch.channels_last).requires_grad_()
    filters = torch.ones(64, 64, 3, 3, dtype=dtype).contiguous(memory_format=torch.channels_last).requires_grad_()
    gradient = torch.ones_like(images)
    started = time.perf_counter()
    torch.autograd.backward(nn.conv2d(images, filters, padding=1), gradient)
    return time.perf_counter() - started
