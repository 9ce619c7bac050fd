import io
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest

from conftest import copy_digits
from stridednet.data.archive import unpacked
from stridednet.data.scan import scan
from stridednet.errors import DataError, StorageError
from stridednet.storage import folder_made_whole


@pytest.mark.parametrize("kind", ["gztar", "zip", "tar"])
def test_an_archive_gives_the_same_manifest_as_its_folder(few_digits: Path, tmp_path: Path, kind: str) -> None:
    archive = shutil.make_archive(str(tmp_path / "packed"), kind, few_digits.parent, few_digits.name)
    before = Path(archive).read_bytes()
    manifest = scan(archive)
    assert manifest.labels == ("0", "1", "2")
    assert [picture.path.name for picture in manifest.pictures] == [
        picture.path.name for picture in scan(few_digits).pictures
    ]
    assert scan(archive).root == manifest.root, "the second scan uses the cache"
    assert Path(archive).read_bytes() == before


def test_a_changed_archive_is_unpacked_again(few_digits: Path, tmp_path: Path) -> None:
    archive = shutil.make_archive(str(tmp_path / "packed"), "zip", few_digits)
    assert scan(archive).labels == ("0", "1", "2")
    shutil.rmtree(few_digits / "2")
    shutil.make_archive(str(tmp_path / "packed"), "zip", few_digits)
    assert scan(archive).labels == ("0", "1")


def test_corrupt_archives_are_rejected(few_digits: Path, tmp_path: Path) -> None:
    archive = Path(shutil.make_archive(str(tmp_path / "packed"), "gztar", few_digits))
    archive.write_bytes(archive.read_bytes()[:2000])
    with pytest.raises(DataError, match=r"cannot unpack .*packed\.tar\.gz: "):
        scan(archive)
    page = tmp_path / "pets.tar.gz"
    page.write_text("<html>404 Not Found</html>")
    damaged = []
    for kind in ("gztar", "bztar", "xztar", "zip"):
        packed = Path(shutil.make_archive(str(tmp_path / f"damaged_{kind}"), kind, few_digits))
        content = bytearray(packed.read_bytes())
        content[len(content) // 2 : len(content) // 2 + 20] = bytes(20)
        packed.write_bytes(content)
        damaged.append(packed)
    for broken in (page, *damaged):
        with pytest.raises(DataError, match="cannot unpack ") as caught:
            scan(broken)
        assert "\n" not in str(caught.value)
    empty = tmp_path / "empty.zip"
    empty.write_bytes(b"")
    with pytest.raises(DataError, match=r"cannot unpack .*empty\.zip: the file is empty"):
        scan(empty)


def test_a_member_outside_the_folder_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIDEDNET_CACHE", str(tmp_path / "cache"))
    evil = tmp_path / "evil.tar"
    with tarfile.open(evil, "w") as members:
        info = tarfile.TarInfo("../../outside.txt")
        info.size = 3
        members.addfile(info, io.BytesIO(b"bad"))
    with pytest.raises(DataError, match="cannot unpack "):
        unpacked(evil)
    evil_zip = tmp_path / "evil.zip"
    with zipfile.ZipFile(evil_zip, "w") as members:
        members.writestr("../../outside.txt", "bad")
    folder = unpacked(evil_zip)
    assert list(tmp_path.parent.rglob("outside.txt")) == list(folder.rglob("outside.txt"))


def test_a_folder_is_complete_or_does_not_exist(tmp_path: Path) -> None:
    def interrupted() -> None:
        with folder_made_whole(tmp_path / "set") as temporary:
            (temporary / "half").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []
    with folder_made_whole(tmp_path / "set") as temporary:
        (temporary / "all").touch()
    assert [path.name for path in (tmp_path / "set").iterdir()] == ["all"]


def test_a_cache_that_is_not_writable_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(StorageError, match="set STRIDEDNET_CACHE to another folder"),
        folder_made_whole(tmp_path / "file" / "set"),
    ):
        pass


