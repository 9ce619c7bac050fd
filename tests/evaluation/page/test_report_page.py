"""The content of report.html, compared with scikit-learn's numbers and read with a parser of its own."""

import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import keras
import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    confusion_matrix,
    f1_score,
    precision_recall_fscore_support,
)

from small_evaluation import SIZE, material_of, predictions_of, write_pictures
from stridednet.evaluation.page.classes import class_rows
from stridednet.evaluation.page.evaluated import Material
from stridednet.evaluation.page.report_page import report_page
from stridednet.evaluation.page.verdict import verdict

LABELS = ("ant", "bee", "cat", "dog")
COUNT = 80
LIMIT = 3_000_000


class Texts(HTMLParser):
    """All text of a page without its style and script, and its elements with an id."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.ids: list[str] = []
        self._hidden = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden = tag in ("style", "script")
        self.ids += [value for name, value in attrs if name == "id" and value]

    def handle_endtag(self, tag: str) -> None:
        self._hidden = self._hidden and tag not in ("style", "script")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.parts).split())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    write_pictures(folder, COUNT)
    return folder


@pytest.fixture(scope="module")
def material(folder: Path) -> Material:
    rng = np.random.default_rng(3)
    truth = rng.choice(4, COUNT, p=[0.4, 0.3, 0.2, 0.1])
    guess = np.where(rng.random(COUNT) < 0.7, truth, rng.integers(0, 4, COUNT))
    return material_of(predictions_of(LABELS, truth.tolist(), guess.tolist()), folder)


@pytest.fixture(scope="module")
def html(material: Material) -> str:
    return report_page(material)


def panels(html: str) -> dict[tuple[int, int], str]:
    """Return the HTML of each cell's pictures, by true class and answer."""
    found = re.findall(r'<details id="cell-(\d+)-(\d+)".*?</details>', html, re.DOTALL)
    texts = re.findall(r'<details id="cell-\d+-\d+".*?</details>', html, re.DOTALL)
    return {(int(truth), int(guess)): text for (truth, guess), text in zip(found, texts, strict=True)}


def test_the_verdict_has_the_numbers_of_scikit_learn(material: Material, html: str) -> None:
    truth, guess = material.predictions.truth, material.predictions.guess
    measures = {measure.name: measure.value for measure in verdict(material).measures}
    assert measures == pytest.approx(
        {
            "Accuracy": accuracy_score(truth, guess),
            "Mean class accuracy": balanced_accuracy_score(truth, guess),
            "Macro F1": f1_score(truth, guess, average="macro"),
            "Weighted F1": f1_score(truth, guess, average="weighted"),
        }
    )
    text = Texts(html).text
    assert f"{accuracy_score(truth, guess):.1%} of 80 test pictures are classified correctly (95% interval " in text


def test_the_cells_are_the_confusion_matrix_of_scikit_learn(material: Material, html: str) -> None:
    expected = confusion_matrix(material.predictions.truth, material.predictions.guess)
    buttons = re.findall(
        r'aria-controls="cell-(\d)-(\d)" aria-label="(\d+) pictures? of (\w+) classified as (\w+)">', html
    )
    found = np.zeros((4, 4), int)
    for truth, guess, count, true_label, label in buttons:
        assert (LABELS[int(truth)], LABELS[int(guess)]) == (true_label, label)
        found[int(truth), int(guess)] = int(count)
    assert found.tolist() == expected.tolist()


def test_each_picture_is_behind_its_cell(material: Material, html: str) -> None:
    behind = panels(html)
    predictions = material.predictions
    assert set(behind) == set(zip(predictions.truth.tolist(), predictions.guess.tolist(), strict=True))
    for path, truth, guess in zip(predictions.paths, predictions.truth, predictions.guess, strict=True):
        for cell, text in behind.items():
            assert (f">{path}<" in text or f"{path}," in text or f"{path}</p>" in text) == (cell == (truth, guess)), (
                path
            )
    # The pictures themselves are on the page: as many as are referred to.
    used = set(re.findall(r'<use href="#(picture-\d+)"', html))
    assert used <= set(Texts(html).ids)
    assert len(used) > 20


