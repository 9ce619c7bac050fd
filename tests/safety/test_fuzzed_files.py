"""Damaged files of every kind: each is read, or refused with an error of the package in one line."""

import io
import shutil
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from bounded_reader import opened
from hostile_models import members_of, plain_model, write_members
from hostile_runs import copy_with, write_finished, write_unfinished
from mutants import COUNT, mutants

from stridednet.recipe import Recipe
from tiny_pictures import noise

_LIMIT = 1024  # MiB

_PLAN = """
claim = "A wider window is better"
parameter = "kernel_size"
recipe = "tutorial"
seeds = 3

[base]
model.name = "stridednet"
epochs = 1

[vary]
model.stem_kernel = [3, 5, 7]

[expect]
"model.stem_kernel=5" = "higher"
"""


def _in_model(member: str) -> Callable[[Path], None]:
    """Damage a member of a ``.keras`` file, whose checksum is that of the damaged member."""

    def write(folder: Path) -> None:
        members = members_of(plain_model())
        for number, content in enumerate(mutants(members[member], member)):
            write_members(folder / f"{number:03}.keras", members | {member: content})

    return write


def _in_run(name: str) -> Callable[[Path], None]:
    """Damage a file of a run whose report has no hashes."""

    def write(folder: Path) -> None:
        run = write_finished(folder.parent / "run", with_hashes=False)
        for number, content in enumerate(mutants((run / name).read_bytes(), name)):
            copy_with(run, folder / f"{number:03}", name, content)

    return write


def _description(folder: Path) -> None:
    """Damage the steps in ``predict.npz``, whose checksums are those of the damaged text."""
    run = write_finished(folder.parent / "run", with_hashes=False)
    with np.load(run / "predict.npz") as arrays:
        parts = dict(arrays)
    for number, content in enumerate(mutants(str(parts["description"]).encode(), "description")):
        file = io.BytesIO()
        text = np.array(content.decode("utf-8", "replace").replace("\0", "0"))
        np.savez(file, **(parts | {"description": text}))
        copy_with(run, folder / f"{number:03}", "predict.npz", file.getvalue())


def _checkpoints(folder: Path) -> None:
    run = write_unfinished(folder.parent / "run")
    name = "checkpoint/state.npz"
    for number, content in enumerate(mutants((run / name).read_bytes(), name)):
        copy_with(run, folder / f"{number:03}", name, content)


def _files(suffix: str, content: Callable[[], bytes]) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        for number, changed in enumerate(mutants(content(), suffix)):
            (folder / f"{number:03}{suffix}").write_bytes(changed)

    return write


def _pictures() -> list[tuple[str, bytes]]:
    return [(f"{label}/{number}.png", _picture("PNG")) for label in ("cat", "dog") for number in range(2)]


def _zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in _pictures():
            archive.writestr(name, content)
    return file.getvalue()


def _tar(mode: str) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in _pictures():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


def _picture(kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    noise(0, 24, 24).save(file, kind, **options)
    return file.getvalue()


KINDS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "model": ("model", _files(".keras", plain_model)),
    "config.json": ("model", _in_model("config.json")),
    "model.weights.h5": ("model", _in_model("model.weights.h5")),
    "predict.npz": ("portable", _in_run("predict.npz")),
    "steps of predict.npz": ("portable", _description),
    "report.json": ("run", _in_run("report.json")),
    "split.csv": ("run", _in_run("split.csv")),
    "history.csv": ("run", _in_run("history.csv")),
    "labels.txt": ("run", _in_run("labels.txt")),
    "recipe of a run": ("run", _in_run("recipe.toml")),
    "checkpoint": ("checkpoint", _checkpoints),
    "recipe": ("recipe", _files(".toml", lambda: Recipe().to_toml().encode())),
    "plan": ("plan", _files(".toml", _PLAN.encode)),
    "zip": ("archive", _files(".zip", _zip)),
    "tar": ("archive", _files(".tar", lambda: _tar("w"))),
    "tar.gz": ("archive", _files(".tar.gz", lambda: _tar("w:gz"))),
    "JPEG": ("picture", _files(".jpg", lambda: _picture("JPEG"))),
    "PNG": ("picture", _files(".png", lambda: _picture("PNG"))),
    "WebP": ("picture", _files(".webp", lambda: _picture("WEBP", lossless=True))),
    "GIF": ("picture", _files(".gif", lambda: _picture("GIF"))),
    "BMP": ("picture", _files(".bmp", lambda: _picture("BMP"))),
    "TIFF": ("picture", _files(".tiff", lambda: _picture("TIFF", compression="tiff_lzw"))),
}


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files_are_read_or_refused(kind: str, tmp_path: Path) -> None:
    reader, write = KINDS[kind]
    folder = tmp_path / "files"
    folder.mkdir()
    write(folder)
    results = opened(reader, folder, _LIMIT)
    assert len(results) == COUNT
    strange = [result for result in results if result.error and (not result.is_ours or "\n" in result.message)]
    assert not strange, Counter((result.error, result.message[-300:]) for result in strange)
    assert max(result.grown for result in results) < _LIMIT
    assert any(result.error for result in results), "nothing was damaged"
    print(
        f"{kind}: {max(result.seconds for result in results):.3f} s and {max(r.grown for r in results):.0f} MiB at most"
    )
    shutil.rmtree(folder)
