"""Evaluations of a real training: its own test subset, the same data at another place, changed, and new data."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import stridednet
from conftest import SMALL, copy_digits
from stridednet.errors import DataError, InputError, RunError
from stridednet.evaluation.comparison import compare
from stridednet.run import Run

TINY = SMALL | {"epochs": 2, "data.test_size": 0.4}


@pytest.fixture(scope="module")
def place(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_digits(digits, tmp_path_factory.mktemp("evaluate") / "pictures", "012", 30)


@pytest.fixture(scope="module")
def run(place: Path) -> Run:
    return stridednet.train(place, settings=TINY, out=place.parent / "run").run


@pytest.fixture(scope="module")
def longer(place: Path) -> Run:
    return stridednet.train(place, settings=TINY | {"epochs": 6}, out=place.parent / "longer").run


@pytest.fixture
def copied(place: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(place, tmp_path / "copied"))


def test_the_own_test_subset_gives_the_numbers_of_the_report(run: Run) -> None:
    evaluation = run.evaluate()
    assert evaluation.subset == "test"
    report = run.report["report"]
    assert evaluation.scores.accuracy.value == pytest.approx(report["accuracy"])
    assert evaluation.scores.macro_f1.value == pytest.approx(report["macro_f1"])
    assert evaluation.scores.confusion.tolist() == report["confusion"]
    assert set(evaluation.predictions.paths) == {row.path for row in run.split if row.subset == "test"}
    assert evaluation.file(0).is_file()
    assert evaluation.image(0).shape == (20, 20, 3)


def test_a_moved_data_set_is_recognized(run: Run, copied: Path) -> None:
    messages: list[str] = []
    evaluation = run.evaluate(copied, on_message=messages.append)
    assert evaluation.subset == "test"
    assert messages == [f"36 pictures: the test subset of {copied}"]
    assert evaluation.file(0).is_relative_to(copied)


def test_pictures_that_changed_are_left_out_and_said(run: Run, copied: Path) -> None:
    first, second, *_ = (copied / row.path for row in run.split if row.subset == "test")
    Image.new("RGB", (28, 28)).save(first)
    messages: list[str] = []
    evaluation = run.evaluate(copied, on_message=messages.append)
    assert evaluation.subset == "test"
    assert len(evaluation.predictions.truth) == 35
    assert messages[0].startswith("1 of 36 pictures of the test subset were removed or changed after the training")
    for row in run.split:
        if row.subset == "test":
            Image.new("RGB", (28, 28)).save(copied / row.path)
    with pytest.raises(RunError, match="none of the pictures of the test subset of"):
        run.evaluate(copied)
    second.unlink()  # now it has other pictures: new data
    assert run.evaluate(copied).subset == "new data"


def test_a_data_set_that_is_gone(run: Run, place: Path, tmp_path: Path) -> None:
    shutil.copytree(run.folder, tmp_path / "run")
    moved = Run.open(tmp_path / "run")
    moved.write_recipe(moved.recipe.replace({"data.dataset": str(tmp_path / "gone")}))
    with pytest.raises(DataError, match=r"no such folder or archive: .*gone.*; if the data set was moved"):
        Run.open(tmp_path / "run").evaluate()
    assert Run.open(tmp_path / "run").evaluate(place).subset == "test"


def test_new_data(run: Run, digits: Path, tmp_path: Path) -> None:
    """Classes are matched by name: 0 is missing, 3 is unknown to the run, and one class would be too few to train."""
    new = copy_digits(digits, tmp_path / "new", "123", 20, skip=40)
    messages: list[str] = []
    evaluation = run.evaluate(new, on_message=messages.append)
    assert evaluation.subset == "new data"
    assert evaluation.pictures.missing == ("0",)
    assert evaluation.pictures.extra == {"3": 20}
    assert evaluation.pictures.trained_on == 0
    assert messages == [
        f"40 pictures: {new}",
        "left out, since the run has no such class: 3 (20)",
        "no pictures of the run's class 0",
    ]
    expected = run.predictor().predict(np.stack([evaluation.image(row) for row in range(40)]))
    np.testing.assert_allclose(evaluation.probabilities, expected, atol=1e-6)
    assert [evaluation.predictions.labels[column] for column in evaluation.predictions.truth] == ["1"] * 20 + ["2"] * 20
    shutil.rmtree(new / "2")
    shutil.rmtree(new / "3")
    assert run.evaluate(new).pictures.missing == ("0", "2")


def test_training_pictures_among_new_data_are_counted(run: Run, place: Path, tmp_path: Path) -> None:
    trained = [row for row in run.split if row.subset == "train"][:7]
    for number, row in enumerate(trained):
        (tmp_path / "new" / row.label).mkdir(parents=True, exist_ok=True)
        shutil.copy(place / row.path, tmp_path / "new" / row.label / f"other name {number}.png")
    messages: list[str] = []
    assert run.evaluate(tmp_path / "new", on_message=messages.append).pictures.trained_on == 7
    assert "7 of these pictures are training pictures of the run: the result is too good" in messages


def test_own_subsets_of_new_data(run: Run, digits: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    copy_digits(digits, new / "train", "012", 3, skip=40)
    copy_digits(digits, new / "test", "012", 5, skip=50)
    messages: list[str] = []
    evaluation = run.evaluate(new, on_message=messages.append)
    assert len(evaluation.predictions.truth) == 15
    assert messages == [f"15 pictures: the test subset of {new}"]


def test_no_class_in_common(run: Run, digits: Path, tmp_path: Path) -> None:
    new = copy_digits(digits, tmp_path / "new", "78", 3)
    with pytest.raises(
        DataError, match=r"has no class of the run .*: its classes are 7, 8, and those of the run 0, 1, 2"
    ):
        run.evaluate(new)


def test_files(run: Run, tmp_path: Path) -> None:
    evaluation = run.evaluate()
    folder = tmp_path / "files"
    paths = evaluation.save(folder)
    assert {path.name for path in folder.iterdir()} == {path.name for path in paths}
    numbers = json.loads((folder / "evaluation.json").read_text())
    assert numbers["accuracy"]["value"] == pytest.approx(run.report["report"]["accuracy"])
    assert sum(one["pictures"] for one in numbers["reliability"]) == numbers["pictures"] == 36
    with (folder / "mistakes.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    wrong = evaluation.predictions.wrong
    assert [row["path"] for row in rows] == [evaluation.predictions.paths[row] for row in wrong]
    confidences = [float(row["confidence"]) for row in rows]
    assert confidences == sorted(confidences, reverse=True)
    assert all(row["truth"] != row["prediction"] and row["path"].startswith(row["truth"]) for row in rows)
    for name in ("confusion.png", "reliability.png", "mistakes.png"):
        with Image.open(folder / name) as figure:
            assert min(figure.size) > 200
    assert "</html>" in (folder / "report.html").read_text()
    evaluation.save(folder)  # again: these files may be replaced
    (folder / "mine.txt").write_text("")
    with pytest.raises(InputError, match="contains other files"):
        evaluation.save(folder)
    with pytest.raises(InputError, match="inside the data set"):
        evaluation.save(Path(evaluation.pictures.dataset) / "results")


def test_new_data_has_a_new_folder_each_time(run: Run, digits: Path, tmp_path: Path) -> None:
    shutil.copytree(run.folder, tmp_path / "run")
    copied = Run.open(tmp_path / "run")
    new = copy_digits(digits, tmp_path / "new", "01", 4, skip=40)
    folders = [copied.evaluate(new).save()[0].parent for _ in range(2)]
    assert folders == [tmp_path / "run" / "evaluations" / name for name in ("new", "new-2")]
    assert copied.evaluate().save()[0].parent == tmp_path / "run"


def test_two_runs(run: Run, longer: Run) -> None:
    evaluation = run.evaluate()
    comparison = compare(evaluation, longer, lambda _: None)
    first = evaluation.predictions.guess == evaluation.predictions.truth
    other = longer.evaluate().predictions
    order = [other.paths.index(path) for path in evaluation.predictions.paths]
    second = (other.guess == other.truth)[order]
    assert comparison.pictures == 36
    assert comparison.only_first == (first & ~second).sum()
    assert comparison.only_second == (~first & second).sum()
    assert comparison.difference == pytest.approx(first.mean() - second.mean())
    assert comparison.left_out == 0
    assert comparison.interval[0] <= comparison.difference <= comparison.interval[1]
    itself = compare(evaluation, run, lambda _: None)
    assert (itself.difference, itself.p_value) == (0, 1)


def test_pictures_that_the_other_run_was_trained_on_are_left_out(run: Run, place: Path, tmp_path: Path) -> None:
    other = stridednet.train(place, settings=TINY | {"epochs": 1, "data.split_seed": 5}, out=tmp_path / "other").run
    trained = {row.path for row in other.split if row.subset == "train"}
    evaluation = run.evaluate()
    messages: list[str] = []
    comparison = compare(evaluation, other, messages.append)
    expected = sum(path in trained for path in evaluation.predictions.paths)
    assert comparison.left_out == expected > 0
    assert comparison.pictures == 36 - expected
    assert messages == [f"left out, since {other.folder} was trained on them: {expected} pictures"]


def test_runs_with_other_classes(run: Run, digits: Path, tmp_path: Path) -> None:
    data = copy_digits(digits, tmp_path / "data", "127", 20, skip=60)
    other = stridednet.train(data, settings=TINY | {"epochs": 1}, out=tmp_path / "other").run
    messages: list[str] = []
    comparison = compare(run.evaluate(), other, messages.append)
    assert comparison.pictures == 24  # of 1 and 2
    assert messages[0] == f"left out, since {other.folder} does not have their classes: 12 pictures"
    none = copy_digits(digits, tmp_path / "none", "78", 20, skip=60)
    third = stridednet.train(none, settings=TINY | {"epochs": 1}, out=tmp_path / "third").run
    with pytest.raises(RunError, match="has none of the classes of these pictures"):
        compare(run.evaluate(), third, messages.append)
