"""Archives of data sets: unpacked into the cache, never modified."""

import hashlib
import lzma
import os
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from stridednet.data.clutter import is_clutter
from stridednet.data.kinds import has_image_name
from stridednet.errors import DataError
from stridednet.limits import MAX_ARCHIVE_BYTES, MAX_ARCHIVE_MEMBERS, LimitError, check_members, check_zip
from stridednet.storage import cache_folder, folder_made_whole

ARCHIVE_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_FORMAT = "2\0"  # increment when archives are unpacked in another way
_MAX_DEPTH = 3  # of archives in archives
_BROKEN = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, ValueError)


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


def archives_folder() -> Path:
    """Return the folder of the cache in which each archive has a folder with its content."""
    return cache_folder() / "archives"


def unpacked(archive: Path) -> Path:
    """Return the cached folder with the content of an archive, which is unpacked on first use.

    Folders that contain only one folder, apart from files such as a README, are skipped: ``pets.zip/pets/cat/1.jpg``
    gives ``pets``. If an archive only contains other archives, these are unpacked as well.

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
    identity = f"{_FORMAT}{archive.resolve()}\0{stat.st_size}\0{stat.st_mtime_ns}"
    folder = archives_folder() / hashlib.sha256(identity.encode("utf-8", "surrogateescape")).hexdigest()[:24]
    if not folder.is_dir():
        with folder_made_whole(folder) as temporary:
            unpack(archive, temporary)
            _unpack_inner(temporary, archive, _MAX_DEPTH)
    return innermost(folder)


def path_in_archive(root: Path) -> Path:
    """Return the path in its archive of a folder that `unpacked` returned."""
    return Path(*root.relative_to(archives_folder()).parts[1:])


def _unpack_inner(folder: Path, archive: Path, depth: int) -> None:
    """Unpack archives in an archive that has no folders, each into a folder with its name."""
    place = innermost(folder)
    entries = list(_entries(place))
    inner = [path for path in entries if is_archive(path) and path.is_file()]
    if depth == 0 or any(path.is_dir() or has_image_name(path) for path in entries):
        return
    for path in inner:
        target = path.with_name(dataset_name(path.name))
        unpack(path, target, shown=archive / path.relative_to(folder))
        path.unlink()
        _unpack_inner(target, archive / path.relative_to(folder), depth - 1)


def unpack(archive: Path, folder: Path, shown: Path | None = None) -> None:
    """Unpack a zip or tar archive into a folder.

    Args:
        archive: The archive.
        folder: The folder.
        shown: How messages name the archive; None for its path.

    Raises:
        DataError: The archive is corrupt or encrypted, or a member would be extracted outside the folder.
    """
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as zipped:
                check_zip(zipped, MAX_ARCHIVE_MEMBERS, MAX_ARCHIVE_BYTES)
                _with_slashes(zipped)
                zipped.extractall(folder, zipped.infolist())  # noqa: S202 -- zipfile itself keeps members inside the folder
        else:
            with tarfile.open(archive) as tarred:
                # A generator, so that each member is checked before it is unpacked.
                tarred.extractall(folder, _bounded(tarred, archive.stat().st_size), filter="data")
                # tarfile silently stops at a damaged member; reading on to the end verifies the checksums.
                while tarred.fileobj is not None and tarred.fileobj.read(2**20):
                    pass
    except (OSError, *_BROKEN) as error:
        if isinstance(error, OSError) and error.errno is not None:  # from the operating system, not the archive
            raise
        reason = _what_it_is(archive) or str(error).partition("\n")[0].rstrip(":")
        raise DataError(f"cannot unpack {shown or archive}: {reason}") from None


def _bounded(tarred: tarfile.TarFile, packed: int) -> Iterator[tarfile.TarInfo]:
    """Yield the members of an archive while they are within the limits."""
    unpacked = 0
    for number, member in enumerate(tarred, 1):
        unpacked += member.size
        check_members((unpacked,), packed, MAX_ARCHIVE_MEMBERS, MAX_ARCHIVE_BYTES)
        if number > MAX_ARCHIVE_MEMBERS:
            raise LimitError(f"it has more than {MAX_ARCHIVE_MEMBERS:,} members")
        yield member


def _with_slashes(zipped: zipfile.ZipFile) -> None:
    """Replace backslashes in the names of members, which some programs on Windows write instead of slashes."""
    members = zipped.infolist()
    if not any("/" in member.filename for member in members):
        for member in members:
            member.filename = member.filename.replace("\\", "/")


def _what_it_is(path: Path) -> str | None:
    """Return what a file is that has the name of an archive, but is none."""
    with path.open("rb") as file:
        head = file.read(512)
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html")) or b"<html" in text:
        return "this is an HTML page, not an archive; download the archive itself, for example with a browser"
    if head.startswith(b"version https://git-lfs"):
        return "this is a Git LFS pointer, not an archive; run: git lfs pull"
    known = {b"Rar!": "RAR", b"7z\xbc\xaf": "7-Zip", b"\x28\xb5\x2f\xfd": "Zstandard"}
    for magic, name in known.items():
        if head.startswith(magic):
            return f"this is a {name} archive, which is not read; unpack it, or repack it as a .zip or .tar.gz file"
    return None if head else "the file is empty"


def innermost(folder: Path) -> Path:
    """Return the first folder, from ``folder`` down, that contains more than one folder, or pictures."""
    while True:
        entries = list(_entries(folder))
        folders = [path for path in entries if path.is_dir()]
        files = [path for path in entries if path not in folders]
        if len(folders) != 1 or any(has_image_name(path) or is_archive(path) for path in files):
            return folder
        folder = folders[0]


def _entries(folder: Path) -> Iterator[Path]:
    return (path for path in folder.iterdir() if not is_clutter(path.name))
