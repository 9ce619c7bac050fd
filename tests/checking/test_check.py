"""A whole check of a small data set in which everything is wrong that can be wrong."""

import csv
import hashlib
import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import imagehash
import numpy as np
import pytest
from PIL import Image

from conftest import Command
from stridednet.checking import check as check_module
from stridednet.checking.check import CheckResult, check
from stridednet.checking.issue import KINDS
from stridednet.checking.page import MAX_BYTES, page
from stridednet.data.manifest import Manifest
from stridednet.errors import InputError
from stridednet.training.observer import Observer

SETTINGS = {
    "epochs": 8,
    "image_size": 20,
    "batch_size": 16,
    "precision": "float32",
    "model.stem_kernel": 3,
    "model.filters": [8, 16],
    "model.dense_units": 32,
    "augmentation.horizontal_flip": False,
}
OPTIONS = [part for key, value in SETTINGS.items() for part in ("--set", f"{key}={json.dumps(value)}")]
FLIPS = {f"train/{given}/{right}_flip{number}.png" for given, right in ("01", "10") for number in range(3)}


@dataclass(frozen=True)
class Checked:
    data: Path
    result: CheckResult
    messages: list[str]
    before: str
    after: str

    def paths(self, kind: str) -> set[str]:
        return {issue.path for issue in self.result.issues if issue.kind.name == kind}


