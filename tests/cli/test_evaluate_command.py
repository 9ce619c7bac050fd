"""The command on a real training: what it prints, what it writes, and its exit status."""

import json
import shutil
from pathlib import Path

import pytest

import stridednet
from conftest import SMALL, Command, copy_digits
from stridednet.run import Run


@pytest.fixture(scope="module")
def trained(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run, beside its data set."""
    folder = tmp_path_factory.mktemp("evaluate")
    copy_digits(digits, folder / "pictures", "012", 30)
    stridednet.train(folder / "pictures", settings=SMALL | {"epochs": 2}, out=folder / "run")
    return folder / "run"


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "run"))


def test_own_test_subset(main_command: Command, run: Path) -> None:
    done = main_command("evaluate", "run")
    assert done.returncode == 0, done.stderr
    report = Run.open(run).report["report"]
    right, n = round(report["accuracy"] * report["support"]), report["support"]
    assert f"accuracy {report['accuracy']:.1%}" in " ".join(done.stdout.split())
    assert f"{right} of {n} pictures" in done.stdout
    assert "95% intervals" in done.stdout
    assert (run / "evaluation.json").is_file()
    assert (run / "mistakes.png").is_file()


def test_json_against_another_run(main_command: Command, run: Path) -> None:
    shutil.copytree(run, run.parent / "other")
    done = main_command("evaluate", "run", "--json", "--against", "other", "--out", "results")
    assert done.returncode == 0, done.stderr
    numbers = json.loads(done.stdout)
    assert numbers["subset"] == "test"
    assert numbers["against"]["difference"] == 0
    assert numbers["against"]["p_value"] == 1
    assert numbers | {"files": []} == json.loads((run.parent / "results" / "evaluation.json").read_text()) | {
        "files": []
    }
    assert all((run.parent / file).is_file() for file in numbers["files"])


@pytest.mark.usefixtures("run")
def test_comparison_is_printed(main_command: Command) -> None:
    done = main_command("evaluate", "run", "--against", "run")
    assert "difference in accuracy: +0.0 points, 95% interval" in done.stdout
    assert "McNemar's exact test: p = 1" in done.stdout


def test_new_data(main_command: Command, run: Path, digits: Path) -> None:
    copy_digits(digits, run.parent / "new", "019", 10, skip=50)
    done = main_command("evaluate", "run", "new")
    assert done.returncode == 0, done.stderr
    assert "left out, since the run has no such class: 9 (10)" in done.stdout
    assert "no pictures of the run's class 2" in done.stdout
    assert (run / "evaluations" / "new" / "report.html").is_file()


def test_labels_from_a_table(main_command: Command, run: Path, digits: Path) -> None:
    new = run.parent / "new"
    copy_digits(digits, new, "01", 6, skip=50)
    files = sorted(new.rglob("*.png"))
    lines = ["file,label"]
    for number, file in enumerate(files):
        file.rename(new / f"{number}.png")
        lines.append(f"{number}.png,{file.parent.name}")
    (new / "labels.csv").write_text("\n".join(lines))
    done = main_command("evaluate", "run", "new", "--labels-from", "labels.csv", "--json", "--out", "results")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["pictures"] == len(files) == 12


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gone"], "there is no run directory gone"),
        (["run", "--against", "gone"], "there is no run directory gone"),
        (["run", "nowhere"], "no such folder or archive: nowhere"),
        (["run", "--out", "run"], "contains other files; name a new folder"),
    ],
)
def test_wrong_input(main_command: Command, run: Path, arguments: list[str], message: str) -> None:
    before = sorted(run.parent.rglob("*"))
    done = main_command("evaluate", *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert message in done.stderr
    assert sorted(run.parent.rglob("*")) == before
