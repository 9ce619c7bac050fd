import csv
import json
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from conftest import Command, copy_digits
from stridednet.run import Run
from tiny_pictures import noise, write_classes

BAD = {
    "0/empty.png": "empty file",
    "0/truncated.jpg": "truncated or corrupt: image file is truncated",
    "0/corrupt.png": "truncated or corrupt: broken data stream",
    "1/page.jpg": "not an image, or its format cannot be identified",
    "1/movie.mp4": "not an image: neither the file name nor the content is that of an image",
    "2/gone.png": "broken symbolic link",
    "2/truncated.tif": "truncated or corrupt",
}
GOOD = ("0/GRAY.PNG", "0/alpha.png", "1/ink.JPG", "1/deep.tiff", "2/turned.jpeg", "2/small.webp", "2/old.Bmp")


@pytest.fixture
def messy(digits: Path, tmp_path: Path) -> Path:
    """Three classes of 30 digits, one file of each unusable kind, and one of each unusual but usable kind."""
    root = copy_digits(digits, tmp_path / "messy", "012", 30)
    with Image.open(min((root / "0").iterdir())) as opened:
        digit = opened.convert("L")
    color = digit.convert("RGB").resize((200, 150))

    (root / "0" / "empty.png").touch()
    color.save(root / "0" / "truncated.jpg")
    (root / "0" / "truncated.jpg").write_bytes((root / "0" / "truncated.jpg").read_bytes()[:1000])
    color.save(root / "0" / "corrupt.png")
    content = bytearray((root / "0" / "corrupt.png").read_bytes())
    content[60:90] = bytes(30)
    (root / "0" / "corrupt.png").write_bytes(content)
    (root / "1" / "page.jpg").write_text("<html>404 Not Found</html>")
    (root / "1" / "movie.mp4").write_bytes(os.urandom(500))
    (root / "2" / "gone.png").symlink_to("nowhere.png")
    color.save(root / "2" / "truncated.tif")
    (root / "2" / "truncated.tif").write_bytes((root / "2" / "truncated.tif").read_bytes()[:5000])

    digit.save(root / "0" / "GRAY.PNG")
    alpha = color.copy()
    alpha.putalpha(128)
    alpha.save(root / "0" / "alpha.png")
    color.convert("CMYK").save(root / "1" / "ink.JPG", format="JPEG")
    cv2.imwrite(str(root / "1" / "deep.tiff"), np.asarray(digit).astype(np.uint16) * 257)
    exif = Image.Exif()
    exif[0x0112] = 6
    color.save(root / "2" / "turned.jpeg", exif=exif)
    color.save(root / "2" / "small.webp")
    digit.save(root / "2" / "old.Bmp", format="BMP")

    shutil.copy(min((root / "1").glob("[0-9]*.png")), root / "2" / "copied.png")
    (root / "0" / "Thumbs.db").write_text("clutter")
    (root / "__MACOSX").mkdir()
    return root


def test_a_messy_folder_trains_and_its_unusable_files_are_listed(
    messy: Path, warm_command: Command, tmp_path: Path
) -> None:
    before = {str(path): path.lstat().st_mtime_ns for path in messy.rglob("*")}
    small = ("--set", "image_size=28", "--set", "model.filters=[8]", "--set", "model.dense_units=16", "-e", "1")
    done = warm_command("train", messy, *small, "--out", "run")
    assert (done.returncode, done.stderr) == (0, "")
    for path, reason in BAD.items():
        assert f"skipped {path}: {reason}" in done.stdout
    assert "skipped 7 files in total" in done.stdout
    assert "stratified split: 75 train, 23 test" in done.stdout
    assert "samples of more than 8 bits: 0 to 65,535 of the whole data set become 0 to 255" in done.stdout
    # copied.png, and five pictures that were made from one digit and look like it
    assert "8 pictures are copies of others: 1 group of identical files, 1 group of rescaled" in done.stdout
    twin = min((messy / "1").glob("[0-9]*.png")).name
    assert f"identical pictures in different classes: 1/{twin}, 2/copied.png" in done.stdout

    run = tmp_path / "run"
    with (run / "problems.csv").open() as file:
        listed = {row["path"]: row["reason"] for row in csv.DictReader(file)}
    assert listed.keys() == BAD.keys()
    assert all(listed[path].startswith(reason) for path, reason in BAD.items())
    used = (run / "split.csv").read_text()
    assert all(f"\n{path}," in used for path in GOOD)
    report = json.loads((run / "report.json").read_text())
    assert {problem["path"] for problem in report["data"]["problems"]} == BAD.keys()
    assert {"across": "classes", "paths": [f"1/{twin}", "2/copied.png"]} in report["data"]["duplicates"]
    assert {str(path): path.lstat().st_mtime_ns for path in messy.rglob("*")} == before

    strict = warm_command("train", messy, *small, "--strict", "--out", "strict")
    assert strict.returncode == 2
    assert strict.stderr.startswith(f"error: {messy}/")
    assert strict.stderr.endswith("; repair or remove all 7 unusable files, or omit `strict`\n")
    assert not (tmp_path / "strict").exists()


