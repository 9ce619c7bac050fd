import shutil
from pathlib import Path

import numpy as np
import pytest

from conftest import copy_digits
from stridednet.data.prepare import prepare
from stridednet.errors import DataError
from stridednet.settings import DataSettings


def _prepare(folder: Path, **settings: object) -> tuple[object, list[str]]:
    said: list[str] = []
    return prepare(DataSettings(dataset=str(folder), **settings), 28, said.append), said  # type: ignore[arg-type]


def test_identical_pictures_in_different_classes_are_reported(few_digits: Path) -> None:
    shutil.copy(min((few_digits / "0").iterdir()), few_digits / "1" / "copy.png")
    data, said = _prepare(few_digits)
    first = min((few_digits / "0").iterdir()).name
    assert f"identical pictures in different classes: 0/{first}, 1/copy.png" in said
    assert len(data.manifest.pictures) == 121  # type: ignore[attr-defined]


def test_identical_pictures_in_different_subsets_are_reported(digits: Path, tmp_path: Path) -> None:
    root = tmp_path / "parts"
    copy_digits(digits, root / "train", "01", 10)
    copy_digits(digits, root / "test", "01", 4, skip=9)
    _, said = _prepare(root)
    assert sum(line.startswith("identical pictures in different subsets: test/") for line in said) == 2
    assert "predefined subsets: 20 train, 8 test; validation curve on test, report on test" in said


def test_a_predefined_test_subset_without_usable_pictures_is_replaced(digits: Path, tmp_path: Path) -> None:
    root = tmp_path / "parts"
    copy_digits(digits, root / "train", "01", 10)
    (root / "test" / "0").mkdir(parents=True)
    (root / "test" / "0" / "damaged.png").touch()
    data, said = _prepare(root)
    assert "stratified split: 15 train, 5 test; validation curve on test, report on test" in said
    assert data.split.origin == "stratified"  # type: ignore[attr-defined]


def test_problems_are_listed_and_counted_or_an_error(few_digits: Path) -> None:
    (few_digits / "0" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (few_digits / "1" / "notes.txt").write_text("x")
    _, said = _prepare(few_digits)
    assert [line.split(":")[0] for line in said if "skipped" in line] == [
        "skipped 1/notes.txt", "skipped 0/broken.png", "skipped 2 files in total",
    ]  # fmt: skip
    with pytest.raises(
        DataError, match=r"notes.txt: not an image: .*; repair or remove all 2 unusable files, or omit `strict`"
    ):
        _prepare(few_digits, strict=True)


def test_files_of_the_same_kind_are_reported_in_one_line(few_digits: Path) -> None:
    for number in range(1500):
        (few_digits / "0" / f"{number}.xml").touch()
        (few_digits / "1" / f"{number}").write_text("x")
    data, said = _prepare(few_digits)
    assert len(data.manifest.problems) == 3000  # type: ignore[attr-defined]
    assert [line for line in said if line.startswith("skipped")] == [
        "skipped 1,500 .xml files, such as 0/0.xml: not an image: neither the file name nor the content is that of an "
        "image",
        "skipped 1,500 files without a suffix, such as 1/0: not an image: neither the file name nor the content is "
        "that of an image",
        "skipped 3,000 files in total; problems.csv of the run lists all of them",
    ]
    for number in range(100):
        (few_digits / "0" / f"x.{number}x").touch()
    assert len([line for line in _prepare(few_digits)[1] if line.startswith("skipped")]) == 13


def test_many_duplicates_are_reported_in_one_line(few_digits: Path) -> None:
    for path in list((few_digits / "0").iterdir()):
        shutil.copy(path, few_digits / "1" / f"copy_{path.name}")
    data, said = _prepare(few_digits)
    assert len(data.duplicates) == 40  # type: ignore[attr-defined]
    first = min((few_digits / "0").iterdir()).name
    assert [line for line in said if line.startswith("identical")] == [
        f"identical pictures in different classes: 40 groups, such as 0/{first}, 1/copy_{first}; report.json lists all "
        "of them"
    ]


def test_classes_of_damaged_files_are_named_at_once_or_left_out(few_digits: Path) -> None:
    for label in ("x", "y"):
        (few_digits / label).mkdir()
        for number in range(4):
            (few_digits / label / f"{number}.jpg").touch()
    with pytest.raises(DataError, match=r"classes 'x' \(0\), 'y' \(0\) in .*few have too few usable images to split"):
        _prepare(few_digits)
    data, said = _prepare(few_digits, skip_empty=True)
    assert data.labels == ("0", "1", "2")  # type: ignore[attr-defined]
    assert "classes left out, since none of their training images can be used: x, y" in said
    assert data.targets.shape == (120, 3)  # type: ignore[attr-defined]


def test_names_with_control_characters_are_shown_in_one_line(few_digits: Path) -> None:
    (few_digits / "0").rename(few_digits / "two\nlines")
    (few_digits / "two\nlines" / "\x1b[31mred.txt").touch()
    _, said = _prepare(few_digits)
    assert all("\n" not in line and "\x1b" not in line for line in said)
    assert any(r"skipped two\nlines/\x1b[31mred.txt: " in line for line in said)


def test_a_class_of_damaged_files_is_too_small(few_digits: Path) -> None:
    for number, picture in enumerate(sorted((few_digits / "2").iterdir())):
        if number:
            picture.write_bytes(b"")
    with pytest.raises(
        DataError, match=r"class '2' in .*few has too few usable images to split: 1, but at least 2 are required"
    ):
        _prepare(few_digits)


def test_the_hash_is_of_content_labels_and_subsets(few_digits: Path, tmp_path: Path) -> None:
    def hash_of(folder: Path, **settings: object) -> str:
        return _prepare(folder, **settings)[0].hash  # type: ignore[attr-defined,no-any-return]

    before = hash_of(few_digits)
    moved = few_digits.rename(tmp_path / "moved")
    assert hash_of(moved) == before
    assert hash_of(moved, split_seed=1) != before
    shutil.copy(next((moved / "1").iterdir()), min((moved / "0").iterdir()))
    assert hash_of(moved) != before


def test_rows_targets_and_images_belong_together(few_digits: Path) -> None:
    (few_digits / "0" / "0.png").touch()  # skipped, which shifts the rows
    data, _ = _prepare(few_digits)
    for subset in ("train", "test"):
        seen = 0
        for batch in data.batches(subset):  # type: ignore[attr-defined]
            for image, target in zip(batch.images, batch.targets, strict=True):
                row = data.split.rows(subset)[seen]  # type: ignore[attr-defined]
                picture = data.manifest.pictures[row]  # type: ignore[attr-defined]
                assert data.labels[target.argmax()] == picture.label  # type: ignore[attr-defined]
                from stridednet.data.decode import decode

                assert np.array_equal(image, decode(picture.path, 28))
                seen += 1
        assert seen == {"train": 90, "test": 30}[subset]