def test_the_table_of_classes_has_the_numbers_of_scikit_learn(material: Material) -> None:
    rows = {row.label: row for row in class_rows(material)}
    precision, recall, f1, support = precision_recall_fscore_support(
        material.predictions.truth, material.predictions.guess
    )
    for column, label in enumerate(LABELS):
        row = rows[label]
        assert (row.precision, row.recall, row.f1) == pytest.approx((precision[column], recall[column], f1[column]))
        assert (row.pictures, row.trained) == (support[column], 10)
        for value, interval in ((row.recall, row.recall_interval), (row.precision, row.precision_interval)):
            assert interval is not None
            assert value is not None
            assert 0 <= interval[0] <= value <= interval[1] <= 1
    assert [row.f1 for row in class_rows(material)] == sorted(f1.tolist())


def test_the_page_has_all_sections(html: str) -> None:
    page = Texts(html)
    sections = ["curves", "confusion", "classes", "mistakes", "labels", "calibration", "features", "architecture"]
    assert [name for name in page.ids if not name.startswith(("picture-", "cell-"))] == [
        "next", *sections, "data", "recipe", "about",
    ]  # fmt: skip
    for text in (
        "cat/broken.jpg : truncated",
        "in different classes: cat/1.png, dog/1.png",
        "1 groups of identical files, 2 of rescaled",
        "2 epochs in 3.2 s, 1,234 pictures per second; 0.5 s of validation; precision float32",
        "a processor, 1 core, Linux",
        "python 3.99.1",
        'dataset = "/data/animals"',
        "Conv2D 5,3,padding=same relu",
        "all 5 filters of 3x3 pixels",
        "first: all 5 maps of 16x16 positions",
        "second: all 6 maps of 8x8 positions",
    ):
        assert text in page.text, text
    assert html.count('alt="An augmented copy"') == 7
    assert html.count('alt="What speaks for') == 2 * min(24, html.count('<div class="trio">'))


def test_mistakes_are_in_the_order_of_their_confidence(material: Material, html: str) -> None:
    predictions = material.predictions
    wrong = np.flatnonzero(predictions.truth != predictions.guess)
    expected = [predictions.paths[row] for row in sorted(wrong, key=lambda row: -predictions.probabilities[row].max())]
    section = html[html.index('<h2 id="mistakes">') : html.index('<h2 id="labels">')]
    assert re.findall(r'<div class="path">(.*?)</div>', section) == expected[:24]


def test_the_page_refers_to_nothing_outside(html: str) -> None:
    addresses = re.findall(r'(?:src|href|data|action|srcset|poster)="([^"]*)"', html) + re.findall(
        r"url\((.*?)\)", html
    )
    assert addresses
    assert {address for address in addresses if not address.startswith(("data:", "#"))} == set()
    assert "@import" not in html


@pytest.mark.parametrize("classes", [20, 1000])
def test_a_page_of_many_large_pictures_is_below_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, classes: int
) -> None:
    count = 300
    write_pictures(tmp_path, count, 130)
    labels = [f"{'種' * 100} {number:03}" for number in range(classes)]
    rng = np.random.default_rng(classes)
    truth = np.arange(count) % classes
    guess = np.where(rng.random(count) < 0.2, truth, rng.integers(0, classes, count))
    paths = [f"{labels[label]}/{'名' * 100}{row}.png" for row, label in enumerate(truth)]
    predictions = predictions_of(labels, truth.tolist(), guess.tolist(), paths)
    material = material_of(predictions, tmp_path)
    html = report_page(material)
    assert 0.3 * LIMIT < len(html.encode()) <= LIMIT
    if classes == 20:  # it would be larger if nothing were left out
        monkeypatch.setattr("stridednet.evaluation.page.report_page.MAX_BYTES", 1e9)
        assert len(report_page(material).encode()) > LIMIT
    assert html.rstrip().endswith("</html>")
    shown = len(re.findall(r'<image id="picture-', html))
    assert 20 < shown < count
    wrong, different = (
        int((truth != guess).sum()),
        len({*zip(truth[truth != guess], guess[truth != guess], strict=True)}),
    )
    assert f'Mistakes <span class="count">{wrong}</span>' in html
    if classes > 20:
        assert f"{classes} classes, {different} different confusions" in Texts(html).text
        assert "<button" not in html


