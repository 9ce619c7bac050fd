import hashlib
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from conftest import needs_caltech101
from stridednet.data import cache
from stridednet.data.cache import Pictures, load_pictures
from stridednet.data.decode import decode
from stridednet.data.scan import scan
from tiny_pictures import noise, write_classes


def test_cached_pictures_equal_decoded_ones(few_digits: Path) -> None:
    first, second = (load_pictures(scan(few_digits), 27) for _ in range(2))
    assert (first.from_cache, second.from_cache) == (False, True)
    expected = np.stack([decode(picture.path, 27) for picture in first.manifest.pictures])
    for pictures in (first, second, load_pictures(scan(few_digits), 27, use_cache=False)):
        assert np.array_equal(pictures.images[pictures.stored], expected)
        assert pictures.images.dtype == np.uint8


def test_the_key_is_content_and_size_not_location(few_digits: Path, tmp_path: Path) -> None:
    load_pictures(scan(few_digits), 21)
    moved = few_digits.rename(tmp_path / "moved")
    assert load_pictures(scan(moved), 21).from_cache
    assert not load_pictures(scan(moved), 22).from_cache
    picture = next((moved / "0").iterdir())
    stat = picture.stat()
    shutil.copy(next((moved / "1").iterdir()), picture)
    os.utime(picture, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert not load_pictures(scan(moved), 21).from_cache


def test_the_rule_for_the_shape_is_part_of_the_key(tmp_path: Path) -> None:
    pictures = write_classes(tmp_path / "wide", "ab", 2)
    for file in pictures.rglob("*.png"):
        noise(file.name, 40, 20).save(file)
    squash, crop, pad = (load_pictures(scan(pictures), 10, rule=rule) for rule in ("squash", "crop", "pad"))
    assert not crop.from_cache
    assert not pad.from_cache
    for rule, before in (("squash", squash), ("crop", crop), ("pad", pad)):
        again = load_pictures(scan(pictures), 10, rule=rule)
        assert again.from_cache
        assert np.array_equal(again.images, before.images)
        assert np.array_equal(again.fingerprints, squash.fingerprints)  # copies are found whatever the rule
        assert np.array_equal(again.images[1], decode(again.manifest.pictures[1].path, 10, rule=rule))


def test_pictures_for_crops_are_kept_beside_the_same_images(tmp_path: Path) -> None:
    pictures = write_classes(tmp_path / "large", "ab", 2)
    noise("large", 30, 20).resize((900, 600)).save(pictures / "a" / "large.jpg")  # reduced for 20 pixels, not for 200
    plain = load_pictures(scan(pictures), 20, rule="crop")
    assert plain.sources is plain.images
    for from_cache in (False, True):
        found = load_pictures(scan(pictures), 20, rule="crop", source_size=200)
        assert found.from_cache is from_cache
        assert np.array_equal(found.images, plain.images)
        assert np.array_equal(found.fingerprints, plain.fingerprints)
        for row, picture in zip(found.stored, found.manifest.pictures, strict=True):
            assert np.array_equal(found.sources[row], decode(picture.path, 200, rule="crop"))
    assert isinstance(found.sources, np.memmap)
    in_memory = load_pictures(scan(pictures), 20, rule="crop", source_size=200, use_cache=False)
    assert np.array_equal(in_memory.sources, found.sources)
    assert np.array_equal(in_memory.images, plain.images)


def test_entries_of_earlier_versions_are_used(
    few_digits: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("STRIDEDNET_CACHE", str(tmp_path / "own"))
    found = load_pictures(scan(few_digits), 21)
    key = hashlib.sha256("\n".join([cache._DECODER, "21", *found.digests]).encode()).hexdigest()[:32]
    assert [entry.name for entry in (tmp_path / "own" / "decoded").iterdir()] == [key]


def test_damaged_files_are_skipped_and_remembered(few_digits: Path) -> None:
    (few_digits / "0" / "0000_empty.png").touch()
    (few_digits / "2" / "zzz.jpg").write_text("text")
    for from_cache in (False, True):
        pictures = load_pictures(scan(few_digits), 23)
        assert pictures.from_cache is from_cache
        assert len(pictures.manifest.pictures) == len(pictures.stored) == len(pictures.digests) == 120
        assert [(problem.path.name, problem.reason) for problem in pictures.manifest.problems] == [
            ("0000_empty.png", "empty file"),
            ("zzz.jpg", "not an image, or its format cannot be identified"),
        ]
        last = pictures.manifest.pictures[-1]
        assert np.array_equal(pictures.images[pictures.stored[-1]], decode(last.path, 23))


@needs_caltech101
def test_decoders_do_not_warn_about_damage_that_they_recover_from(
    caltech101: Path, few_digits: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    content = bytearray((caltech101 / "Faces" / "image_0001.jpg").read_bytes())
    content[len(content) // 2 : len(content) // 2 + 40] = bytes(40)
    (few_digits / "0" / "damaged.jpg").write_bytes(content)
    pictures = load_pictures(scan(few_digits), 26)
    assert len(pictures.manifest.pictures) == 121
    assert capfd.readouterr() == ("", "")
    os.write(2, b"restored")
    assert capfd.readouterr().err == "restored"


def test_a_huge_picture_is_skipped_and_named(few_digits: Path) -> None:
    # A BMP header that declares 65,535 x 65,535 pixels.
    header = b"BM" + bytes(8) + (54).to_bytes(4, "little") + (40).to_bytes(4, "little")
    size = (65535).to_bytes(4, "little") * 2
    (few_digits / "1" / "bomb.bmp").write_bytes(header + size + b"\x01\x00\x18\x00" + bytes(24))
    manifest = load_pictures(scan(few_digits), 24).manifest
    assert len(manifest.pictures) == 120
    assert [(problem.path.name, problem.reason) for problem in manifest.problems] == [
        ("bomb.bmp", "more than 89,478,485 pixels, the limit against decompression bombs; resize it")
    ]


@pytest.mark.parametrize("name", ["images.npy", "fingerprints.npy", "notes.json"])
def test_a_damaged_entry_is_replaced(
    few_digits: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    monkeypatch.setenv("STRIDEDNET_CACHE", str(tmp_path / "own"))
    before = load_pictures(scan(few_digits), 24)
    file = next((tmp_path / "own").rglob(name))
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 3])
    after = load_pictures(scan(few_digits), 24)
    assert not after.from_cache
    assert np.array_equal(after.images, decoded_again(before))
    assert load_pictures(scan(few_digits), 24).from_cache


def decoded_again(pictures: Pictures) -> np.ndarray:
    return np.stack([decode(picture.path, 24) for picture in pictures.manifest.pictures])


def test_the_leftovers_of_a_killed_process_are_removed(
    few_digits: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("STRIDEDNET_CACHE", str(tmp_path / "own"))
    for name, age in ((".old", 90_000), (".new", 60)):
        folder = tmp_path / "own" / "decoded" / name
        folder.mkdir(parents=True)
        os.utime(folder, (time.time() - age,) * 2)
    load_pictures(scan(few_digits), 24)
    assert [path.name for path in (tmp_path / "own" / "decoded").glob(".*")] == [".new"]


def test_pictures_stay_in_memory_if_the_cache_is_not_writable(
    few_digits: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("STRIDEDNET_CACHE", str(tmp_path / "file"))
    pictures = load_pictures(scan(few_digits), 25)
    assert not pictures.from_cache
    assert pictures.images.shape == (120, 25, 25, 3)


def test_the_least_recently_used_entries_are_removed(
    few_digits: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("STRIDEDNET_CACHE", str(tmp_path / "own"))
    monkeypatch.setattr(cache, "MAX_CACHE_BYTES", 120 * 3 * (31**2 + 32**2) + 80_000)
    for used_at, size in ((100, 30), (200, 31), (300, 32)):
        load_pictures(scan(few_digits), size)
        newest = max((tmp_path / "own" / "decoded").iterdir(), key=lambda entry: entry.stat().st_mtime)
        os.utime(newest, (used_at, used_at))
    kept = [np.load(file, mmap_mode="r").shape[1] for file in (tmp_path / "own").rglob("images.npy")]
    assert sorted(kept) == [31, 32]
