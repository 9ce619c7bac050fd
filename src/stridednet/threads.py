"""The number of threads that compute, in a process of our own: fewer while other processes use the cores.

The threads of one operation wait for each other, so that a training loses most of its speed if one of them has to share
its core: of 1,350 images/s on two cores, 320 remained beside one busy process, but 750 with one thread less
(``benchmarks/beside_other_work.py``).
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from stridednet.allocator import keep_freed_memory
from stridednet.machine import cores_of_this_process, usable_cores

_INTERVAL = 0.5  # seconds; the kernel counts CPU time in hundredths
_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


class CpuTime(NamedTuple):
    """Seconds of CPU time since some point in the past.

    Args:
        used: Of all processes on the cores that this process may use, without those of lower priority.
        own: Of this process.
    """

    used: float
    own: float


class FreeCores:
    """How many cores other processes leave to this one; always all of them where the kernel does not tell (not Linux).

    Args:
        cores: The number of cores that this process may use.
        read: Returns the CPU time so far, or None if it is unknown.
        clock: Returns the elapsed time, in seconds.
    """

    def __init__(
        self, cores: int, read: Callable[[], CpuTime | None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._cores = cores
        self._read = read
        self._clock = clock
        self._since = clock()
        self._last = read()

    def now(self) -> int | None:
        """Return the number of free cores since the last call that returned one, or None if that is too recent."""
        elapsed = self._clock() - self._since
        if elapsed < _INTERVAL:
            return None
        before, self._last = self._last, self._read()
        self._since += elapsed
        if before is None or self._last is None:
            return self._cores
        others = (self._last.used - before.used) - (self._last.own - before.own)
        return max(1, min(self._cores, round(self._cores - others / elapsed)))


_free_cores: FreeCores | None = None  # in a process of our own whose number of threads is ours to choose


def claim_process() -> None:
    """Choose the threads of PyTorch and OpenCV in a process of our own; a user's process keeps its own settings.

    Memory that the process frees stays its own, too.

    PyTorch uses ``OMP_NUM_THREADS`` threads if the variable is set, which can make runs repeatable to the last bit;
    otherwise one for each core, and fewer after `share_cores` if other processes compute.
    """
    import cv2
    import torch

    keep_freed_memory()
    global _free_cores  # noqa: PLW0603  -- the threads of PyTorch and OpenCV are global, too
    wanted = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    fixed = int(wanted) if wanted.isascii() and wanted.isdigit() and int(wanted) > 0 else None
    torch.set_num_threads(fixed or usable_cores())
    _free_cores = None if fixed or usable_cores() == 1 else FreeCores(usable_cores(), cpu_time)
    cv2.setNumThreads(1)  # pictures are processed in parallel already, and while the network computes


def share_cores() -> int:
    """Adapt PyTorch's threads to the cores that other processes leave, at most twice a second.

    Returns:
        The number of threads. They are not changed unless `claim_process` was called.
    """
    import torch

    threads = torch.get_num_threads()
    free = None if _free_cores is None else _free_cores.now()
    if free is None or free == threads:
        return threads
    torch.set_num_threads(free)
    return free


def cpu_time() -> CpuTime | None:
    """Read the CPU time from ``/proc/stat``; None if there is no such file."""
    names = {f"cpu{core}" for core in cores_of_this_process()}
    # Processes of lower priority do not disturb: ours get the core when they need it. Columns: `man 5 proc_stat`.
    columns = (1, 2, 3, 6, 7) if os.nice(0) > 0 else (1, 3, 6, 7)  # user, nice, system, irq, softirq
    try:
        lines = Path("/proc/stat").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    rows = [fields for fields in map(str.split, lines) if fields and fields[0] in names]
    used = sum(int(row[column]) for row in rows for column in columns) / _TICKS
    return CpuTime(used, time.process_time())
