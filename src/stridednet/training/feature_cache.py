"""Features of pictures in the cache folder, in parts that are written whole, keyed by what they were computed from."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stridednet.errors import StorageError
from stridednet.storage import cache_folder, written_whole

Features = NDArray[np.float32]

MAX_CACHE_BYTES = 2 * 2**30


def cached_features(key: str, compute: Callable[[], Features]) -> tuple[Features, bool]:
    """Return the features of some pictures, computed if they are not in the cache.

    Args:
        key: A hash of everything that they depend on, in hexadecimal.
        compute: Returns them, ``(n, features)``.

    Returns:
        The features, memory-mapped unless the cache cannot be written, and whether they were in the cache.
    """
    path = cache_folder() / "features" / f"{key}.npy"
    with suppress(OSError, ValueError):  # missing or damaged
        found = np.load(path, mmap_mode="r", allow_pickle=False)
        os.utime(path)
        return found, True
    features = compute()
    try:
        with written_whole(path) as beside, beside.open("wb") as file:
            np.save(file, features)
    except StorageError:  # kept in memory instead
        return features, False
    _evict(path.parent)
    return np.load(path, mmap_mode="r"), False


def _evict(folder: Path) -> None:
    """Remove the least recently used files until the cache is small enough."""
    with suppress(OSError):  # another process may remove the same files
        files = [(entry.stat(), entry) for entry in folder.iterdir() if not entry.name.startswith(".")]
        total = 0
        for found, file in sorted(files, key=lambda pair: pair[0].st_mtime, reverse=True):
            total += found.st_size
            if total > MAX_CACHE_BYTES:
                file.unlink()
