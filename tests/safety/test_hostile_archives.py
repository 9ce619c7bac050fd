"""Archives that write outside of their folder or unpack to more than there is, and are refused or unpacked safely."""

import io
import os
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from bombs import write_zip_bomb
from bounded_reader import opened

from conftest import Command
from stridednet.data.archive import archives_folder, unpacked
from stridednet.errors import DataError
from tiny_pictures import noise


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Unpack into a folder of the test's own, so that everything that is left can be seen."""
    monkeypatch.setenv("STRIDEDNET_CACHE", str(tmp_path / "place" / "cache"))
    return archives_folder()


def _png(seed: int) -> bytes:
    file = io.BytesIO()
    noise(seed, 8, 8).save(file, "png")
    return file.getvalue()


def _tar(path: Path, *members: tarfile.TarInfo, content: bytes = b"bad") -> Path:
    """Write an archive of two classes, followed by some members."""
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        for label in ("cat", "dog"):
            picture = _png(len(label))
            member = tarfile.TarInfo(f"{label}/1.png")
            member.size = len(picture)
            archive.addfile(member, io.BytesIO(picture))
        for member in members:
            member.size = len(content) if member.isreg() else 0
            archive.addfile(member, io.BytesIO(content) if member.isreg() else None)
    return path


def _member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def _refused(archive: Path, command: Command) -> str:
    """Return the reason for which an archive is refused, by the function and by the command; nothing is left behind."""
    with pytest.raises(DataError) as caught:
        unpacked(archive)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"cannot unpack {archive}: ")
    done = command("check", archive)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1] == f"error: {message}"
    assert "Traceback" not in done.stderr
    assert not any(archives_folder().iterdir())
    return message


def _naively(archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as tarred, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # since Python 3.12, of what is done here
        tarred.extractall(folder, filter="fully_trusted")  # noqa: S202


OUTSIDE: dict[str, Callable[[Path], tuple[tarfile.TarInfo, ...]]] = {
    "parent": lambda _: (_member("../../outside.txt"),),
    "hidden parent": lambda _: (_member("cat/../../../outside.txt"),),
    "through a symbolic link": lambda place: (
        _member("link", tarfile.SYMTYPE, str(place)),
        _member("link/outside.txt"),
    ),
    "through links in turn": lambda _: (
        _member("cat/up", tarfile.SYMTYPE, ".."),
        _member("over", tarfile.SYMTYPE, "cat/up/../.."),
        _member("over/outside.txt"),
    ),
}


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz"])
@pytest.mark.parametrize("name", OUTSIDE)
def test_members_outside_the_folder(name: str, suffix: str, tmp_path: Path, main_command: Command) -> None:
    place = tmp_path / "place"
    (place / "within" / "folder").mkdir(parents=True)
    archive = _tar(tmp_path / f"pictures{suffix}", *OUTSIDE[name](place))
    _naively(archive, place / "within" / "folder")
    written = [path for path in tmp_path.rglob("outside.txt") if not path.is_relative_to(place / "within" / "folder")]
    assert written, "the attack does not work on tarfile"
    for path in written:
        path.unlink()
    message = _refused(archive, main_command)
    assert "outside the destination" in message or "is a link to an absolute path" in message
    assert not [path for path in tmp_path.rglob("outside.txt") if not path.is_relative_to(place / "within")]


def test_an_absolute_name_in_a_tar_stays_within_the_folder(tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    archive = _tar(tmp_path / "pictures.tar", _member(str(outside)))
    _naively(archive, tmp_path / "naive")
    assert outside.exists(), "the attack does not work on tarfile"
    outside.unlink()
    folder = unpacked(archive)
    assert (folder / str(outside).lstrip("/")).read_text() == "bad"
    assert not outside.exists()


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        (tarfile.SYMTYPE, "/etc/passwd"),
        (tarfile.SYMTYPE, "../../../secret.txt"),
        (tarfile.LNKTYPE, "../../../secret.txt"),
        (tarfile.FIFOTYPE, ""),
    ],
)
def test_links_and_devices(kind: bytes, target: str, tmp_path: Path, main_command: Command) -> None:
    folder = tmp_path / "place" / "naive" / "x"
    folder.mkdir(parents=True)
    (tmp_path / "secret.txt").write_text("password")
    archive = _tar(tmp_path / "pictures.tar", _member("cat/2.png", kind, target))
    _naively(archive, folder)
    made = folder / "cat" / "2.png"
    assert made.is_symlink() or made.is_fifo() or made.stat().st_nlink == 2
    _refused(archive, main_command)


