"""Layouts as people have them: which folders are classes, and which are subsets."""

import unicodedata
from collections import Counter
from pathlib import Path

import pytest

from stridednet.data.layout import subset_named
from stridednet.data.scan import Manifest, scan
from stridednet.errors import DataError
from tiny_pictures import noise, write_classes


def _subsets(manifest: Manifest) -> dict[str | None, int]:
    return dict(Counter(picture.subset for picture in manifest.pictures))


@pytest.mark.parametrize(
    ("train", "other", "subset"),
    [
        ("training_set", "test_set", "test"),
        ("train_set", "test_set", "test"),
        ("training_images", "test_images", "test"),
        ("train_data", "validation_data", "val"),
        ("trainset", "testset", "test"),
        ("train_dir", "val_dir", "val"),
        ("trn", "tst", "test"),
        ("Training Set", "Test Set", "test"),
        ("TrainImages", "ValImages", "val"),
        ("train2017", "val2017", "val"),
        ("seg_train", "seg_test", "test"),
        ("01-train", "02-dev", "val"),
        ("TRAIN", "EVAL", "val"),
        ("pets.train", "pets.valid", "val"),
        ("trainval", "test", "test"),
        ("train_and_val", "test1", "test"),
    ],
)
def test_subsets_are_known_by_names_in_any_spelling(tmp_path: Path, train: str, other: str, subset: str) -> None:
    write_classes(tmp_path / train, ["cats", "dogs"], 4)
    write_classes(tmp_path / other, ["cats", "dogs"], 2)
    manifest = scan(tmp_path)
    assert manifest.labels == ("cats", "dogs")
    assert _subsets(manifest) == {"train": 8, subset: 4}


def test_train_dev_and_eval_are_three_subsets(tmp_path: Path) -> None:
    for name in ("train_split", "dev_split", "eval_split"):
        write_classes(tmp_path / name, ["cats", "dogs"], 2)
    assert _subsets(scan(tmp_path)) == {"train": 4, "val": 4, "test": 4}


@pytest.mark.parametrize(
    "name", ["trainers", "contest", "latest", "trains", "valley", "device", "medieval", "tests", "strain", "testudo"]
)
def test_other_words_do_not_name_a_subset(name: str) -> None:
    assert subset_named(name) is None


def test_classes_with_names_of_subsets_stay_classes(tmp_path: Path) -> None:
    for label in ("training_shoes", "sandals"):
        write_classes(tmp_path / label, ["front", "side"], 2)
    (tmp_path / "sandals" / "side").rename(tmp_path / "sandals" / "back")
    (tmp_path / "sandals" / "front").rename(tmp_path / "sandals" / "top")
    manifest = scan(tmp_path)
    assert (manifest.labels, manifest.has_subsets) == (("sandals", "training_shoes"), False)
    write_classes(tmp_path, ["test_tubes"], 2)
    assert scan(tmp_path).labels == ("sandals", "test_tubes", "training_shoes")


@pytest.mark.parametrize(("train", "test"), [("train", "test"), ("seg_train", "seg_test"), ("Train", "test")])
def test_an_archive_unpacked_twice(tmp_path: Path, train: str, test: str) -> None:
    write_classes(tmp_path / train / train, ["cat", "dog"], 4)
    write_classes(tmp_path / test / test, ["cat", "dog"], 2)
    write_classes(tmp_path / "seg_pred", ["seg_pred"], 2)
    manifest = scan(tmp_path)
    assert (manifest.labels, _subsets(manifest)) == (("cat", "dog"), {"train": 8, "test": 4})
    assert manifest.ignored_folders == ("seg_pred",)


def test_class_folders_below_a_folder_named_images(tmp_path: Path) -> None:
    write_classes(tmp_path / "train" / "images", ["cat", "dog"], 4)
    write_classes(tmp_path / "val" / "images", ["cat", "dog"], 2)
    manifest = scan(tmp_path)
    assert (manifest.labels, _subsets(manifest)) == (("cat", "dog"), {"train": 8, "val": 4})


def test_a_subset_with_one_class_that_has_folders(tmp_path: Path) -> None:
    write_classes(tmp_path / "train", ["cat", "dog"], 4)
    write_classes(tmp_path / "val" / "cat", ["indoors", "outdoors"], 2)
    assert _subsets(scan(tmp_path)) == {"train": 8, "val": 4}


@pytest.mark.parametrize("test", ["test", "test1", "TestImages", "validation"])
def test_subsets_without_class_folders_are_rejected_with_the_reason(tmp_path: Path, test: str) -> None:
    for folder in ("train", test):
        (tmp_path / folder).mkdir()
        for label in ("cat", "dog"):
            noise(f"{folder}{label}").save(tmp_path / folder / f"{label}.1.jpg")
    with pytest.raises(DataError, match=r"are subsets, but have no class folders; use `labels_from` to read the class"):
        scan(tmp_path)
    assert scan(tmp_path, ["train", test]).labels == tuple(sorted(["train", test]))


def test_a_flat_train_folder_is_no_class_beside_a_test_folder_with_classes(tmp_path: Path) -> None:
    write_classes(tmp_path, ["train"])
    write_classes(tmp_path / "test", ["cat", "dog"])
    with pytest.raises(DataError, match="have no class folders"):
        scan(tmp_path)


def test_folders_that_contain_the_same_folders_are_pointed_out(tmp_path: Path) -> None:
    for name in ("first", "second"):
        write_classes(tmp_path / name, ["cats", "dogs"], 3)
    manifest = scan(tmp_path)
    assert manifest.labels == ("first", "second")
    (note,) = manifest.notes
    assert note.startswith("the classes are first, second; each of them contains cats, dogs: to use these as classes, ")
    chosen = scan(tmp_path, ["dogs", "cats"])
    assert (chosen.labels, len(chosen.pictures), chosen.has_subsets) == (("cats", "dogs"), 12, False)
    assert scan(tmp_path, ["first", "second"]).notes == ()
    (tmp_path / "first").rename(tmp_path / "training")
    with pytest.raises(DataError, match=r"ambiguous layout: .*training looks like a subset, but .*second next to it"):
        scan(tmp_path)
    (tmp_path / "training").rename(tmp_path / "training_images")
    with pytest.raises(DataError, match=r"ambiguous layout: .*training_images looks like a subset"):
        scan(tmp_path)


def test_folders_without_pictures_next_to_subsets_are_ignored(tmp_path: Path) -> None:
    write_classes(tmp_path / "training_set", ["cats", "dogs"])
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "1.xml").write_text("<x/>")
    manifest = scan(tmp_path)
    assert (manifest.labels, manifest.ignored_folders) == (("cats", "dogs"), ("annotations",))


def test_two_spellings_of_the_same_letters_are_one_class(tmp_path: Path) -> None:
    composed, decomposed = (unicodedata.normalize(form, "caf\u00e9") for form in ("NFC", "NFD"))
    write_classes(tmp_path / "train", [composed, "tea"], 4)
    write_classes(tmp_path / "test", [decomposed, "tea"], 2)
    for labels in ((), (decomposed, "tea"), (composed, "tea")):
        manifest = scan(tmp_path, labels)
        assert manifest.labels == (composed, "tea")
        assert _subsets(manifest) == {"train": 8, "test": 4}
    write_classes(tmp_path / "train", [decomposed], 3)
    assert len(scan(tmp_path).pictures) == 15, "both spellings in one folder are one class too"
