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
    assert "stratified split: 73 train, 25 test" in done.stdout
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
