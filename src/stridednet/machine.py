"""The machine: the CPU cores available to this process, and the hardware and versions that reports name."""

import math
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
    """Return the number of CPU cores that this process may run on, or the CPU quota of its container if that is less.

    A quota of 1.5 cores counts as two: a core that is idle half of the time loses less than one that is not used.
    """
    cores = len(cores_of_this_process())
    quota = cpu_quota()
    return cores if quota is None else min(cores, math.ceil(quota))


def cpu_quota(groups: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")) -> float | None:
    """Return the number of cores whose CPU time the control groups of this process allow, or None without a limit.

    joblib and psutil read the limit of the outermost group only, or none.

    Args:
        groups: Where the control groups are mounted, version 1 or 2.
        membership: The file that lists the groups of this process.
    """
    try:
        lines = membership.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:  # not Linux
        return None
    limits = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        root = groups / "cpu" if controllers else groups
        group = root / path.lstrip("/")  # in a container, a group that is not visible: its parents then
        limits += [_quota_of(folder) for folder in (group, *group.parents) if folder.is_relative_to(root)]
    return min((limit for limit in limits if limit is not None), default=None)


def _quota_of(group: Path) -> float | None:
    try:
        if (group / "cpu.max").is_file():
            quota, period = (group / "cpu.max").read_text().split()
        else:
            quota, period = ((group / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        return int(quota) / int(period) if int(quota) > 0 else None
    except (OSError, ValueError, ZeroDivisionError):  # no limit ("max"), or no such controller
        return None


def take_cores(numbers: Iterable[int]) -> None:
    """Restrict this process to some of the CPU cores."""
    _taken[:] = numbers
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, _taken)


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
