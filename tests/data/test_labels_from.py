"""Labels in file names and in CSV files."""

import shutil
from collections import Counter
from pathlib import Path

import pytest

from stridednet.data.labels_from import label_in_name
from stridednet.data.scan import scan
from stridednet.errors import DataError
from tiny_pictures import noise


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("cat.12.jpg", "cat"),
        ("cat_12.jpg", "cat"),
        ("cat-12.jpg", "cat"),
        ("cat 12.jpg", "cat"),
        ("cat (12).jpg", "cat"),
        ("cat12.jpg", "cat"),
        ("american_bulldog_100.jpg", "american_bulldog"),
        ("n01440764_10026.JPEG", "n01440764"),
        ("7_0012.png", "7"),
        ("dog.12.copy.jpg", "dog"),
        ("dog_a.jpg", "dog"),
        ("k\u00e4se.3.jpg", "k\u00e4se"),
        ("12.jpg", None),
        ("___.jpg", None),
    ],
)
def test_the_class_is_the_part_before_the_number(name: str, label: str | None) -> None:
    assert label_in_name(name) == label


@pytest.fixture
def competition(tmp_path: Path) -> Path:
    """Flat folders, labels in the names of training pictures only."""
    root = tmp_path / "competition"
    for folder in ("train", "test1"):
        (root / folder).mkdir(parents=True)
        for number in range(1, 7):
            for label in ("cat", "dog"):
                name = f"{label}.{number}.jpg" if folder == "train" else f"{2 * number + (label == 'cat')}.jpg"
                noise(f"{folder} {name}").save(root / folder / name)
    return root


def test_labels_in_file_names(competition: Path) -> None:
    with pytest.raises(DataError, match=r"test1 and train are subsets, but have no class folders; use `labels_from`"):
        scan(competition)
    manifest = scan(competition, labels_from="name")
    assert Counter(picture.label for picture in manifest.pictures) == {"cat": 6, "dog": 6}
    assert (manifest.ignored_folders, manifest.problems) == (("test1",), ())
    shutil.copy(competition / "train" / "cat.1.jpg", competition / "test1" / "cat.9.jpg")
    shutil.copy(competition / "train" / "dog.1.jpg", competition / "test1" / "dog.9.jpg")
    manifest = scan(competition, labels_from="name")
    assert Counter(picture.subset for picture in manifest.pictures) == {"train": 12, "test": 2}
    assert {problem.reason for problem in manifest.problems} == {"no label in the file name"}


def test_labels_in_file_names_of_one_folder(competition: Path) -> None:
    manifest = scan(competition / "train", labels_from="name")
    assert (manifest.labels, len(manifest.pictures), manifest.has_subsets) == (("cat", "dog"), 12, False)
    with pytest.raises(DataError, match=r"has no class folders, .* in file names or in a CSV file, see `labels_from`"):
        scan(competition / "train")
    with pytest.raises(DataError, match=r"no picture in .*test1 has a label\. Received: 'name'"):
        scan(competition / "test1", labels_from="name")
    for picture in (competition / "train").glob("dog*"):
        picture.unlink()
    with pytest.raises(DataError, match=r"has only one class, .*; the labels from 'name' are cat"):
        scan(competition / "train", labels_from="name")


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    """Pictures with numbers for names, and no labels."""
    root = tmp_path / "listed"
    (root / "images").mkdir(parents=True)
    for number in range(8):
        noise(f"listed {number}").save(root / "images" / f"{number:03d}.jpg")
    return root


ROWS = [(f"{number:03d}", "cat" if number < 4 else "dog") for number in range(8)]
TABLES = {
    "ids": "id,breed\n" + "".join(f"{name},{label}\n" for name, label in ROWS),
    "names": "file,label\n" + "".join(f"{name}.jpg,{label}\n" for name, label in ROWS),
    "paths": "label;path\n" + "".join(f"{label};images/{name}.jpg\n" for name, label in ROWS),
    "paths from above": "path\tclass\n" + "".join(f"./data/images/{name}.jpg\t{label}\n" for name, label in ROWS),
    "backslashes": "path,class\r\n" + "".join(f"images\\{name}.jpg,{label}\r\n" for name, label in ROWS),
    "no header": "".join(f"{name}.jpg,{label}\n" for name, label in ROWS),
    "more columns": "n,image,width,label\n" + "".join(f"9,{name}.jpg,40,{label}\n" for name, label in ROWS),
    "ones and zeros": "image,cat,dog\n"
    + "".join(f"{name},{float(label == 'cat')},{float(label == 'dog')}\n" for name, label in ROWS),
    "byte order mark": "\ufefffile,label\n" + "".join(f"{name}.jpg,{label}\n" for name, label in ROWS),
}


