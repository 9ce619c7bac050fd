import io
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest

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
    with pytest.raises(DataError, match=r"cannot unpack .*empty\.zip: "):
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
