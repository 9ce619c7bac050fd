"""The machine: the CPU cores available to this process, and the hardware and versions that reports name."""

import os
import platform
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

_taken: list[int] = []  # the cores to use on systems that cannot set a process's CPU affinity


def cores_of_this_process() -> list[int]:
    """Return the numbers of the CPU cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):  # Linux; respects taskset and container CPU sets
        return sorted(os.sched_getaffinity(0))
    return _taken or list(range(os.cpu_count() or 1))


def usable_cores() -> int:
    """Return the number of CPU cores that this process may run on."""
    return len(cores_of_this_process())


def take_cores(numbers: Iterable[int]) -> None:
    """Restrict this process to some of the CPU cores."""
    _taken[:] = numbers
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, _taken)


def claim_process() -> None:
    """Set PyTorch's and OpenCV's threads for a process of our own; a user's process keeps its own settings."""
    import cv2
    import torch

    torch.set_num_threads(usable_cores())
    cv2.setNumThreads(1)  # pictures are processed in parallel already, and while the network computes


def device(kind: str = "cpu") -> dict[str, str | int]:
    """Describe the device that computes.

    Args:
        kind: ``cpu`` or ``cuda``.
    """
    name = _cpu_name()
    if kind == "cuda":
        import torch

        name = torch.cuda.get_device_name()
    return {"kind": kind, "name": name, "cores": usable_cores(), "system": platform.system()}


def versions() -> dict[str, str]:
    """Return the versions of Python and the packages that results depend on."""
    packages = ("stridednet", "keras", "torch", "numpy", "opencv-python-headless", "pillow", "scikit-learn")
    return {"python": platform.python_version()} | {package: version(package) for package in packages}


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
