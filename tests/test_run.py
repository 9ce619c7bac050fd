import os
from pathlib import Path

import numpy as np
import pytest

from stridednet.errors import RunError, StorageError
from stridednet.recipe import Recipe
from stridednet.run import Checkpoint, Run
from stridednet.storage import written_whole
from stridednet.training.history import EpochRow

ROW = EpochRow(1, 0.1 + 0.2, 0.5, 1.5, 0.25, 1e-4, 52, 1664, 1.25, 0.5)


def test_runs_are_named_after_data_set_and_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = Recipe().replace({"data.dataset": "/pictures/pets.v2.tar.gz"})
    names = [Run.create(recipe).folder for _ in range(3)]
    assert [str(name) for name in names] == [f"runs/train/pets.v2-tutorial{suffix}" for suffix in ("", "-2", "-3")]
    assert Run.unfinished(names[1]).recipe() == recipe


def test_runs_on_a_disk_that_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").symlink_to("/nowhere/at/all")
    with pytest.raises(StorageError, match="cannot write runs/train"):
        Run.create(Recipe())


def test_a_folder_that_is_taken_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match=r"is not empty; .*--resume"):
        Run.create(Recipe(), tmp_path)
    with pytest.raises(RunError, match="is a file; name a folder"):
        Run.create(Recipe(), tmp_path / "file")
    with pytest.raises(StorageError, match=r"cannot write .*below: Not a directory"):
        Run.create(Recipe(), tmp_path / "file" / "below")
    (tmp_path / "empty").mkdir()
    assert Run.create(Recipe(), tmp_path / "empty").folder == tmp_path / "empty"


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


def test_only_unfinished_runs_can_be_gone_on_with(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no run in .*nowhere: it has no recipe.toml"):
        Run.unfinished(tmp_path / "nowhere")
    run = Run.create(Recipe(), tmp_path / "run")
    run.write_json("report.json", {})
    with pytest.raises(RunError, match=r"is finished; its report is .*report.txt"):
        Run.unfinished(run.folder)
