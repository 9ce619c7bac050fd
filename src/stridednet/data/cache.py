"""The decoded pictures of a manifest, as one memory-mapped array in the cache, keyed by content.

The key covers the bytes of every file, the image size and the decoders' versions: a changed picture is decoded again,
a moved or renamed data set is not.
"""

import hashlib
import json
import logging
import os
import shutil
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
import PIL
from numpy.typing import NDArray

from stridednet.data.decode import Pixels, UnusablePictureError, decode
from stridednet.data.manifest import Manifest, Picture, Problem
from stridednet.errors import StorageError
from stridednet.machine import usable_cores
from stridednet.storage import cache_folder, folder_made_whole

MAX_CACHE_BYTES = 4 * 2**30
_DECODER = f"2 pillow-{PIL.__version__} opencv-{cv2.__version__}"  # increment when decode.py changes
_ABANDONED_AFTER = 24 * 3600.0  # seconds
_PER_TASK = 32  # pictures; a worker keeps one at a time in memory
T = TypeVar("T")


@dataclass(frozen=True)
class Pictures:
    """Decoded pictures.

    ``images`` has the shape ``(n, size, size, 3)``, RGB, uint8, and may be memory-mapped. ``images[stored[i]]`` is
    ``manifest.pictures[i]``, whose file has the SHA-256 ``digests[i]``. Files that could not be decoded are among the
    manifest's problems.
    """

    manifest: Manifest
    images: Pixels
    stored: NDArray[np.intp]
    digests: tuple[str, ...]
    from_cache: bool


def load_pictures(manifest: Manifest, size: int, *, use_cache: bool = True) -> Pictures:
    """Load the pictures of a manifest from the cache, or decode them on all cores.

    Memory use is bounded: each core decodes one picture at a time into a memory-mapped file. If the cache is not
    writable, the images are kept in memory.

    Args:
        manifest: The pictures, as returned by `scan`.
        size: Height and width of the images, in pixels.
        use_cache: Whether to use the cache; False decodes all pictures and keeps them in memory.

    Raises:
        DataError: A picture has too many pixels.
    """
    digests = _digests(manifest.pictures)
    reasons: dict[int, str] = {}
    images: Pixels
    from_cache = False
    if use_cache:
        folder = cache_folder() / "decoded" / _key(digests, size)
        from_cache = folder.is_dir()
        try:
            if not from_cache:
                _decode_into(folder, manifest.pictures, size)
            images, reasons = _read_entry(folder)
        except (StorageError, OSError):
            use_cache = False
        except ValueError:  # corrupt, for example after a power failure
            shutil.rmtree(folder, ignore_errors=True)
            return load_pictures(manifest, size, use_cache=not folder.exists())
    if not use_cache:
        images = np.empty((len(digests), size, size, 3), np.uint8)
        reasons = _decode_all(manifest.pictures, size, images)
    problems = [Problem(manifest.pictures[row].path, why) for row, why in sorted(reasons.items())]
    stored = np.array([row for row in range(len(digests)) if row not in reasons], np.intp)
    return Pictures(manifest.without(problems), images, stored, tuple(digests[row] for row in stored), from_cache)


def _read_entry(folder: Path) -> tuple[Pixels, dict[int, str]]:
    images = np.load(folder / "images.npy", mmap_mode="r")
    reasons = {int(row): why for row, why in json.loads((folder / "problems.json").read_text()).items()}
    with suppress(OSError):  # a cache owned by another user is still readable
        os.utime(folder)
    return images, reasons


def _decode_into(folder: Path, pictures: Sequence[Picture], size: int) -> None:
    with folder_made_whole(folder) as temporary:
        images = np.lib.format.open_memmap(
            temporary / "images.npy", mode="w+", dtype=np.uint8, shape=(len(pictures), size, size, 3)
        )
        with (temporary / "images.npy").open("r+b") as file:
            if hasattr(os, "posix_fallocate"):  # writing to a mapped file on a full disk kills the process
                os.posix_fallocate(file.fileno(), 0, os.fstat(file.fileno()).st_size)
        reasons = _decode_all(pictures, size, images)
        images.flush()
        (temporary / "problems.json").write_text(json.dumps(reasons))
    _evict(folder.parent, keep=folder)


def _decode_all(pictures: Sequence[Picture], size: int, images: Pixels) -> dict[int, str]:
    def work(start: int) -> dict[int, str]:
        reasons = {}
        for row in range(start, min(start + _PER_TASK, len(pictures))):
            try:
                images[row] = decode(pictures[row].path, size)
            except UnusablePictureError as error:
                images[row] = 0
                reasons[row] = str(error)
        return reasons

    with _quiet_decoders():
        return {row: why for part in _on_all_cores(work, len(pictures)) for row, why in part.items()}


def _digests(pictures: Sequence[Picture]) -> list[str]:
    def work(start: int) -> list[str]:
        digests = []
        for picture in pictures[start : start + _PER_TASK]:
            try:
                with picture.path.open("rb") as file:
                    digests.append(hashlib.file_digest(file, "sha256").hexdigest())
            except OSError as error:  # reported when it is decoded
                digests.append(f"unreadable: {error.strerror}")
        return digests

    return [digest for part in _on_all_cores(work, len(pictures)) for digest in part]


def _on_all_cores(work: Callable[[int], T], count: int) -> Iterator[T]:
    with ThreadPoolExecutor(usable_cores()) as pool:
        try:
            yield from pool.map(work, range(0, count, _PER_TASK))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


@contextmanager
def _quiet_decoders() -> Iterator[None]:
    """Silence the decoders' warnings about invalid metadata and bytes.

    They do not name the file, and unreadable files are reported by name anyway. libjpeg writes directly to the
    standard error of the process, which is therefore redirected.
    """
    log = logging.getLogger("PIL")
    level = log.level
    log.setLevel(logging.CRITICAL)
    screen = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"PIL\.")
            yield
    finally:
        log.setLevel(level)
        os.dup2(screen, 2)
        os.close(screen)


def _key(digests: Sequence[str], size: int) -> str:
    return hashlib.sha256("\n".join([_DECODER, str(size), *digests]).encode()).hexdigest()[:32]


def _evict(cache: Path, keep: Path) -> None:
    """Remove the least recently used entries until the cache is small enough."""
    entries = []
    for entry in cache.iterdir():
        if not entry.name.startswith("."):
            entries.append(entry)
        elif time.time() - entry.stat().st_mtime > _ABANDONED_AFTER:  # left by a killed process
            shutil.rmtree(entry, ignore_errors=True)
    total = 0
    for entry in sorted(entries, key=lambda entry: entry.stat().st_mtime, reverse=True):
        total += sum(file.stat().st_size for file in entry.iterdir())
        if total > MAX_CACHE_BYTES and entry != keep:
            shutil.rmtree(entry, ignore_errors=True)
