"""Archives of data sets: unpacked into the cache, never modified."""

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
    """Return whether the file name ends in one of `ARCHIVE_SUFFIXES`."""
    return path.name.lower().endswith(ARCHIVE_SUFFIXES)


def dataset_name(dataset: str) -> str:
    """Return the name of a data set, without folders and archive suffixes, for the names of its runs and sweeps.

    >>> dataset_name("photos/pets.tar.gz"), dataset_name("digits"), dataset_name("")
    ('pets', 'digits', 'pictures')
    """
    name = Path(dataset).name
    for suffix in sorted(ARCHIVE_SUFFIXES, key=len, reverse=True):
        if name.lower().endswith(suffix):
            name = name[: -len(suffix)]
            break
    return name or "pictures"


def unpacked(archive: Path) -> Path:
    """Return the cached folder with the content of an archive, which is unpacked on first use.

    Folders that contain only one folder are skipped: ``pets.zip/pets/cat/1.jpg`` gives ``pets``.

    Raises:
        DataError: The archive is corrupt or encrypted, or a member would be extracted outside the folder.
        StorageError: The cache cannot be written.
    """
    try:
        with archive.open("rb") as file:
            stat = os.fstat(file.fileno())
            file.read(1)
    except OSError as error:
        raise DataError(f"cannot read {archive}: {error.strerror}") from None
    identity = f"{archive.resolve()}\0{stat.st_size}\0{stat.st_mtime_ns}"
    folder = cache_folder() / "archives" / hashlib.sha256(identity.encode("utf-8", "surrogateescape")).hexdigest()[:24]
    if not folder.is_dir():
        with folder_made_whole(folder) as temporary:
            unpack(archive, temporary)
    return innermost(folder)


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a zip or tar archive into a folder.

    Raises:
        DataError: The archive is corrupt or encrypted, or a member would be extracted outside the folder.
    """
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as zipped:
                zipped.extractall(folder)  # noqa: S202 -- zipfile itself keeps members inside the folder
        else:
            with tarfile.open(archive) as tarred:
                tarred.extractall(folder, filter="data")
                # tarfile silently stops at a damaged member; reading on to the end verifies the checksums.
                while tarred.fileobj is not None and tarred.fileobj.read(2**20):
                    pass
    except (OSError, *_BROKEN) as error:
        if isinstance(error, OSError) and error.errno is not None:  # from the operating system, not the archive
            raise
        reason = str(error).partition("\n")[0].rstrip(":")
        raise DataError(f"cannot unpack {archive}: {reason}") from None


def innermost(folder: Path) -> Path:
    """Return the first folder, from ``folder`` down, that contains more than a single folder."""
    while True:
        entries = [entry for entry in folder.iterdir() if not is_clutter(entry.name)]
        if len(entries) != 1 or not entries[0].is_dir():
            return folder
        folder = entries[0]


def is_clutter(name: str) -> bool:
    """Return whether a file or folder was created by an operating system and is not part of the data set."""
    return name.startswith(".") or name.lower() in {"thumbs.db", "desktop.ini", "__macosx"}
