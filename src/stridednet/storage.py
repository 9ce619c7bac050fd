"""Where caches are, files and folders that appear whole or not at all, and errors of the operating system."""

import csv
import io
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from stridednet.errors import StorageError


def cache_folder() -> Path:
    """Return the folder for downloads, unpacked archives, decoded pictures and compiled code.

    The environment variable ``STRIDEDNET_CACHE`` overrides the system's own location for caches.
    """
    chosen = os.environ.get("STRIDEDNET_CACHE")
    if chosen:
        return Path(chosen)
    from platformdirs import user_cache_path

    return user_cache_path("stridednet")


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a temporary path next to ``path``; the file replaces ``path`` when the block ends without an error.

    Raises:
        StorageError: The file cannot be written; a previous file at ``path`` is left untouched.
    """
    beside: Path | None = None
    try:
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            beside = path.with_name(f".partial-{path.name}")  # always the same name, so that a kill leaves one at most
            yield beside
            with beside.open("rb") as file:
                os.fsync(file.fileno())
            beside.replace(path)
    finally:
        if beside is not None:
            beside.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file as UTF-8, whole or not at all.

    Raises:
        StorageError: The file cannot be written.
    """
    with written_whole(path) as beside:
        beside.write_text(text, encoding="utf-8", errors="backslashreplace")


def csv_text(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table as CSV. Lines end with a line feed on every system."""
    text = io.StringIO()
    for row in (header, *rows):
        line = io.StringIO(newline="")
        csv.writer(line, lineterminator="\r\n").writerow(row)  # so that a field with a carriage return is quoted
        text.write(line.getvalue().removesuffix("\r\n") + "\n")
    return text.getvalue()


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Convert an `OSError` while writing ``path`` into a `StorageError`."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from error


@contextmanager
def folder_made_whole(folder: Path) -> Iterator[Path]:
    """Yield an empty temporary folder in the cache; it is renamed to ``folder`` when the block ends without an error.

    Raises:
        StorageError: The folder cannot be written, for lack of space or permission.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise StorageError(
            f"cannot write to the cache {folder.parent}: {error.strerror}; set STRIDEDNET_CACHE to another folder"
        ) from None
    try:
        yield beside
        beside.chmod(0o755)
        _put_in_place(beside.rename, folder)
    except OSError as error:
        raise StorageError(
            f"cannot write to the cache {folder.parent}: {error.strerror or error}; free some space, or set "
            "STRIDEDNET_CACHE to another folder"
        ) from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _put_in_place(rename: Callable[[Path], object], folder: Path) -> None:
    try:
        rename(folder)
    except OSError:
        if not folder.is_dir():  # otherwise another process was faster, with the same content
            raise
