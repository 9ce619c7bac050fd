import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import stridednet
from conftest import SMALL, copy_digits
from stridednet.errors import RunError, StorageError
from stridednet.recipe import Recipe
from stridednet.run import Run
from stridednet.run_directory import Checkpoint
from stridednet.run_tables import SplitRow
from stridednet.storage import written_whole
from stridednet.training.history import EpochRow

ROW = EpochRow(1, 0.1 + 0.2, 0.5, 1.5, 0.25, 1e-4, 52, 1664, 1.25, 0.5)


def test_runs_are_named_after_data_set_and_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = Recipe().replace({"data.dataset": "/pictures/pets.v2.tar.gz"})
    names = [Run.create(recipe).folder for _ in range(3)]
    assert [str(name) for name in names] == [f"runs/train/pets.v2-tutorial{suffix}" for suffix in ("", "-2", "-3")]
    assert Run.unfinished(names[1]).recipe == recipe


def test_runs_on_a_disk_that_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").symlink_to("/nowhere/at/all")
    with pytest.raises(StorageError, match="cannot write runs/train"):
        Run.create(Recipe())


def test_a_folder_that_is_taken_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match=r"is not empty; name a new folder, or resume"):
        Run.create(Recipe(), tmp_path)
    with pytest.raises(RunError, match="is a file; name a folder"):
        Run.create(Recipe(), tmp_path / "file")
    with pytest.raises(StorageError, match=r"cannot write .*below: Not a directory"):
        Run.create(Recipe(), tmp_path / "file" / "below")
    (tmp_path / "empty").mkdir()
    assert Run.create(Recipe(), tmp_path / "empty").folder == tmp_path / "empty"


def test_labels_with_any_name_come_back(tmp_path: Path) -> None:
    ordinary = ["cat", "a b", "k\u00e4se", "salt, pepper", "\u732b", "'quoted'", "back\\slash"]
    odd = ["two\nlines", " leading", "trailing ", '"quoted"', "tab\t", "\x85", "\u2028", "cr\r", "\udcff.bytes", ""]
    run = Run.create(Recipe(), tmp_path / "run")
    run.write_labels(ordinary)
    assert (run.folder / "labels.txt").read_text(encoding="utf-8") == "".join(f"{label}\n" for label in ordinary)
    assert run.labels == ordinary
    again = Run(run.folder)
    again.write_labels([*ordinary, *odd])
    assert len((run.folder / "labels.txt").read_bytes().split(b"\n")) == len(ordinary) + len(odd) + 1
    assert again.labels == [*ordinary, *odd]
    rows = [SplitRow(f"{label}/1.png", label, "train") for label in (*ordinary, *odd[:-2])]
    again.write_split(rows)
    assert again.split == rows


def test_a_checkpoint_comes_back_exactly(tmp_path: Path) -> None:
    run = Run.create(Recipe(), tmp_path / "run")
    assert run.load_checkpoint() is None
    state = {"model/000": np.random.default_rng(0).random((3, 3)), "optimizer/000": np.array(7)}
    run.save_epoch(Checkpoint(state, [ROW], "abc"))
    back = run.load_checkpoint()
    assert back is not None
    assert (back.history, back.data_hash) == ([ROW], "abc")
    assert state.keys() == back.state.keys()
    assert all(np.array_equal(state[name], back.state[name]) for name in state)
    assert (run.folder / "history.csv").read_text().splitlines()[1].startswith("1,0.30000000000000004,0.5,")


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    file = tmp_path / "report.txt"
    file.write_text("before")

    def fill_the_disk() -> None:
        with written_whole(file) as beside:
            beside.write_text("half")
            raise OSError(28, os.strerror(28))

    with pytest.raises(StorageError, match=r"cannot write .*report.txt: No space left on device"):
        fill_the_disk()
    assert [path.name for path in tmp_path.iterdir()] == ["report.txt"]
    assert file.read_text() == "before"


def test_a_damaged_checkpoint_is_told(tmp_path: Path) -> None:
    run = Run.create(Recipe(), tmp_path / "run")
    run.save_epoch(Checkpoint({"model/000": np.zeros(5)}, [ROW], "abc"))
    file = run.folder / "checkpoint" / "state.npz"
    for content in (b"", file.read_bytes()[:300]):
        file.write_bytes(content)
        with pytest.raises(RunError, match=r"state.npz is damaged \(.*\); start a new run"):
            run.load_checkpoint()


def test_only_unfinished_runs_are_resumed(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"^there is no run directory .*nowhere$"):
        Run.unfinished(tmp_path / "nowhere")
    with pytest.raises(RunError, match=r"is not a run directory: it has no recipe\.toml$"):
        Run.unfinished(tmp_path)
    run = Run.create(Recipe(), tmp_path / "run")
    run.finish("", {})
    with pytest.raises(RunError, match=r"is already finished; its report is .*report\.txt"):
        Run.unfinished(run.folder)


@pytest.fixture(scope="module")
def finished(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pictures = copy_digits(digits, tmp_path_factory.mktemp("open") / "few", "012", 20)
    stridednet.train(pictures, "tutorial", settings=SMALL | {"epochs": 1}, out=pictures.with_name("run"))
    return pictures.with_name("run")


def test_a_finished_run_is_opened(finished: Path) -> None:
    run = Run.open(finished)
    assert run.recipe.model.model_dump()["filters"] == (8, 16)
    assert run.labels == ["0", "1", "2"]
    assert Counter((row.label, row.subset) for row in run.split) == {
        (label, subset): count for label in "012" for subset, count in (("train", 15), ("test", 5))
    }
    assert [row.epoch for row in run.history] == [1]
    assert run.report["report"]["support"] == 15
    images = np.random.default_rng(0).integers(0, 256, (5, 20, 20, 3), np.uint8)
    assert np.allclose(run.predictor().predict(images), run.model().predict(images, verbose=0), atol=1e-5)


def test_a_run_is_opened_without_keras(finished: Path) -> None:
    code = (
        f"import sys; from stridednet.run import Run; run = Run.open({str(finished)!r}); run.split, run.history; "
        "print(sorted({'keras', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("recipe.toml", None, "is not a run directory: it has no recipe.toml"),
        ("recipe.toml", b"epochs = = 3", r"is damaged: .*recipe.toml is not a valid TOML file"),
        ("recipe.toml", b"epoch = 3", r"is damaged: .*unknown setting 'epoch'"),
        ("report.json", None, "is unfinished: it has no report.json; resume it first"),
        ("report.json", b"{", r"is damaged: report.json cannot be read \("),
        ("labels.txt", b"0\n1\n", r"is damaged: labels.txt cannot be read \(it was changed after the training"),
        ("labels.txt", None, "is damaged: labels.txt is missing"),
        ("split.csv", None, "is damaged: split.csv is missing"),
        ("split.csv", b"path,label\na,b\n", r"is damaged: split.csv cannot be read \("),
        ("history.csv", b"epoch,loss\n1,2\n", r"is damaged: history.csv cannot be read \("),
        ("model.keras", None, "is damaged: model.keras is missing"),
        ("model.keras", b"PK", r"is damaged: .*model.keras"),
    ],
)
def test_unfinished_foreign_and_damaged_runs_are_told_apart(
    finished: Path, tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    with pytest.raises(RunError, match=message) as caught:
        _read_all(folder)
    assert "\n" not in str(caught.value)


def _read_all(folder: Path) -> None:
    run = Run.open(folder)
    assert run.labels
    assert run.split
    assert run.history
    run.predictor()
