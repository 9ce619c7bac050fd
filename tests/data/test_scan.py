import os
import shutil
from pathlib import Path

import pytest

from conftest import copy_digits, needs_caltech101
from stridednet.data.scan import scan
from stridednet.errors import DataError


def test_digits_has_5000_pictures_of_10_classes() -> None:
    manifest = scan("digits")
    assert manifest.labels == tuple("0123456789")
    assert len(manifest.pictures) == 5000
    assert manifest.problems == ()


@needs_caltech101
def test_the_four_classes_of_caltech101(caltech101: Path) -> None:
    manifest = scan(caltech101, ["airplanes", "Faces", "Motorbikes", "Leopards"])
    assert manifest.labels == ("Faces", "Leopards", "Motorbikes", "airplanes")
    counts = {label: sum(picture.label == label for picture in manifest.pictures) for label in manifest.labels}
    assert counts == {"Faces": 435, "Leopards": 200, "Motorbikes": 798, "airplanes": 800}


def test_class_folders_are_searched_recursively_and_clutter_is_ignored(few_digits: Path) -> None:
    deep = few_digits / "0" / "more" / "still"
    deep.mkdir(parents=True)
    shutil.copy(next((few_digits / "1").glob("*.png")), deep / "one.PNG")
    for clutter in (".DS_Store", "Thumbs.db", "__MACOSX/x.png", ".git/x.png"):
        path = few_digits / "0" / clutter
        path.parent.mkdir(exist_ok=True)
        path.write_text("clutter")
    (few_digits / "README.txt").write_text("not a class")
    manifest = scan(few_digits)
    assert len(manifest.pictures) == 121
    assert manifest.problems == ()


def test_other_files_are_problems(few_digits: Path) -> None:
    (few_digits / "0" / "notes.txt").write_text("three of them are sevens")
    (few_digits / "1" / "gone.png").symlink_to(few_digits / "nowhere.png")
    shutil.copy(next((few_digits / "2").iterdir()), few_digits / "loose.PNG")
    manifest = scan(few_digits)
    assert [(problem.path.name, problem.reason.split(":")[0]) for problem in manifest.problems] == [
        ("loose.PNG", "not in a class folder"),
        ("notes.txt", "not an image"),
        ("gone.png", "broken symbolic link"),
    ]


def test_cyclic_links_are_not_followed(few_digits: Path) -> None:
    (few_digits / "0" / "again").symlink_to(few_digits / "0", target_is_directory=True)
    assert len(scan(few_digits).pictures) == 120


def test_what_is_found_of_selected_classes_does_not_depend_on_the_others(few_digits: Path) -> None:
    for label in "02":
        (few_digits / label / "notes.txt").write_text("sevens")
    (few_digits / "2" / "loop").symlink_to("loop")
    found = scan(few_digits, ["0", "1"])
    listed_as_well = scan(few_digits, ["0", "1"], exclude=["*.xyz"])
    assert (found.pictures, found.problems) == (listed_as_well.pictures, listed_as_well.problems)
    assert [(len(found.pictures), problem.path.name) for problem in found.problems] == [(80, "notes.txt")]
    parts = few_digits.parent / "parts"
    (parts / "train" / "0").mkdir(parents=True)
    (few_digits / "1").rename(parts / "train" / "1")
    (few_digits / "2").rename(parts / "train" / "2")
    (parts / "test" / "1").mkdir(parents=True)
    with pytest.raises(DataError, match="class '0' has no training images in"):
        scan(parts, ["0", "1"])


def test_links_to_the_folders_above_are_not_followed(few_digits: Path, tmp_path: Path) -> None:
    elsewhere = few_digits.rename(tmp_path / "elsewhere")
    data = tmp_path / "data"
    data.mkdir()
    (elsewhere / "0").rename(data / "0")
    (data / "1").symlink_to(elsewhere / "1", target_is_directory=True)
    (data / "0" / "up").symlink_to("..", target_is_directory=True)
    (elsewhere / "1" / "top").symlink_to(data, target_is_directory=True)
    (elsewhere / "1" / "more").symlink_to(elsewhere / "2", target_is_directory=True)
    labels = [picture.label for picture in scan(data).pictures]
    assert {label: labels.count(label) for label in labels} == {"0": 40, "1": 80}, "links elsewhere are followed"


