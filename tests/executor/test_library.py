import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pytest

from stridednet.executor.compiled import library as library_module
from stridednet.executor.compiled.library import Loaded, load_library

# Each call looks anew, as a process of its own would.
find = load_library.__wrapped__


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STRIDEDNET_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_it_is_compiled_once(empty_cache: Path) -> None:
    if load_library().library is None:
        pytest.skip("no C compiler")
    assert find().library is not None
    made = list((empty_cache / "compiled").iterdir())
    assert [file.suffix for file in made] == [".so"]
    before = made[0].stat().st_mtime_ns
    assert find().library is not None
    assert [file.stat().st_mtime_ns for file in (empty_cache / "compiled").iterdir()] == [before]


def test_the_compiler_has_nothing_to_say(tmp_path: Path) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    source = Path(library_module.__file__).with_name("operations.c")
    command = [compiler, *library_module._FLAGS, "-Wall", "-Wextra", "-Wpedantic", "-o", tmp_path / "made.so", source]
    done = subprocess.run([*command, "-lm"], capture_output=True, text=True, check=True)
    assert done.stderr == ""


@pytest.mark.parametrize("compiler", ["false", "no-such-compiler"])
def test_without_a_compiler_there_is_none(empty_cache: Path, monkeypatch: pytest.MonkeyPatch, compiler: str) -> None:
    monkeypatch.setenv("CC", compiler)
    assert find() == Loaded(None)
    assert not list(empty_cache.rglob("*.so"))


def test_a_compiler_that_fails_is_reported(empty_cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    compiler = tmp_path / "broken-cc"
    compiler.write_text("#!/bin/sh\necho 'note: hello' >&2\necho 'x.c:1: fatal error: no memory' >&2\nexit 3\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("CC", str(compiler))
    loaded = find()
    assert loaded.library is None
    reason = "exit status 3, x.c:1: fatal error: no memory"
    assert loaded.problem == f"compiling with {compiler} failed, so PyTorch computes everything: {reason}"
    assert not list(empty_cache.rglob("*.so"))


@pytest.mark.parametrize("place", ["a file/cache", "/proc/stridednet"])  # not writable for root either
def test_without_a_cache_it_is_compiled_in_a_temporary_folder(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if load_library().library is None:
        pytest.skip("no C compiler")
    (tmp_path / "a file").touch()
    (temporary := tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setenv("STRIDEDNET_CACHE", str(tmp_path / place))
    loaded = find()
    assert (loaded.library is not None, loaded.problem) == (True, "")
    mask = np.zeros(1000, np.uint8)  # the functions work, though the file has been deleted
    loaded.library.draw_mask(mask.ctypes.data, mask.size, 7, 1 << 15)
    assert 400 < np.count_nonzero(mask) < 600
    assert list(temporary.iterdir()) == []


def test_a_damaged_library_is_no_error(empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if find().library is None:
        pytest.skip("no C compiler")
    (made,) = (empty_cache / "compiled").iterdir()
    damaged = tmp_path / "other" / "compiled" / made.name  # another place: what is loaded already stays loaded
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(made.read_bytes()[:100])
    monkeypatch.setenv("STRIDEDNET_CACHE", str(tmp_path / "other"))
    assert find().library is None
