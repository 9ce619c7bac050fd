"""The decoded pictures of a manifest, as one memory-mapped array in the cache, keyed by content.

The key covers the bytes of every file, the size and shape of the images and the decoders' versions: a changed picture
is decoded again, a moved or renamed data set is not.
"""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
import PIL
from numpy.typing import NDArray

from stridednet.data.copies import FINGERPRINT_LENGTH, fingerprint
from stridednet.data.decode import (
    Pixels,
    UnusablePictureError,
    read_content,
    read_picture,
    read_samples,
    reduction,
    resize,
)
from stridednet.data.manifest import Manifest, Picture, Problem
from stridednet.data.quiet import quiet_decoders
from stridednet.data.samples import Kind, Ranges, SampleRange, extremes, kind_of_samples, usual_range
from stridednet.errors import StorageError
from stridednet.machine import usable_cores
from stridednet.settings import ResizeRule
from stridednet.storage import cache_folder, folder_made_whole

MAX_CACHE_BYTES = 4 * 2**30
_DECODER = f"4 pillow-{PIL.__version__} opencv-{cv2.__version__}"  # increment when decode.py changes
_ABANDONED_AFTER = 24 * 3600.0  # seconds
_FINGERPRINT_SIZE = 96  # pixels; fixed, so that the groups of copies do not depend on the image size of a recipe
_IMAGES, _SOURCES = "images.npy", "sources.npy"
_PER_TASK = 32  # pictures; a worker keeps one at a time in memory
T = TypeVar("T")


@dataclass(frozen=True)
class Pictures:
    """Decoded pictures.

    ``images`` has the shape ``(n, size, size, 3)``, RGB, uint8, and may be memory-mapped. ``images[stored[i]]`` is
    ``manifest.pictures[i]``, whose file has the SHA-256 ``digests[i]``. Files that could not be decoded are among the
    manifest's problems.

    ``sources`` are the same pictures with the pixels that random crops are taken from, ``(n, source_size, source_size,
    3)``; the same array as ``images`` if these have enough.

    ``fingerprints[stored[i]]`` is what `stridednet.data.copies.fingerprint` computes of it. ``ranges`` are the values
    of samples with more than 8 bits that became 0 and 255.
    """

    manifest: Manifest
    images: Pixels
    stored: NDArray[np.intp]
    digests: tuple[str, ...]
    from_cache: bool
    fingerprints: NDArray[np.float32]
    ranges: Ranges
    sources: Pixels


def load_pictures(
    manifest: Manifest,
    size: int,
    *,
    rule: ResizeRule = "squash",
    source_size: int | None = None,
    use_cache: bool = True,
    ranges: Ranges | None = None,
) -> Pictures:
    """Load the pictures of a manifest from the cache, or decode them on all cores.

    Memory use is bounded: each core decodes one picture at a time into a memory-mapped file. If the cache is not
    writable, the images are kept in memory.

    Args:
        manifest: The pictures, as returned by `scan`.
        size: Height and width of the images, in pixels.
        rule: How a picture becomes such a square; see `stridednet.data.decode.resize`.
        source_size: Height and width of the pictures that random crops are taken from; None for ``size``.
        use_cache: Whether to use the cache; False decodes all pictures and keeps them in memory.
        ranges: Which samples of more than 8 bits become 0 and 255; None for the ranges of these pictures.
    """
    digests = _digests(manifest.pictures)
    form = _Form(size, rule, source_size or size)
    entry: _Entry | None = None
    from_cache = False
    if use_cache:
        folder = cache_folder() / "decoded" / _key(digests, form, ranges)
        from_cache = folder.is_dir()
        try:
            if not from_cache:
                _decode_into(folder, manifest.pictures, form, ranges)
            entry = _read_entry(folder, form)
        except (StorageError, OSError):
            from_cache = False
        except (ValueError, LookupError):  # corrupt, for example after a power failure
            shutil.rmtree(folder, ignore_errors=True)
            use_cache = not folder.exists()
            return load_pictures(manifest, size, rule=rule, source_size=source_size, use_cache=use_cache, ranges=ranges)
    if entry is None:
        arrays = {name: np.empty(shape, np.uint8) for name, shape in form.arrays(len(digests)).items()}
        entry = _decode_all(manifest.pictures, arrays, form, ranges)
    reasons = entry.reasons
    problems = [Problem(manifest.pictures[row].path, why) for row, why in sorted(reasons.items())]
    stored = np.array([row for row in range(len(digests)) if row not in reasons], np.intp)
    return Pictures(
        manifest.without(problems),
        entry.images,
        stored,
        tuple(digests[row] for row in stored),
        from_cache,
        entry.fingerprints,
        entry.ranges,
        entry.sources,
    )


@dataclass(frozen=True)
class _Form:
    """Which squares are made of a picture."""

    size: int
    rule: ResizeRule
    source_size: int

    def arrays(self, count: int) -> dict[str, tuple[int, int, int, int]]:
        """Return the names of the arrays for a number of pictures, with their shapes."""
        sizes = {_IMAGES: self.size} | ({_SOURCES: self.source_size} if self.source_size != self.size else {})
        return {name: (count, size, size, 3) for name, size in sizes.items()}