def test_links_to_themselves_are_broken(few_digits: Path) -> None:
    (few_digits / "0" / "one.png").symlink_to("two.png")
    (few_digits / "0" / "two.png").symlink_to("one.png")
    (few_digits / "loop").symlink_to("loop")
    manifest = scan(few_digits)
    assert (manifest.labels, len(manifest.pictures)) == (("0", "1", "2"), 120)
    assert [(problem.path.name, problem.reason) for problem in manifest.problems] == [
        ("one.png", "broken symbolic link"),
        ("two.png", "broken symbolic link"),
    ]


def test_names_that_are_not_utf8_are_read(few_digits: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(few_digits / "0") + b"/\xff.png"))
    shutil.copy(next((few_digits / "0").glob("*.png")), odd)
    manifest = scan(few_digits)
    assert len(manifest.pictures) == 121
    assert r"0/\udcff.png" in [manifest.relative(picture.path) for picture in manifest.pictures]


@pytest.mark.parametrize("val", ["val", "valid", "Validation"])
def test_a_folder_of_subsets(digits: Path, tmp_path: Path, val: str) -> None:
    root = tmp_path / "parts"
    copy_digits(digits, root / "train", "01", 10)
    copy_digits(digits, root / val, "01", 4, skip=10)
    copy_digits(digits, root / "test", "01", 3, skip=20)
    (root / "docs").mkdir()
    manifest = scan(root)
    subsets = [picture.subset for picture in manifest.pictures]
    assert {subset: subsets.count(subset) for subset in ("train", "val", "test")} == {"train": 20, "val": 8, "test": 6}
    assert manifest.labels == ("0", "1")
    assert manifest.ignored_folders == ("docs",)


def test_a_class_may_be_named_train(digits: Path, tmp_path: Path) -> None:
    root = copy_digits(digits, tmp_path / "vehicles", "01", 5)
    (root / "0").rename(root / "train")
    assert scan(root).labels == ("1", "train")


def test_a_test_folder_without_classes_is_ignored(digits: Path, tmp_path: Path) -> None:
    root = tmp_path / "kaggle"
    copy_digits(digits, root / "train", "01", 5)
    shutil.copytree(digits / "2", root / "test")
    manifest = scan(root)
    assert (manifest.labels, len(manifest.pictures), manifest.ignored_folders) == (("0", "1"), 10, ("test",))
    shutil.copytree(digits / "3", root / "unlabeled")
    with pytest.raises(
        DataError, match=r"kaggle/train looks like a subset, but .*/unlabeled next to it looks like a class"
    ):
        scan(root)


def test_inconsistent_subsets_are_rejected(digits: Path, tmp_path: Path) -> None:
    root = tmp_path / "parts"
    copy_digits(digits, root / "train", "01", 5)
    copy_digits(digits, root / "test", "012", 5)
    with pytest.raises(DataError, match="no training images of 2"):
        scan(root)
    assert scan(root, ["0", "1"]).labels == ("0", "1")
    copy_digits(digits, root / "Testing", "01", 5)
    with pytest.raises(DataError, match=r"several folders for the test subset: .*Testing, .*test; keep only one"):
        scan(root)


def test_invalid_data_sets_are_rejected(few_digits: Path, tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"no such folder or archive: .*nowhere; built-in data sets: digits, caltech101"
    ):
        scan(tmp_path / "nowhere")
    with pytest.raises(DataError, match="has no class folders, but a classifier needs at least two classes"):
        scan(few_digits / "0")
    with pytest.raises(DataError, match=r"has only one class folder, .*; did you mean .*few\?"):
        scan(few_digits.parent)
    with pytest.raises(DataError, match=r"has no class '7', '8'; available labels: 0, 1, 2"):
        scan(few_digits, ["7", "0", "8"])
    with pytest.raises(DataError, match=r"labels: a classifier needs at least two classes of: 0, 1, 2\. Received: 1"):
        scan(few_digits, ["1"])
    (few_digits / "empty").mkdir()
    with pytest.raises(DataError, match=r"class 'empty' has no images in .*few; add some"):
        scan(few_digits)
    note = tmp_path / "note.txt"
    note.write_text("not an archive")
    with pytest.raises(DataError, match=r"note.txt is neither a folder nor an archive"):
        scan(note)