def _state(folder: Path) -> str:
    """Return a hash of the names, the contents and the times of all files in a folder."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        total.update(f"{path} {path.stat().st_mtime_ns} {path.stat().st_mode}".encode())
        total.update(path.read_bytes() if path.is_file() else b"")
    return total.hexdigest()


def _write_data(digits: Path, root: Path) -> None:
    """Write zeros and ones with flipped labels, copies, unusable files and unusual pictures."""
    for label in "01":
        files = sorted((digits / label).iterdir())
        for subset, part in (("train", files[:90]), ("test", files[90:120])):
            (root / subset / label).mkdir(parents=True)
            for path in part:
                shutil.copy(path, root / subset / label)
    for number in range(3):
        for given, right in ("01", "10"):
            source = sorted((digits / right).iterdir())[200 + number]
            shutil.copy(source, root / "train" / given / f"{right}_flip{number}.png")
    zeros = sorted((root / "train" / "0").glob("[!1]*.png"))
    shutil.copy(zeros[0], root / "test" / "0" / "leak.png")
    with Image.open(zeros[1]) as picture:
        picture.resize((84, 84), Image.Resampling.BICUBIC).save(root / "train" / "1" / "larger.png")
    with Image.open(zeros[2]) as picture:
        picture.convert("L").save(root / "test" / "0" / "recompressed.jpg", quality=95)
    Image.new("L", (28, 28), 90).save(root / "train" / "0" / "gray.png")
    (root / "train" / "0" / "broken.png").write_bytes(zeros[3].read_bytes()[:60])
    (root / "train" / "1" / "empty.jpg").write_bytes(b"")
    (root / "train" / "1" / "notes.txt").write_text("Not a picture.")


class _Messages(Observer):
    def __init__(self) -> None:
        self.all: list[str] = []

    def on_message(self, text: str) -> None:
        self.all.append(text)


@pytest.fixture(scope="module")
def checked(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Checked:
    folder = tmp_path_factory.mktemp("check")
    data = folder / "data"
    _write_data(digits, data)
    before, observer = _state(data), _Messages()
    result = check(data, settings=SETTINGS, folds=3, out=folder / "out", observer=observer)
    return Checked(data, result, observer.all, before, _state(data))


def test_the_data_set_is_not_changed(checked: Checked) -> None:
    assert checked.before == checked.after


def test_flipped_labels_are_found(checked: Checked) -> None:
    found = checked.paths("label")
    assert len(found & FLIPS) >= 5
    copies = {"train/0/gray.png", "train/1/larger.png"}  # of no class, and of a zero
    assert len(found - FLIPS - copies) <= 3
    for issue in checked.result.issues:
        if issue.path in found & FLIPS and issue.kind.name == "label":
            assert issue.suggested == Path(issue.path).name[0]
            assert issue.suggested != issue.label
            assert issue.score is not None
            assert issue.score < 0.5
    assert len([message for message in checked.messages if message.startswith("fold ")]) == 3


def test_copies_in_other_classes_and_subsets(checked: Checked) -> None:
    zeros = sorted(path.name for path in (checked.data / "train" / "0").glob("[!1b]*.png") if path.name[0].isdigit())
    assert checked.paths("copy in another class") == {f"train/0/{zeros[1]}", "train/1/larger.png"}
    expected = {f"train/0/{zeros[0]}", "test/0/leak.png", f"train/0/{zeros[2]}", "test/0/recompressed.jpg"}
    assert checked.paths("copy in another subset") == expected
    by_path = {issue.path: issue for issue in checked.result.issues if issue.kind.name.startswith("copy")}
    assert by_path["test/0/leak.png"].partner == f"train/0/{zeros[0]}"
    assert by_path["test/0/leak.png"].details == "identical file in subset train"
    assert by_path["train/1/larger.png"].details == "rescaled or recompressed copy in class 0"
    # Another perceptual hash agrees: the pairs differ by few of 64 bits, and other digits by more.
    for issue in by_path.values():
        one, other = (imagehash.phash(Image.open(checked.data / path)) for path in (issue.path, issue.partner))
        assert one - other <= 10


def test_unusable_files_and_unusual_pictures(checked: Checked) -> None:
    assert checked.paths("unreadable") == {"train/0/broken.png", "train/1/empty.jpg", "train/1/notes.txt"}
    assert checked.paths("blank") == {"train/0/gray.png"}
    assert checked.paths("odd size") == {"train/1/larger.png"}
    assert checked.paths("odd shape") == set()


def test_classes(checked: Checked) -> None:
    sizes = {size.label: (size.total, size.subsets) for size in checked.result.classes}
    assert sizes == {"0": (126, {"train": 94, "test": 32}), "1": (124, {"train": 94, "test": 30})}
    assert checked.paths("small class") == set()


def test_the_table_has_every_issue(checked: Checked) -> None:
    with checked.result.table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["path", "issue", "class", "subset", "suggested_class", "partner", "score", "details"]
    assert len(rows) == len(checked.result.issues) == sum(checked.result.counts.values())
    kinds = [kind.name for kind in KINDS]
    order = [kinds.index(row["issue"]) for row in rows]
    assert order == sorted(order)
    (blank,) = (row for row in rows if row["issue"] == "blank")
    assert (blank["path"], blank["class"], blank["subset"], blank["score"]) == ("train/0/gray.png", "0", "train", "0.0")
    for row in rows:
        assert (checked.data / row["path"]).exists()
        assert not row["partner"] or (checked.data / row["partner"]).exists()


def test_the_page_is_bounded(checked: Checked) -> None:
    """Long names and many issues: fewer of them are shown, and the page says how many there are."""
    assert len(checked.result.page.read_bytes()) < MAX_BYTES
    issue = checked.result.issues[0]
    many = [
        type(issue)(issue.kind, "a" * 4000 + str(number), "b" * 4000, "c" * 100_000, suggested="d" * 4000)
        for number in range(200)
    ]
    html = page(checked.result.as_dict(), many, Manifest(checked.data, ("0", "1"), ()))
    assert len(html.encode()) <= MAX_BYTES
    assert "185 more in <code>check.csv</code>" in html


def test_names_are_escaped(checked: Checked) -> None:
    issue = checked.result.issues[0]
    evil = type(issue)(issue.kind, "<script>alert(1)</script>", '"><b>', "<i>")
    html = page(checked.result.as_dict(), [evil], Manifest(checked.data, ("0", "1"), ()))
    assert "<script" not in html
    assert "<i>" not in html
    assert "&lt;script&gt;" in html


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"folds": 1}, "folds: expected an integer of at least 2. Received: 1"),
        ({"folds": True}, "folds: expected an integer"),
        ({"out": "data/here"}, "is inside the data set"),
        ({"out": "full"}, "contains other files"),
        ({"out": "file"}, "is a file"),
        ({"settings": {"epoch": 1}}, "epoch"),
    ],
)
def test_wrong_arguments(
    arguments: dict[str, object], message: str, few_digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    few_digits.rename("data")
    Path("full").mkdir()
    Path("full", "letter.txt").write_text("Dear")
    Path("file").write_text("")
    before = _state(tmp_path)
    with pytest.raises(InputError, match=message):
        check("data", **arguments)  # type: ignore[arg-type]
    assert _state(tmp_path) == before


def test_cleanlab_is_required_before_any_work(few_digits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise InputError("cleanlab is not installed")

    monkeypatch.setattr(check_module, "require_cleanlab", missing)
    monkeypatch.setattr(check_module, "scan", lambda *_, **__: pytest.fail("the data set was read"))
    with pytest.raises(InputError, match="cleanlab is not installed"):
        check(few_digits)


def test_the_command(few_digits: Path, tmp_path: Path, main_command: Command) -> None:
    Image.new("L", (28, 28), 60).save(few_digits / "0" / "[red]gray.png")
    options = [*OPTIONS, "--set", "epochs=1", "--folds", "2"]
    done = main_command("check", few_digits, *options)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Blank pictures: 1" in done.stdout
    assert "0/[red]gray.png" in done.stdout
    assert "page:  runs/check/few/check.html" in done.stdout
    assert sorted(path.name for path in (tmp_path / "runs/check/few").iterdir()) == ["check.csv", "check.html"]
    done = main_command("check", few_digits, *options, "--labels", "1,2", "--seed", "1", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["pictures"] == 80
    assert set(result["classes"]) == {"1", "2"}
    assert result["settings"] == {"recipe": "fast", "folds": 2, "seed": 1}
    assert result["counts"]["label"] == sum(issue["issue"] == "label" for issue in result["issues"])
    assert result["files"] == ["runs/check/few-2/check.html", "runs/check/few-2/check.csv"]
    done = main_command("check", few_digits, "--folds", "1")
    assert (done.returncode, done.stderr) == (2, "error: --folds: expected at least 2. Received: 1\n")
    done = main_command("check", few_digits, "--out", few_digits / "out")
    assert done.returncode == 2
    assert "is inside the data set" in done.stderr


CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    if not CHROMIUM.exists():
        pytest.skip(f"there is no {CHROMIUM}")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.mark.skipif(sys.platform != "linux", reason="drives the Chromium of a Linux machine")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 360])
def test_the_page_in_chromium(checked: Checked, browser: object, width: int, scheme: str) -> None:
    tab = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[attr-defined]
    problems: list[str] = []
    requests: list[str] = []
    tab.on("console", lambda message: problems.append(message.text))
    tab.on("pageerror", lambda error: problems.append(str(error)))
    tab.on("request", lambda request: requests.append(request.url))
    tab.goto(checked.result.page.as_uri())
    assert problems == []
    assert [url for url in requests if not url.startswith("data:")] == [checked.result.page.as_uri()]
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    label_issues = tab.locator("#label li")
    assert label_issues.count() == checked.result.counts["label"]
    # Copies are shown in pairs: two across classes, four across subsets.
    assert tab.locator("#copy-in-another-class li").count() == 1
    assert tab.locator("#copy-in-another-subset .pictures.two img").count() == 4
    assert tab.locator("#classes tr").count() == 3
    text, background = (
        np.array([float(part) for part in color.strip("rgb()").split(",")])
        for color in tab.evaluate("(style => [style.color, style.backgroundColor])(getComputedStyle(document.body))")
    )
    assert (text.mean() > background.mean()) == (scheme == "dark")
    assert abs(text.mean() - background.mean()) > 150
    tab.close()