@dataclass(frozen=True)
class _Entry:
    """What is cached: one row per file, and the reasons of those that could not be decoded."""

    images: Pixels
    sources: Pixels
    fingerprints: NDArray[np.float32]
    reasons: dict[int, str]
    ranges: Ranges


def _read_entry(folder: Path, form: _Form) -> _Entry:
    images = np.load(folder / _IMAGES, mmap_mode="r")
    sources = np.load(folder / _SOURCES, mmap_mode="r") if form.source_size != form.size else images
    fingerprints = np.load(folder / "fingerprints.npy")
    notes = json.loads((folder / "notes.json").read_text())
    with suppress(OSError):  # a cache owned by another user is still readable
        os.utime(folder)
    return _Entry(
        images,
        sources,
        fingerprints,
        {int(row): why for row, why in notes["problems"].items()},
        {kind: SampleRange(*values) for kind, values in notes["ranges"].items()},
    )


def _decode_into(folder: Path, pictures: Sequence[Picture], form: _Form, ranges: Ranges | None) -> None:
    with folder_made_whole(folder) as temporary:
        arrays = {name: _mapped(temporary / name, shape) for name, shape in form.arrays(len(pictures)).items()}
        entry = _decode_all(pictures, arrays, form, ranges)
        for array in arrays.values():
            array.flush()
        np.save(temporary / "fingerprints.npy", entry.fingerprints)
        notes = {"problems": entry.reasons, "ranges": _as_lists(entry.ranges)}
        (temporary / "notes.json").write_text(json.dumps(notes))
    _evict(folder.parent, keep=folder)


def _mapped(path: Path, shape: tuple[int, ...]) -> "np.memmap[Any, np.dtype[np.uint8]]":
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    with path.open("r+b") as file:
        if hasattr(os, "posix_fallocate"):  # writing to a mapped file on a full disk kills the process
            os.posix_fallocate(file.fileno(), 0, os.fstat(file.fileno()).st_size)
    return array


def _as_lists(ranges: Ranges) -> dict[str, list[float]]:
    return {kind: [used.low, used.high] for kind, used in ranges.items()}


def _decode_all(pictures: Sequence[Picture], arrays: Mapping[str, Pixels], form: _Form, given: Ranges | None) -> _Entry:
    """Decode pictures into the arrays of a form."""
    fingerprints = np.zeros((len(pictures), FINGERPRINT_LENGTH), np.float32)
    ranges = _sample_ranges(pictures) if given is None else given

    def work(start: int) -> dict[int, str]:
        reasons = {}
        for row in range(start, min(start + _PER_TASK, len(pictures))):
            try:
                decoded = _Decoded(read_content(pictures[row].path), ranges)
                for array in arrays.values():
                    size = array.shape[1]
                    array[row] = resize(decoded.at(size), size, form.rule)
                fingerprints[row] = fingerprint(decoded.at(_FINGERPRINT_SIZE))
            except UnusablePictureError as error:
                for array in arrays.values():
                    array[row] = 0
                reasons[row] = str(error)
        return reasons

    with quiet_decoders():
        reasons = {row: why for part in _on_all_cores(work, len(pictures)) for row, why in part.items()}
    images = arrays[_IMAGES]
    return _Entry(images, arrays.get(_SOURCES, images), fingerprints, reasons, ranges)


class _Decoded:
    """A picture, which is decoded again only if a size needs another reduction of a large JPEG."""

    def __init__(self, content: bytes, ranges: Ranges) -> None:
        self._content = content
        self._ranges = ranges
        self._found: dict[int, Pixels] = {}

    def at(self, size: int) -> Pixels:
        """Return what `read_picture` returns for a size; errors are those of `read_picture`."""
        if self._found and (factor := reduction(self._content, size)) in self._found:
            return self._found[factor]
        picture = read_picture(self._content, size, self._ranges)  # raises an error for a file that is not a picture
        self._found[reduction(self._content, size)] = picture
        return picture


def _sample_ranges(pictures: Sequence[Picture]) -> dict[Kind, SampleRange]:
    """Return one range for all integer samples of more than 8 bits, and one for all floating-point samples."""

    def work(start: int) -> list[tuple[Kind, tuple[float, float]]]:
        found = []
        for picture in pictures[start : start + _PER_TASK]:
            try:
                samples = read_samples(picture.path)
            except UnusablePictureError:  # reported when it is decoded
                continue
            if samples is not None:
                found.append((kind_of_samples(samples), extremes(samples)))
        return found

    with quiet_decoders():
        found = [item for part in _on_all_cores(work, len(pictures)) for item in part]
    kinds: tuple[Kind, ...] = ("integer", "float")
    return {
        kind: usual_range(kind, [values for other, values in found if other == kind])
        for kind in kinds
        if any(other == kind for other, _ in found)
    }


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


def _key(digests: Sequence[str], form: _Form, ranges: Ranges | None) -> str:
    given = [] if ranges is None else [json.dumps(_as_lists(ranges), sort_keys=True)]
    if form.rule != "squash":
        given.append(form.rule)
    if form.source_size != form.size:
        given.append(f"source {form.source_size}")
    return hashlib.sha256("\n".join([_DECODER, str(form.size), *given, *digests]).encode()).hexdigest()[:32]


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
