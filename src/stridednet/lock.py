"""A lock on the folder of a run or a sweep, so that two processes never write to it at once."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stridednet.errors import RunError
from stridednet.storage import storage_errors

LOCK = ".lock"


@contextmanager
def locked(folder: Path, what: str) -> Iterator[None]:
    """Hold the lock of a folder, which is created if it does not exist.

    The operating system releases the lock when the process ends, even if it is killed. On file systems without locks,
    the folder is used without one. Reading needs no lock.

    Args:
        folder: The folder that is written.
        what: ``run`` or ``sweep``, for the message.

    Raises:
        RunError: Another process, or another part of this one, is writing to the folder.
        StorageError: The folder cannot be written.
    """
    file = folder / LOCK
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = _open_locked(file)
    if descriptor is None:
        raise RunError(
            f"the {what} {folder} is being written by another process; wait until it has finished, or choose another "
            "folder"
        )
    try:
        yield
    finally:
        with suppress(OSError):  # Windows does not delete an open file; a lock file that is left behind is harmless
            file.unlink()
        os.close(descriptor)


def _open_locked(file: Path) -> int | None:
    """Return the descriptor of the locked file, or None if another process has locked it."""
    while True:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
        if not _try_lock(descriptor):
            os.close(descriptor)
            return None
        # The process that held the lock may have deleted the file after it was opened here.
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), file.stat()):
                return descriptor
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True
