"""Copies of a picture are found whatever their size, and are never on both sides of a split that is drawn."""

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from conftest import copy_digits, needs_caltech101
from stridednet.data.cache import load_pictures
from stridednet.data.copies import FINGERPRINT_LENGTH, find_copies, fingerprint
from stridednet.data.manifest import Manifest, Picture
from stridednet.data.prepare import TrainingData, prepare
from stridednet.data.scan import scan
from stridednet.data.split import split, split_per_class, with_copies_together, with_fold
from stridednet.errors import DataError
from stridednet.settings import DataSettings
from tiny_pictures import noise, write_classes

Change = Callable[[Image.Image], Image.Image]


def _jpeg(picture: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(file)


def _half(picture: Image.Image) -> Image.Image:
    return picture.resize((picture.width // 2, picture.height // 2))


CHANGES: dict[str, Change] = {
    "half the size": _half,
    "twice the size": lambda picture: picture.resize((picture.width * 2, picture.height * 2)),
    "a square thumbnail": lambda picture: picture.resize((64, 64), Image.Resampling.LANCZOS),
    "strongly compressed": lambda picture: _jpeg(picture, 60),
    "small and compressed": lambda picture: _jpeg(_half(picture), 80),
}


def _same(one: Image.Image, other: Image.Image) -> bool:
    prints = np.stack([fingerprint(np.asarray(picture.convert("RGB"))) for picture in (one, other)])
    return len(find_copies(["a", "b"], prints).similar) == 1


@pytest.mark.parametrize("change", CHANGES)
def test_rescaled_and_recompressed_copies_are_found(digits: Path, change: str) -> None:
    digit = Image.open(digits / "7" / "3500.png").convert("RGB").resize((140, 140), Image.Resampling.BICUBIC)
    gradient = Image.merge("RGB", [Image.linear_gradient("L"), Image.radial_gradient("L"), Image.linear_gradient("L")])
    for picture in (noise(1), noise(2, 160, 120), digit, gradient):
        assert _same(picture, CHANGES[change](picture))


def test_similar_pictures_are_not_copies(digits: Path) -> None:
    picture = noise(1)
    red, blue = (Image.new("RGB", (40, 40), color) for color in ((76, 0, 0), (0, 0, 199)))  # of the same luminance
    for other in (noise(2), ImageOps.mirror(picture), picture.rotate(90), ImageOps.invert(picture)):
        assert not _same(picture, other)
    assert not _same(red, blue)
    dark = [Image.fromarray((np.asarray(noise(seed)) // 64).astype(np.uint8)) for seed in (1, 2)]
    assert not _same(*dark)
    ones = [Image.open(path) for path in sorted((digits / "1").iterdir())[:100]]
    prints = np.stack([fingerprint(np.asarray(one.convert("RGB"))) for one in ones])
    assert find_copies([str(number) for number in range(100)], prints).groups == ()


def test_groups_of_identical_and_similar_pictures() -> None:
    pictures = [noise(1), noise(1), noise(2), _half(noise(1)), noise(3), noise(3)]
    prints = np.stack([fingerprint(np.asarray(picture)) for picture in pictures])
    copies = find_copies(list("aabcdd"), prints)
    assert (copies.identical, copies.similar) == (((0, 1), (4, 5)), ((0, 1, 3),))
    assert copies.groups == ((0, 1, 3), (4, 5))
    assert find_copies([], np.empty((0, FINGERPRINT_LENGTH), np.float32)).groups == ()


def test_frames_of_a_video_are_a_series_and_not_copies() -> None:
    frames = [noise(1)]
    for number in range(60):
        frame = np.asarray(frames[-1]).copy()
        frame[number % 40, number % 7] ^= 255
        frames.append(Image.fromarray(frame))
    prints = np.stack([fingerprint(np.asarray(frame)) for frame in frames])
    copies = find_copies([str(number) for number in range(61)], prints)
    assert (copies.groups, len(copies.series)) == ((), 1)


def _manifest(labels: str) -> Manifest:
    pictures = tuple(Picture(Path(f"/set/{label}/{row}.png"), label) for row, label in enumerate(labels))
    return Manifest(Path("/set"), tuple(sorted(set(labels))), pictures)


@pytest.mark.parametrize("seed", range(20))
def test_no_group_is_divided_and_the_others_stay(seed: int) -> None:
    manifest = _manifest("a" * 30 + "b" * 30)
    rng = np.random.default_rng(seed)
    rows = rng.permutation(60)[:20]
    groups = [sorted(map(int, rows[start : start + 4])) for start in range(0, 20, 4)]
    drawn = split(manifest, 0.25, seed)
    together = with_copies_together(drawn, manifest, groups, "test")
    before, after = drawn.subset_of(), together.subset_of()
    assert sorted([*together.train, *together.test]) == list(range(60))
    for group in groups:
        assert {after[row] for row in group} == {before[group[0]]}
    assert together.moved == sum(before[row] != after[row] for row in range(60))
    assert all(before[row] == after[row] for row in range(60) if row not in rows)
    nothing = with_copies_together(drawn, manifest, [], "test")
    assert np.array_equal(nothing.train, drawn.train)
    assert np.array_equal(nothing.test, drawn.test)

    folded = with_fold(together, manifest, 0.25, seed)
    apart = with_copies_together(folded, manifest, groups, "val").subset_of()
    for group in groups:
        assert len({apart[row] for row in group}) == 1
    assert all((apart[row] == "test") == (after[row] == "test") for row in range(60))


@pytest.mark.parametrize("seed", range(5))
def test_a_number_of_training_images_per_class_is_kept(seed: int) -> None:
    manifest = _manifest("a" * 30 + "b" * 30)
    groups = [[0, 1, 2, 31], [5, 6], [40, 41, 42, 43]]
    drawn = split_per_class(manifest, 10, 12, seed)
    together = with_copies_together(drawn, manifest, groups, "test")
    assert np.array_equal(together.train, drawn.train)
    after = together.subset_of()
    assert len(after) == 60
    assert all(not {"train", "test"} <= {after[row] for row in group} for group in groups)
    assert together.moved == len(drawn.test) - len(together.test)


def test_a_class_keeps_training_images() -> None:
    manifest = _manifest("aaaa" + "b" * 20)
    drawn = split(manifest, 0.25, 0)
    first = int(drawn.test[[manifest.pictures[row].label == "a" for row in drawn.test]][0])
    group = [first, *(row for row in range(4) if row != first)]
    after = with_copies_together(drawn, manifest, [group], "test").subset_of()
    assert {after[row] for row in range(4)} == {"train"}
    with pytest.raises(DataError, match="all pictures that were drawn for test are copies of training pictures"):
        with_copies_together(drawn, manifest, [range(24)], "test")


def _prepared(folder: Path, **settings: object) -> tuple[TrainingData, list[str]]:
    said: list[str] = []
    data = prepare(DataSettings(dataset=str(folder), **settings), 32, said.append)  # type: ignore[arg-type]
    return data, said


def _divided(data: TrainingData) -> int:
    subset_of = data.split.subset_of()
    return sum(len({subset_of[row] for row in group}) > 1 for group in data.copies.groups)


def test_thumbnails_beside_the_pictures_never_leak_into_test(tmp_path: Path) -> None:
    write_classes(tmp_path, ["cat", "dog"], 20)
    for path in list(tmp_path.rglob("*.png")):
        with Image.open(path) as picture:
            picture.resize((24, 24)).save(path.with_name(f"thumb_{path.stem}.jpg"), quality=90)
    shutil.copy(tmp_path / "cat" / "0.png", tmp_path / "cat" / "zero.png")
    data, said = _prepared(tmp_path)
    assert _divided(data) == 0
    line = next(line for line in said if "copies" in line)
    assert line == (
        f"81 pictures are copies of others: 1 group of identical files, 40 groups of rescaled or recompressed ones; "
        f"moved {data.split.moved}, so that copies are in the same subset"
    )
    assert 0 < data.split.moved <= 25
    folded = data.fold(0.25, 3)
    assert _divided(folded) == 0
    assert min(len(folded.split.rows(name)) for name in ("train", "val", "test")) > 5
    loose, said = _prepared(tmp_path, group_copies=False)
    assert _divided(loose) > 5
    assert any(line.endswith(f"copies of {_divided(loose)} are in several subsets") for line in said)
    assert np.array_equal(loose.split.train, split(loose.manifest, 0.25, 42).train)


def test_predefined_subsets_are_not_changed(digits: Path, tmp_path: Path) -> None:
    copy_digits(digits, tmp_path / "train", "01", 10)
    copy_digits(digits, tmp_path / "test", "01", 4, skip=9)
    data, said = _prepared(tmp_path)
    assert (len(data.split.train), len(data.split.test), data.split.moved) == (20, 8, 0)
    assert "4 pictures are copies of others: 2 groups of identical files, 0 groups of rescaled or recompressed ones; " \
        "copies of 2 are in several subsets" in said  # fmt: skip


@needs_caltech101
@pytest.mark.parametrize("size", [28, 96])
def test_the_tutorials_split_has_no_copies_on_both_sides(caltech101: Path, size: int) -> None:
    manifest = scan(caltech101, ("Faces", "Leopards", "Motorbikes", "airplanes"))
    drawn = split(manifest, 0.25, 42)
    pictures = load_pictures(manifest, size)
    copies = find_copies(pictures.digests, pictures.fingerprints[pictures.stored])
    # Two motorbikes that differ in the engine only, both in train.
    assert [[manifest.relative(manifest.pictures[row].path) for row in group] for group in copies.groups] == [
        ["Motorbikes/image_0428.jpg", "Motorbikes/image_0429.jpg"]
    ]
    together = with_copies_together(drawn, manifest, copies.groups, "test")
    assert np.array_equal(together.train, drawn.train)
    assert np.array_equal(together.test, drawn.test)