def test_names_are_text_and_never_markup(folder: Path) -> None:
    labels = ("<script>alert(1)</script>", 'a "b" & c\'d', "tab\there", "名前")
    truth, guess = [0, 1, 2, 3, 0, 1], [0, 1, 2, 3, 1, 0]
    paths = ['<img src=x onerror="alert(2)">.png', "a&amp;b.png", "c.png", "d.png", 'e".png', "f'.png"]
    html = report_page(material_of(predictions_of(labels, truth, guess, paths), folder))
    assert html.count("<script") == 1
    assert "<img src=x" not in html
    text = Texts(html).text
    for name in (labels[0], labels[1], r"tab\there", labels[3], *paths):
        assert name in text, name
    for attribute in re.findall(r'aria-label="([^"]*)"', html):
        assert "<script>" not in attribute
    assert any("alert(1)" in unescape(label) for label in re.findall(r'aria-label="([^"]*)"', html))


def test_a_model_without_mistakes(folder: Path) -> None:
    text = Texts(report_page(material_of(predictions_of(LABELS, [0, 1, 2, 3], [0, 1, 2, 3]), folder))).text
    assert "100% of 4 test pictures are classified correctly (95% interval 51.0% to 100%)" in text
    assert "There are no mistakes." in text
    assert "None of the test pictures is misclassified." in text


def test_without_pictures_nothing_is_claimed(folder: Path) -> None:
    html = report_page(material_of(predictions_of(LABELS, [], []), folder, subset="new data"))
    text = Texts(html).text
    assert "There are no new pictures, so nothing is known about the accuracy." in text
    assert "Unknown: there are no new pictures." in text
    assert "nan" not in text
    assert "unknown" in text


def test_a_class_without_pictures_is_unknown(folder: Path) -> None:
    rows = class_rows(material_of(predictions_of(LABELS, [0, 0, 1], [0, 1, 1]), folder))
    assert [(row.label, row.f1) for row in rows[2:]] == [("cat", None), ("dog", None)]
    assert (rows[2].recall, rows[2].precision) == (None, None)


def test_one_epoch_is_a_point(folder: Path) -> None:
    html = report_page(material_of(predictions_of(LABELS, [0, 1], [0, 0]), folder, history=1))
    section = html[html.index('<h2 id="curves">') : html.index('<h2 id="confusion">')]
    assert section.count("<circle") == 4
    assert [tick for tick in re.findall(r'text-anchor="middle">(.*?)<', section) if tick.isdecimal()] == ["1", "1"]


def test_a_model_without_feature_maps_says_so(folder: Path) -> None:
    layers = [keras.Input((SIZE, SIZE, 3)), keras.layers.Flatten(), keras.layers.Dense(4, activation="softmax")]
    model = keras.Sequential(layers, name="flat")
    text = Texts(report_page(material_of(predictions_of(LABELS, [0, 1], [0, 0]), folder, model=model))).text
    assert "model 'flat' has no Conv2D layer" in text
    assert "There are no heatmaps: " in text
    assert "ant/0.png" in text


def test_without_cleanlab_the_page_says_how_to_install_it(material: Material, monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.util import find_spec

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "cleanlab" else find_spec(name))
    text = Texts(report_page(material)).text
    assert "cleanlab, which is not installed: pip install 'stridednet[check]'" in text


def test_a_picture_whose_file_is_gone_is_shown_as_the_model_saw_it(tmp_path: Path) -> None:
    from stridednet.evaluation.page.gallery import Gallery

    class Gone:
        predictions = predictions_of(LABELS, [0], [0])
        subset = "test"

        def image(self, _: int) -> np.ndarray:
            return np.zeros((SIZE, SIZE, 3), np.uint8)

        def file(self, _: int) -> Path:
            return tmp_path / "gone.png"

    thumbnail = Gallery(Gone())(0)
    assert (thumbnail.width, thumbnail.height) == (SIZE, SIZE)


def test_a_recipe_without_augmentation_says_so(folder: Path) -> None:
    from dataclasses import asdict

    from stridednet.data.augment import Augmentation

    off = {f"augmentation.{name}": value for name, value in asdict(Augmentation()).items()}
    html = report_page(material_of(predictions_of(LABELS, [0, 1], [0, 0]), folder, settings=off))
    assert "The recipe does not augment pictures with warps or colors." in Texts(html).text
