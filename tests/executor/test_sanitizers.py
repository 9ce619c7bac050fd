"""The compiled functions under AddressSanitizer and UndefinedBehaviorSanitizer, over odd shapes and addresses."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stridednet.executor.compiled import library as library_module

SOURCES = Path(library_module.__file__).parent
FLAGS = (
    "-O1",
    "-g",
    "-std=c11",
    "-fopenmp",
    "-shared",
    "-fPIC",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover",
)


def _runtime(compiler: str, name: str) -> str:
    return subprocess.run(
        [compiler, f"-print-file-name={name}"], capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The library with checks, and what has to be loaded before Python."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("needs a C compiler with sanitizers on Linux")
    built = tmp_path_factory.mktemp("sanitized") / "operations.so"
    command = [compiler, *FLAGS, "-o", str(built), str(SOURCES / "operations.c"), "-lm"]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this C compiler has no sanitizers")
    return built, f"{_runtime(compiler, 'libasan.so')}:{_runtime(compiler, 'libubsan.so')}"


def _run(sanitized: tuple[Path, str], *command: str) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {
        "LD_PRELOAD": sanitized[1],
        "ASAN_OPTIONS": "detect_leaks=0",  # Python itself does not free everything
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "PYTHONMALLOC": "malloc",
        "OMP_NUM_THREADS": "2",
    }
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_no_function_leaves_its_buffers(sanitized: tuple[Path, str]) -> None:
    script = Path(__file__).with_name("sanitized.py")
    done = _run(sanitized, sys.executable, str(script), str(sanitized[0]), "0")
    assert (done.returncode, done.stdout) == (0, "clean\n"), done.stderr


def test_the_sanitizer_sees_a_buffer_that_is_too_small(sanitized: tuple[Path, str]) -> None:
    code = (
        f"import ctypes, numpy as np; library = ctypes.CDLL({str(sanitized[0])!r}); mask = np.empty(100, np.uint8)\n"
        "library.draw_mask(ctypes.c_void_p(mask.ctypes.data), ctypes.c_int64(101), ctypes.c_uint64(1), 9)"
    )
    done = _run(sanitized, sys.executable, "-c", code)
    assert done.returncode != 0
    assert "heap-buffer-overflow" in done.stderr
