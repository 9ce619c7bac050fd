"""What this machine is: the cores that the process may use, and what a result's fine print names."""

import os
import platform
from importlib.metadata import version
from pathlib import Path


def usable_cores() -> int:
    """Return the number of cores that the operating system lets this process run on."""
    if hasattr(os, "sched_getaffinity"):  # Linux; honours taskset and container CPU sets
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def device() -> dict[str, str | int]:
    """Describe the processor."""
    return {"kind": "cpu", "name": _cpu_name(), "cores": usable_cores(), "system": platform.system()}


def versions() -> dict[str, str]:
    """Return the versions of what a result depends on."""
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