def _zip(path: Path, members: dict[str, Path]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, file in members.items():
            archive.write(file, name)
            archive.filelist[-1].filename = name  # `write` replaces backslashes on Windows only
    return path


def test_backslashes_in_a_zip_are_folders_as_for_unzip(few_digits: Path, tmp_path: Path) -> None:
    members = {str(path.relative_to(few_digits.parent)).replace("/", "\\"): path for path in few_digits.rglob("*.png")}
    manifest = scan(_zip(tmp_path / "windows.zip", members))
    assert (manifest.labels, len(manifest.pictures)) == (("0", "1", "2"), 120)


@pytest.mark.parametrize("beside", ["README.txt", "LICENSE", "labels.csv", ".DS_Store"])
def test_a_folder_beside_a_readme(few_digits: Path, tmp_path: Path, beside: str) -> None:
    place = tmp_path / "place"
    place.mkdir()
    few_digits.rename(place / "pets")
    (place / beside).write_text("about these pictures")
    archive = shutil.make_archive(str(tmp_path / "packed"), "zip", place)
    assert scan(archive).labels == ("0", "1", "2")


def test_archives_in_an_archive_are_unpacked(few_digits: Path, digits: Path, tmp_path: Path) -> None:
    inner = Path(shutil.make_archive(str(tmp_path / "pets"), "gztar", few_digits.parent, few_digits.name))
    outer = _zip(tmp_path / "download.zip", {"data/pets.tar.gz": inner, "data/README.md": Path(__file__)})
    manifest = scan(_zip(tmp_path / "again.zip", {"download.zip": outer}))
    assert (manifest.labels, len(manifest.pictures)) == (("0", "1", "2"), 120)

    parts = copy_digits(digits, tmp_path / "parts" / "train", "01", 6)
    copy_digits(digits, tmp_path / "parts" / "test", "01", 3, skip=6)
    members = {}
    for name in ("train", "test"):
        packed = Path(shutil.make_archive(str(tmp_path / name), "zip", parts.parent, name))
        members[packed.name] = packed
    manifest = scan(_zip(tmp_path / "competition.zip", members))
    subsets = [picture.subset for picture in manifest.pictures]
    assert (subsets.count("train"), subsets.count("test")) == (12, 6)

    broken = tmp_path / "broken.zip"
    broken.write_bytes(inner.read_bytes()[:100])
    with pytest.raises(DataError, match=rf"^cannot unpack {tmp_path}/outside\.zip/data/broken\.zip: "):
        scan(_zip(tmp_path / "outside.zip", {"data/broken.zip": broken}))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<!DOCTYPE html><html>Sign in</html>", "this is an HTML page, not an archive; download the archive itself"),
        (b"\n<HTML><body>404</body></HTML>", "this is an HTML page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "this is a Git LFS pointer, not an archive"),
        (b"Rar!\x1a\x07\x01\x00", "this is a RAR archive, which is not read"),
        (b"7z\xbc\xaf\x27\x1c", "this is a 7-Zip archive, which is not read"),
        (b"", "the file is empty"),
    ],
)
def test_files_that_are_not_archives_are_named(tmp_path: Path, content: bytes, reason: str) -> None:
    archive = tmp_path / "pets.zip"
    archive.write_bytes(content)
    with pytest.raises(DataError) as caught:
        scan(archive)
    assert str(caught.value).startswith(f"cannot unpack {archive}: {reason}")


def test_messages_name_the_archive_and_not_the_cache(few_digits: Path, tmp_path: Path, cache: Path) -> None:
    (few_digits / "empty").mkdir()
    archive = shutil.make_archive(str(tmp_path / "packed"), "zip", few_digits.parent, few_digits.name)
    with pytest.raises(DataError, match=r"class 'empty' has no images in .*packed\.zip/few; add some") as caught:
        scan(archive)
    assert str(cache) not in str(caught.value)
    with pytest.raises(DataError, match=r"^.*packed\.zip/few has no class 'x'; available labels: 0, 1, 2, empty$"):
        scan(archive, ["x", "0"])
