"""Compiles `operations.c` for this processor, once, and loads it. Without a compiler PyTorch computes everything."""

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from contextlib import suppress
from importlib import resources
from pathlib import Path

import torch  # noqa: F401  -- first, so that the kernels find its OpenMP, and share its threads

from stridednet.storage import cache_folder

_SOURCES = ("operations.c", "adam.h", "dropout.h", "normalization.h")
_FLAGS = ("-O3", "-std=c11", "-fno-math-errno", "-fno-trapping-math", "-fopenmp", "-shared", "-fPIC")
_PROCESSOR_FLAGS = {
    "x86_64": ("-march=native", "-mprefer-vector-width=512"),
    "aarch64": ("-mcpu=native",),
}
_SECONDS = 60.0  # more than a compiler needs that works

_Pointer, _Long, _Float = ctypes.c_void_p, ctypes.c_long, ctypes.c_float
_FORWARD = [_Pointer] * 3 + [_Long] * 2 + [_Pointer] * 6 + [_Float] * 5 + [ctypes.c_int]
_BACKWARD = [_Pointer] * 6 + [_Long] * 2 + [_Pointer] * 4 + [_Float] * 3
_ARGUMENTS = {
    "forward_float32": _FORWARD,
    "forward_bfloat16": _FORWARD,
    "backward_float32": _BACKWARD,
    "backward_bfloat16": _BACKWARD,
    "draw_mask": [_Pointer, _Long, ctypes.c_uint64, ctypes.c_int32],
    "adam": [_Long] + [_Pointer] * 10 + [_Float] * 4,
}


@functools.cache
def library() -> ctypes.CDLL | None:
    """Return the compiled kernels, or None where they cannot be had.

    The compiler is ``CC``, as for other programs, or else ``cc``; ``CC=false`` goes without. What it makes is kept in
    the cache, for each kind of processor.
    """
    compiler = shutil.which(os.environ.get("CC") or "cc")
    if compiler is None:
        return None
    folder = resources.files(__package__)
    sources = {name: (folder / name).read_bytes() for name in _SOURCES}
    command = [compiler, *_FLAGS, *_PROCESSOR_FLAGS.get(platform.machine(), ())]
    key = hashlib.sha256(repr((command, sources, _processor())).encode()).hexdigest()[:24]
    try:
        kept = cache_folder() / "kernels" / f"{key}.so"
        if not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            _compile(command, sources, kept)
        return _loaded(kept)
    except (OSError, subprocess.SubprocessError):
        return None


def _compile(command: list[str], sources: dict[str, bytes], target: Path) -> None:
    """Compile beside the target, then rename: several processes may do so at once."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="making-") as made:
        for name, source in sources.items():
            (Path(made) / name).write_bytes(source)
        subprocess.run(  # noqa: S603  -- the user's own compiler on our own source
            [*command, "-o", "kernels.so", "operations.c", "-lm"],
            cwd=made,
            check=True,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_SECONDS,
        )
        (Path(made) / "kernels.so").replace(target)


def _loaded(file: Path) -> ctypes.CDLL:
    loaded = ctypes.CDLL(str(file))
    for name, arguments in _ARGUMENTS.items():
        getattr(loaded, name).argtypes = arguments
    loaded.draw_mask.restype = None
    loaded.adam.restype = ctypes.c_double
    return loaded


def _processor() -> str:
    """Return what the processor can do, as far as the system tells: caches may be shared between machines."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("flags", "Features")):
                return line
    return platform.processor()
