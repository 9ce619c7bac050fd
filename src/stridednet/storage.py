"""Paths, caches, files and folders that appear whole or not at all, and errors of the operating system."""

import csv
import hashlib
import io
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes

from stridednet.errors import InputError, StorageError


def user_path(value: str | os.PathLike[str], argument: str) -> Path:
    """Return the path that a user means.

    Args:
        value: A path, in which ``~`` is the home directory, or a URI as `path_text` returns it.
        argument: Name of the argument, for the message.

    Raises:
        InputError: The text is not a path.
    """
    text = os.fspath(value)
    if not isinstance(text, str) or not text or "\0" in text:
        raise InputError(f"{argument}: expected a path. Received: {text!r}")
    if re.match("file:(//)?/", text):
        decoded = os.fsdecode(unquote_to_bytes(re.sub("^file:(//)?", "", text)))
        return Path(decoded.removeprefix("/") if os.name == "nt" else decoded)
    try:
        return Path(text).expanduser()
    except RuntimeError:
        home = text.replace("\\", "/").partition("/")[0]
        raise InputError(
            f"{argument}: the home directory of '{home}' is unknown; write the path in full. Received: {text!r}"
        ) from None


def path_text(path: Path) -> str:
    r"""Return a path as text. A path that is not valid UTF-8 becomes a URI, which `user_path` converts back.

    >>> path_text(Path("photos/pets")), path_text(Path("/photos/caf\udce9"))
    ('photos/pets', 'file:///photos/caf%E9')
    """
    text = str(path)
    try:
        text.encode()
    except UnicodeEncodeError:
        return f"file://{quote_from_bytes(os.fsencode(path.absolute()))}"
    return text


def cache_folder() -> Path:
    """Return the folder for downloads, unpacked archives, decoded pictures and compiled code.

    The environment variable ``STRIDEDNET_CACHE`` overrides the system's own location for caches.
    """
    chosen = os.environ.get("STRIDEDNET_CACHE")
    if chosen:
        return user_path(chosen, "STRIDEDNET_CACHE")
    from platformdirs import user_cache_path

    try:
        return user_cache_path("stridednet").expanduser()
    except RuntimeError:
        return _cache_without_home()


def _cache_without_home() -> Path:
    """Return a cache for a user without a home directory, which only this user can write: it contains code."""
    folder = Path(tempfile.gettempdir(), f"stridednet-{os.getuid()}")
    with storage_errors(folder):
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise StorageError(
            f"{folder} cannot be used as the cache, since other users can write to it; set STRIDEDNET_CACHE to a "
            "folder of your own"
        )
    return folder


def check_writable(folder: Path, remedy: str) -> None:
    """Check that files can be created in a folder, or, if it does not exist yet, where it would be created.

    Args:
        folder: The folder.
        remedy: What the user can do, for the message.

    Raises:
        StorageError: They cannot.
    """
    try:
        place = folder.absolute()
        while not place.exists():
            if place.is_symlink():
                raise StorageError(f"cannot write {folder}: {place} is a broken symbolic link; {remedy}")
            place = place.parent
        with tempfile.TemporaryFile(dir=place):  # without a name on Linux: permissions alone do not tell
            pass
    except OSError as error:
        raise StorageError(f"cannot write {folder}: {error.strerror or error}; {remedy}") from None


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
            with suppress(OSError):  # where it cannot be written, it cannot be deleted either: the first error counts
                beside.unlink()


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


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
