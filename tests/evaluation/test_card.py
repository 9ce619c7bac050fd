"""README.md of a run: front matter that a YAML parser reads, Markdown without markup from names, code that runs."""

import io
import re
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import accuracy_score, f1_score

from conftest import write_run
from small_evaluation import SIZE, material_of, predictions_of, small_model
from stridednet.evaluation.card import model_card

LABELS = ("cat", "dog|*wolf*", "<b>ant</b>")
TRUTH, GUESS = [0, 0, 1, 1, 2, 2, 2], [0, 1, 1, 1, 2, 0, 2]


def front_matter(card: str) -> dict[str, Any]:
    yaml = pytest.importorskip("yaml")
    start, matter, _ = card.split("---\n", 2)
    assert start == ""
    found: dict[str, Any] = yaml.safe_load(matter)
    return found


def test_the_front_matter_is_what_the_hub_reads(tmp_path: Path) -> None:
    matter = front_matter(model_card("my run", material_of(predictions_of(LABELS, TRUTH, GUESS), tmp_path)))
    assert matter["library_name"] == "keras"
    assert matter["pipeline_tag"] == "image-classification"
    (model,) = matter["model-index"]
    (result,) = model["results"]
    assert model["name"] == "my run"
    assert result["task"]["type"] == "image-classification"
    assert result["dataset"] == {"type": "imagefolder", "name": "animals", "split": "test"}
    assert {metric["type"]: metric["value"] for metric in result["metrics"]} == pytest.approx(
        {"accuracy": accuracy_score(TRUTH, GUESS), "f1": f1_score(TRUTH, GUESS, average="macro")}, abs=1e-6
    )
    assert matter["metrics"] == ["accuracy", "f1"]


NAMES = ['a "b": c', "# no", "- a", "tab\there", "\x7f", "名前 😀", "caf\udce9", "back\\slash"]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_one_string_of_the_front_matter(tmp_path: Path, name: str) -> None:
    card = model_card(name, material_of(predictions_of(LABELS, TRUTH, GUESS), tmp_path))
    read = front_matter(card)["model-index"][0]["name"]
    assert isinstance(read, str)
    if name.isprintable():
        assert read == name
    card.encode()


def test_the_folder_of_an_own_model_is_not_published(tmp_path: Path) -> None:
    settings = {"model.name": f"{tmp_path}/mine.py:net"}
    card = model_card("x", material_of(predictions_of(LABELS, TRUTH, GUESS), tmp_path, settings=settings))
    assert "mine.py:net" in card
    assert tmp_path.name not in card


def test_without_pictures_there_are_no_metrics(tmp_path: Path) -> None:
    card = model_card("x", material_of(predictions_of(LABELS, [], []), tmp_path))
    assert not {"metrics", "model-index"} & front_matter(card).keys()
    assert "nothing is known about the accuracy" in card


def test_names_are_not_markup(tmp_path: Path) -> None:
    markdown = pytest.importorskip("markdown")
    card = model_card("a_b_c <i>", material_of(predictions_of(LABELS, TRUTH, GUESS), tmp_path))
    html = markdown.markdown(card.split("---\n", 2)[2], extensions=["tables", "fenced_code"])
    cells = re.findall(r"<td>(.*?)</td>", html)
    assert sorted(cells) == sorted(["cat", "dog|*wolf*", "&lt;b&gt;ant&lt;/b&gt;"])
    assert "<h1>a_b_c &lt;i&gt;</h1>" in html
    assert "<em>" not in html


def test_the_code_of_the_card_classifies_a_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = small_model(3)
    folder = write_run(tmp_path / "run", model, 3)
    card = model_card("run", material_of(predictions_of(LABELS, TRUTH, GUESS), tmp_path, model=model))
    color = (200, 30, 90)
    Image.new("RGB", (50, 30), color).save(folder / "picture.jpg", quality=100, subsampling=0)
    monkeypatch.chdir(folder)
    (code,) = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(compile(code, "README.md", "exec"), {})  # noqa: S102 -- as a reader would run it
    expected = model.predict(np.full((1, SIZE, SIZE, 3), color, np.float32), verbose=0)[0]
    label, confidence = printed.getvalue().rsplit(maxsplit=1)
    assert label == f"class {expected.argmax()}"
    assert float(confidence.rstrip("%")) == pytest.approx(100 * float(expected.max()), abs=0.5)
