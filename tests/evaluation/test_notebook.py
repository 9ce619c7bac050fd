"""What a notebook shows: a run, its figure, and `examples/notebook.ipynb` in a kernel of its own."""

import base64
import io
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import nbformat
import pytest
from nbclient import NotebookClient
from PIL import Image

import stridednet
from conftest import PROJECT, SMALL, copy_digits
from stridednet.run import Run

NOTEBOOK = PROJECT / "examples" / "notebook.ipynb"


@pytest.fixture(scope="module")
def run(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("notebook")
    pictures = copy_digits(digits, folder / "<b>few", "012", 20)
    (pictures / "2").rename(pictures / "<i>2&")
    settings = SMALL | {"epochs": 1, "model.filters": [8]}
    return stridednet.train(pictures, "fast", settings, out=folder / "run").run


def _table(page: str) -> dict[str, str]:
    """Return the rows of a run's table, as a browser reads them."""
    rows = ET.fromstring(page[: page.index("<img")])  # noqa: S314  -- our own
    return {row[0].text or "": row[1].text or "" for row in rows}


def _picture(data: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(data)))


def test_a_run_is_a_table_and_its_figure(run: Run) -> None:
    page = run._repr_html_()
    scores = run.report["report"]
    table = _table(page)
    assert table["data set"].endswith("<b>few")
    assert table["classes (3)"] == "0, 1, <i>2&"
    assert table["recipe"] == "fast, seed 0"
    assert table["images"] == "45 train, 15 test"
    assert table["test accuracy"] == f"{scores['accuracy']:.3f} on 15 images"
    assert table["mean per-class accuracy"] == f"{scores['mean_class_accuracy']:.3f}"
    assert not re.search(r"<(script|link|style|b|i)\b|https?:", page)
    (data,) = re.findall(r'<img src="data:image/png;base64,([^"]*)"', page)
    assert _picture(data).size == (1152, 864)


def test_many_classes_are_not_all_listed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Run, "labels", [f"class {number}" for number in range(1012)])
    assert _table(Run(run.folder)._repr_html_())["classes (1,012)"].endswith("class 10, class 11 and 1,000 more")


def test_a_run_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    page = Run(tmp_path / "<gone>")._repr_html_()
    assert page.startswith("<p>")
    assert "&lt;gone&gt;" in page


def test_the_plot_is_that_of_the_run_and_leaves_matplotlib_as_it_is(run: Run) -> None:
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    figure = run.plot()
    lines = {line.get_label(): line.get_ydata() for line in figure.axes[0].get_lines()}
    assert lines["train_loss"] == [row.loss for row in run.history]
    assert lines["val_acc"] == [row.val_accuracy for row in run.history]
    assert dict(mpl.rcParams) == before
    again = io.BytesIO()
    figure.savefig(again, dpi=120)
    with Image.open(run.plot_path) as saved, Image.open(again) as drawn:
        assert saved.tobytes() == drawn.tobytes()


@pytest.mark.slow
def test_the_example_runs_in_a_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    notebook = nbformat.read(NOTEBOOK, 4)
    nbformat.validate(notebook)
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in notebook.cells)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = {cell.source: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}
    assert not [output for found in outputs.values() for output in found if output.get("name") == "stderr"]
    (report,) = _outputs_of(outputs, "stridednet.train(")
    assert "macro avg" in report.text
    (shown,) = _outputs_of(outputs, "Run.open(")
    (folder,) = (tmp_path / "runs" / "train").iterdir()
    opened = Run.open(folder)
    assert _table(shown.data["text/html"])["test accuracy"].startswith(f"{opened.report['report']['accuracy']:.3f} on")
    (plot,) = _outputs_of(outputs, "run.plot()")
    assert _picture(plot.data["image/png"]).size == (1152, 864)
    assert plot.metadata["image/png"] == {"width": 576, "height": 432}
    (accuracy,) = _outputs_of(outputs, "run.evaluate()")
    value = opened.report["report"]["accuracy"]
    assert accuracy.data["text/plain"].startswith(f"Score(value={value:.3f}"[:-1])
    (said,) = _outputs_of(outputs, "run.predict(")
    assert re.match(r"\S+\.png \[\('\d', 0\.\d+\)", said.text)
    (explained,) = _outputs_of(outputs, "run.explain(")
    assert _picture(explained.data["image/png"]).size == (280, 280)
    (scores,) = _outputs_of(outputs, "cross_val_score(")
    assert float(re.findall(r"accuracy (\S+)", scores.text)[0]) > 0.7


def _outputs_of(outputs: dict[str, list[Any]], part: str) -> list[Any]:
    (found,) = [results for source, results in outputs.items() if part in source]
    return found
