"""An archive of a data set -> a folder in the cache; the archive itself stays as it is."""

import hashlib
import lzma
import os
import tarfile
import zipfile
import zlib
from pathlib import Path

from stridednet.errors import DataError
from stridednet.storage import cache_folder, folder_made_whole

ARCHIVE_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_BROKEN = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError)


def is_archive(path: Path) -> bool:
    """Say whether the name ends like an archive that `unpacked` reads."""
    return path.name.lower().endswith(ARCHIVE_SUFFIXES)


def unpacked(archive: Path) -> Path:
    """Return the cached folder that holds the content of an archive, unpacking it the first time.

    Folders that hold nothing but one folder are stepped into, so that ``pets.zip/pets/cat/1.jpg`` gives ``pets``.

    Raises:
        DataError: The archive is broken, encrypted, or holds a path that leads out of it.
        StorageError: The cache cannot be written.
    """
    try:
        with archive.open("rb") as file:
            stat = os.fstat(file.fileno())
            file.read(1)
    except OSError as error:
        raise DataError(f"{archive} cannot be read: {error.strerror}") from None
    identity = f"{archive.resolve()}\0{stat.st_size}\0{stat.st_mtime_ns}"
    folder = cache_folder() / "archives" / hashlib.sha256(identity.encode("utf-8", "surrogateescape")).hexdigest()[:24]
    if not folder.is_dir():
        with folder_made_whole(folder) as beside:
            unpack(archive, beside)
    return innermost(folder)


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a zip or tar archive into a folder.

    Raises:
        DataError: The archive is broken, encrypted, or has a member that would land outside the folder.
    """
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as zipped:
                zipped.extractall(folder)  # noqa: S202 -- zipfile itself keeps members inside the folder
        else:
            with tarfile.open(archive) as tarred:
                tarred.extractall(folder, filter="data")
                # A damaged member ends the list early without a word; the checksums at the end of the file tell.
                while tarred.fileobj is not None and tarred.fileobj.read(2**20):
                    pass
    except (OSError, *_BROKEN) as error:
        if isinstance(error, OSError) and error.errno is not None:  # the system's own, of reading or writing
            raise
        reason = str(error).partition("\n")[0].rstrip(":")
        raise DataError(f"{archive} cannot be unpacked: {reason}") from None


def innermost(folder: Path) -> Path:
    """Step into folders as long as there is nothing but one folder."""
    while True:
        entries = [entry for entry in folder.iterdir() if not is_clutter(entry.name)]
        if len(entries) != 1 or not entries[0].is_dir():
            return folder
        folder = entries[0]


def is_clutter(name: str) -> bool:
    """Say whether an operating system left this file or folder there: it is no part of the data set."""
    return name.startswith(".") or name.lower() in {"thumbs.db", "desktop.ini", "__macosx"}
