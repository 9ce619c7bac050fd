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
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import torch  # imported before the library is loaded, so that both use the same OpenMP runtime and its threads

from stridednet.errors import StorageError
from stridednet.storage import cache_folder, check_writable

Library = ctypes.CDLL

_SOURCES = ("operations.c", "adam.h", "dropout.h", "normalization.h")
_FLAGS = ("-O3", "-std=c11", "-fno-math-errno", "-fno-trapping-math", "-fopenmp", "-shared", "-fPIC")
_PROCESSOR_FLAGS = {
    "x86_64": ("-march=native", "-mprefer-vector-width=512"),
    "aarch64": ("-mcpu=native",),
}
_SECONDS = 60.0  # a compiler that takes longer does not work
_DISABLED = "false"  # the value of CC that turns compiled functions off

# int64 and not `long`, which has 32 bits on Windows.
_Pointer, _Count, _Float = ctypes.c_void_p, ctypes.c_int64, ctypes.c_float
_FORWARD = [_Pointer] * 3 + [_Count] * 2 + [_Pointer] * 6 + [_Float] * 5 + [ctypes.c_int]
_BACKWARD = [_Pointer] * 6 + [_Count] * 2 + [_Pointer] * 4 + [_Float] * 3
_ARGUMENTS = {
    "forward_float32": _FORWARD,
    "forward_bfloat16": _FORWARD,
    "backward_float32": _BACKWARD,
    "backward_bfloat16": _BACKWARD,
    "draw_mask": [_Pointer, _Count, ctypes.c_uint64, ctypes.c_int32],
    "adam": [_Count] + [_Pointer] * 10 + [_Float] * 4,
}


@dataclass(frozen=True)
class Loaded:
    """The compiled functions, or None with the reason why a compiler that is there did not give them."""

    library: Library | None
    problem: str = ""


@functools.cache
def load_library() -> Loaded:
    """Return the compiled functions, compiling them if need be.

    The compiler is ``CC``, as for other programs, or else ``cc``; ``CC=false`` turns compiled functions off. The result
    is kept in the cache, for each kind of processor. If the cache cannot be written, each process compiles them anew.
    """
    chosen = os.environ.get("CC") or "cc"
    compiler = shutil.which(chosen)
    if compiler is None or chosen == _DISABLED:
        return Loaded(None)
    folder = resources.files(__package__)
    sources = {name: (folder / name).read_bytes() for name in _SOURCES}
    command = [compiler, *_FLAGS, *_PROCESSOR_FLAGS.get(platform.machine(), ())]
    key = hashlib.sha256(repr((command, sources, _processor())).encode()).hexdigest()[:24]
    try:
        kept = _kept(f"{key}.so")
        if kept is None:
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
                made = Path(place, f"{key}.so")
                _compile(command, sources, made)
                return Loaded(_loaded(made))  # it stays loaded when the file is deleted
        if not kept.exists():
            _compile(command, sources, kept)
        return Loaded(_loaded(kept))
    except (OSError, subprocess.SubprocessError) as error:
        return Loaded(None, f"compiling with {chosen} failed, so PyTorch computes everything: {_reason(error)}")


def address(tensor: torch.Tensor, dtype: torch.dtype, shape: tuple[int, ...]) -> int:
    """Return the address of a tensor's memory for a C function, which takes type, shape and layout for granted.

    Raises:
        TypeError: The tensor has another type or shape, is not contiguous, or is not on the CPU: an error in the
            calling code.
    """
    if tensor.dtype is not dtype or tensor.shape != shape or tensor.device.type != "cpu" or not tensor.is_contiguous():
        raise TypeError(
            f"compiled code needs a contiguous {dtype} tensor of shape {tuple(shape)} on the CPU. Received: "
            f"{tensor.dtype}, {tuple(tensor.shape)}, strides {tensor.stride()}, {tensor.device}"
        )
    return tensor.data_ptr()


def _kept(name: str) -> Path | None:
    """Return where a compiled library is kept in the cache, or None if it is not there and cannot be written."""
    try:
        kept = cache_folder() / "compiled" / name
        if not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            check_writable(kept.parent, "")
    except (OSError, StorageError):
        return None
    return kept


def _compile(command: list[str], sources: dict[str, bytes], target: Path) -> None:
    """Compile next to the target, then rename: several processes may do so at once."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="making-") as made:
        for name, source in sources.items():
            (Path(made) / name).write_bytes(source)
        subprocess.run(  # noqa: S603  -- the user's own compiler on our own source
            [*command, "-o", "operations.so", "operations.c", "-lm"],
            cwd=made,
            check=True,
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=_SECONDS,
        )
        (Path(made) / "operations.so").replace(target)


def _reason(error: Exception) -> str:
    """Return what went wrong, in one line."""
    if isinstance(error, subprocess.CalledProcessError):
        lines = [line.strip() for line in str(error.stderr).splitlines() if line.strip()]
        first = next((line for line in lines if "error" in line), lines[0] if lines else "no message")
        return f"exit status {error.returncode}, {first[:200]}"
    if isinstance(error, subprocess.TimeoutExpired):
        return f"it took more than {_SECONDS:.0f} s"
    return " ".join(str(error).split())


def _loaded(file: Path) -> Library:
    loaded = ctypes.CDLL(str(file))
    for name, arguments in _ARGUMENTS.items():
        getattr(loaded, name).argtypes = arguments
    loaded.draw_mask.restype = None
    loaded.adam.restype = ctypes.c_double
    return loaded


def _processor() -> str:
    """Return the processor's features as far as the system tells: machines may share a cache."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("flags", "Features")):
                return line
    return platform.processor()