@pytest.mark.parametrize(
    "name", ["../../outside.txt", "/outside.txt", "cat/../../../outside.txt", "..\\..\\outside.txt"]
)
def test_names_in_a_zip_stay_within_the_folder(name: str, tmp_path: Path, own_cache: Path) -> None:
    archive = tmp_path / "pictures.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        for label in ("cat", "dog"):
            zipped.writestr(f"{label}/1.png", _png(len(label)))
        zipped.writestr(name, "bad")
        zipped.filelist[-1].filename = name
    naive = tmp_path / "a" / "b"
    with zipfile.ZipFile(archive) as zipped:  # as programs do that join the name with the folder
        joined = naive / zipped.namelist()[-1].replace("\\", "/")
    assert not Path(os.path.normpath(joined)).is_relative_to(naive)
    folder = unpacked(archive)
    assert folder.is_relative_to(own_cache)
    assert not [path for path in tmp_path.rglob("*outside.txt") if not path.is_relative_to(folder)]
    assert not Path("/outside.txt").exists()


def test_a_symbolic_link_in_a_zip_becomes_a_file(tmp_path: Path) -> None:
    """``unzip`` makes a link of it."""
    archive = tmp_path / "pictures.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        for label in ("cat", "dog"):
            zipped.writestr(f"{label}/1.png", _png(len(label)))
        member = zipfile.ZipInfo("cat/2.png")
        member.create_system, member.external_attr = 3, 0o120777 << 16
        zipped.writestr(member, "/etc/passwd")
    link = unpacked(archive) / "cat" / "2.png"
    assert not link.is_symlink()
    assert link.read_text() == "/etc/passwd"


def test_a_pickle_as_a_zip_is_not_read(tmp_path: Path, main_command: Command) -> None:
    archive = tmp_path / "pictures.zip"
    archive.write_bytes(b"\x80\x04N.")
    _refused(archive, main_command)


def test_a_zip_bomb(tmp_path: Path, main_command: Command) -> None:
    folder = tmp_path / "archives"
    folder.mkdir()
    archive = write_zip_bomb(folder / "pictures.zip", "cat/1.png", 640 * 2**20)
    assert archive.stat().st_size < 2**20
    (naive,) = opened("naive zip", folder, 512)
    assert naive.error == "MemoryError"
    (ours,) = opened("archive", folder, 512)
    assert ours.grown < 16
    assert "it is a decompression bomb" in _refused(archive, main_command)


@pytest.mark.parametrize("kind", ["gz", "xz", "bz2"])
def test_a_tar_bomb(kind: str, tmp_path: Path, main_command: Command) -> None:
    """The header of the last member announces 900 GiB, of which the archive has the first."""
    archive = tmp_path / f"pictures.tar.{kind}"
    bomb = tarfile.TarInfo("cat/2.png")
    bomb.size = 900 * 2**30
    with tarfile.open(archive, f"w:{kind}") as tarred:  # type: ignore[call-overload]
        tarred.addfile(tarfile.TarInfo("cat/1.png"))
        tarred.fileobj.write(bomb.tobuf() + bytes(2**20))
    assert archive.stat().st_size < 2**13
    naive = tmp_path / "naive"
    with pytest.raises((tarfile.ReadError, EOFError, OSError)):
        _naively(archive, naive)
    assert (naive / "cat" / "2.png").stat().st_size >= 2**20, "tarfile does not write the bomb"
    assert "it is a decompression bomb" in _refused(archive, main_command)


def test_a_sparse_member(tmp_path: Path, main_command: Command) -> None:
    """A GNU sparse member of 900 GiB has no content at all."""
    archive = tmp_path / "pictures.tar"
    header = bytearray(_member("cat/2.png", b"S").tobuf(tarfile.GNU_FORMAT))
    size = b"\x80" + (900 * 2**30).to_bytes(11, "big")
    header[386 : 386 + 24] = size[:4] + bytes(8) + bytes(12)  # offset
    header[386:398], header[398:410] = size, b"\x80" + bytes(11)  # one part, at the end, without bytes
    header[483:495] = size
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    archive.write_bytes(bytes(header) + bytes(1024))
    with tarfile.open(archive) as tarred:
        assert tarred.getmembers()[0].size == 900 * 2**30
    assert "it is a decompression bomb" in _refused(archive, main_command)


def test_archives_in_archives_without_end(tmp_path: Path, own_cache: Path) -> None:
    content = b""
    for depth in range(6):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as zipped:
            zipped.writestr(f"{depth}.zip" if depth else "1.txt", content)
        content = file.getvalue()
    (tmp_path / "pictures.zip").write_bytes(content)
    unpacked(tmp_path / "pictures.zip")
    assert len([path for path in own_cache.rglob("*.zip") if path.is_file()]) == 1, "they are unpacked to some depth"


def test_a_bomb_in_an_archive(tmp_path: Path) -> None:
    inner = write_zip_bomb(tmp_path / "inner.zip", "cat/1.png", 640 * 2**20)
    archive = tmp_path / "pictures.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.write(inner, "inner.zip")
    with pytest.raises(DataError, match=r"^cannot unpack .*pictures\.zip/inner\.zip: it is a decompression bomb"):
        unpacked(archive)
    assert not any(archives_folder().iterdir())