@pytest.mark.parametrize("kind", TABLES)
def test_labels_in_a_table(listed: Path, kind: str) -> None:
    (listed / "labels.csv").write_text(TABLES[kind], encoding="utf-8", newline="")
    for source in ("labels.csv", str(listed / "labels.csv")):
        manifest = scan(listed, labels_from=source)
        assert [picture.label for picture in manifest.pictures] == ["cat"] * 4 + ["dog"] * 4
        assert manifest.problems == ()


def test_columns_can_be_named(listed: Path) -> None:
    rows = "".join(f"{name}.jpg,{label},{'indoors' if int(name) % 2 else 'outdoors'}\n" for name, label in ROWS)
    (listed / "all.csv").write_text("file,animal,place\n" + rows)
    with pytest.raises(DataError, match=r"which column .*: all\.csv:file,LABEL; columns: file, animal, place"):
        scan(listed, labels_from="all.csv")
    assert scan(listed, labels_from="all.csv:file,animal").labels == ("cat", "dog")
    assert scan(listed, labels_from="all.csv:file,place").labels == ("indoors", "outdoors")
    with pytest.raises(DataError, match=r"has no column 'color'; columns: file, animal, place"):
        scan(listed, labels_from="all.csv:file,color")


def test_a_table_may_have_subsets_too(listed: Path) -> None:
    rows = "".join(f"{name}.jpg,{label},{'test' if int(name) % 4 == 0 else 'train'}\n" for name, label in ROWS)
    (listed / "labels.csv").write_text("file,label,split\n" + rows)
    manifest = scan(listed, labels_from="labels.csv")
    assert Counter(picture.subset for picture in manifest.pictures) == {"train": 6, "test": 2}


def test_what_table_and_folder_do_not_have_in_common_is_a_problem(listed: Path) -> None:
    table = TABLES["names"].replace("007.jpg,dog\n", "") + "gone.jpg,dog\n000.jpg,dog\n"
    (listed / "labels.csv").write_text(table)
    manifest = scan(listed, labels_from="labels.csv")
    assert {(problem.path.name, problem.reason) for problem in manifest.problems} == {
        ("000.jpg", "listed with several labels"),
        ("gone.jpg", "listed, but there is no such file"),
        ("007.jpg", "not listed in labels.csv"),
    }
    assert len(manifest.pictures) == 6


def test_files_that_are_no_table_of_labels(listed: Path) -> None:
    with pytest.raises(DataError, match=r"expected 'name', or a CSV file .* Received: 'labels\.csv'"):
        scan(listed, labels_from="labels.csv")
    for text, message in (
        ("", "is not a table"),
        ("just text\n", "is not a table"),
        ("a,b\n1,2,3\n", "is not a table"),
        ("a,b\nx,y\n", "no column of .* has the names of pictures in the data set; columns: a, b"),
    ):
        (listed / "labels.csv").write_text(text)
        with pytest.raises(DataError, match=message):
            scan(listed, labels_from="labels.csv")


def test_only_line_feeds_and_carriage_returns_end_a_row(listed: Path) -> None:
    (listed / "labels.csv").write_text(TABLES["names"].replace("dog", "dog\u2028\x85\x1cs"), encoding="utf-8")
    assert scan(listed, labels_from="labels.csv").labels == ("cat", "dog\u2028\x85\x1cs")


def test_a_table_beside_the_pictures_in_an_archive(listed: Path, tmp_path: Path) -> None:
    (listed / "labels.csv").write_text(TABLES["ids"])
    archive = shutil.make_archive(str(tmp_path / "packed"), "zip", listed)
    assert scan(archive, labels_from="labels.csv").labels == ("cat", "dog")