SMALL = ("--set", "image_size=16", "--set", "model.filters=[8]", "--set", "model.dense_units=16", "-e", "1")


def test_a_data_set_with_its_own_results_inside(warm_command: Command, tmp_path: Path) -> None:
    write_classes(tmp_path, ["cat", "dog"], 12)
    first = warm_command("train", ".", *SMALL)
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.startswith("the results in runs/train are inside the data set, which ignores them when it is")
    second = warm_command("train", ".", *SMALL, "--out", "mine")
    third = warm_command("train", ".", *SMALL, "--out", "cat/deep")
    for done, ignored in ((second, "runs"), (third, "mine, runs")):
        assert (done.returncode, done.stderr) == (0, "")
        assert "24 pictures of 2 classes in" in done.stdout
        assert f"ignored, since they contain results of trainings: {ignored}" in done.stdout
    hashes = [json.loads((tmp_path / run / "report.json").read_text())["data"]["hash"] for run in ("mine", "cat/deep")]
    assert hashes[0] == hashes[1]
    (tmp_path / "mine" / "report.json").unlink()
    resumed = warm_command("train", "--resume", "mine")
    assert (resumed.returncode, resumed.stderr) == (0, "")


def test_any_class_name_can_be_selected_and_survives_the_run(warm_command: Command, tmp_path: Path) -> None:
    labels = ["salt, pepper", " leading", "two\nlines", 'so-called "cat"', "plain"]
    write_classes(tmp_path / "odd", labels, 8)
    done = warm_command(
        "train", "odd", *SMALL, "--out", "run", "--labels", 'plain,"salt, pepper"," leading"',
        "--labels", '"two\nlines"', "--labels", '"so-called ""cat"""',
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    run = Run.open(tmp_path / "run")
    assert run.labels == sorted(labels)
    assert len(run.split) == 40
    assert {row.label for row in run.split} == set(labels)
    assert r"two\nlines" in done.stdout
    resumed_from = Run.open(tmp_path / "run").recipe.data.labels
    assert sorted(resumed_from) == sorted(labels)
    wrong = warm_command("train", "odd", *SMALL, "--labels", "salt, pepper")
    assert wrong.returncode == 2
    assert wrong.stderr.count("\n") == 1
    assert '"salt, pepper"' in wrong.stderr


def test_labels_from_names_and_tables(warm_command: Command, tmp_path: Path) -> None:
    write_classes(tmp_path / "folders", ["cat", "dog"], 8)
    for folder in ("train", "test1"):
        (tmp_path / "pets" / folder).mkdir(parents=True)
    rows = []
    for picture in sorted((tmp_path / "folders").rglob("*.png")):
        shutil.copy(picture, tmp_path / "pets" / "train" / f"{picture.parent.name}.{picture.name}")
        rows.append(f"{picture.parent.name}.{picture.stem},{picture.parent.name}s\n")
        noise(f"test {picture}").save(tmp_path / "pets" / "test1" / f"{len(rows)}.png")
    refused = warm_command("train", "pets", *SMALL)
    assert refused.returncode == 2
    assert "test1 and train are subsets, but have no class folders" in refused.stderr
    done = warm_command("train", "pets", *SMALL, "--labels-from", "name", "--out", "by name")
    assert (done.returncode, done.stderr) == (0, "")
    assert "16 pictures of 2 classes" in done.stdout
    assert "ignored folders: test1" in done.stdout
    (tmp_path / "labels.csv").write_text("id,species\n" + "".join(rows))
    done = warm_command("train", "pets", *SMALL, "--labels-from", "labels.csv", "--out", "by table")
    assert (done.returncode, done.stderr) == (0, "")
    run = Run.open(tmp_path / "by table")
    assert (run.labels, run.recipe.data.labels_from) == (["cats", "dogs"], str(tmp_path / "labels.csv"))


def test_excluded_files_and_empty_classes(warm_command: Command, tmp_path: Path) -> None:
    write_classes(tmp_path / "pets", ["cat", "dog", "unsorted"], 8)
    (tmp_path / "pets" / "empty").mkdir()
    (tmp_path / "pets" / "other").mkdir()
    refused = warm_command("train", "pets", *SMALL)
    assert refused.returncode == 2
    assert "classes 'empty', 'other' have no images in" in refused.stderr
    done = warm_command("train", "pets", *SMALL, "--skip-empty", "--exclude", "unsorted", "--out", "run")
    assert (done.returncode, done.stderr) == (0, "")
    assert "classes left out, since they have no training images: empty, other" in done.stdout
    assert Run.open(tmp_path / "run").labels == ["cat", "dog"]
    swept = warm_command(
        "sweep", "pets", *SMALL[:6], "--set", "epochs=1", "--vary", "model.stem_kernel=3", "--seeds", "1",
        "--folds", "2",
        "--skip-empty", "--exclude", "unsorted", "--labels", "cat", "--labels", "dog",
    )  # fmt: skip
    assert (swept.returncode, swept.stderr) == (0, "")
    assert "16 pictures of 2 classes" in swept.stdout
