import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import stridednet
from conftest import SMALL, copy_digits
from stridednet.errors import RunError
from stridednet.lock import LOCK, locked
from stridednet.recipe import Recipe
from stridednet.run import Run
from stridednet.training.observer import Observer

HOLDS = """
import sys, time
from pathlib import Path
from stridednet.lock import locked
with locked(Path(sys.argv[1]), "run"):
    print("locked", flush=True)
    time.sleep(600)
"""


def test_a_lock_is_held_by_one_process_and_dies_with_it(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with subprocess.Popen([sys.executable, "-c", HOLDS, run], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        with pytest.raises(RunError, match=rf"^the run {run} is being written by another process; wait") as caught:
            _take(run)
        assert "\n" not in str(caught.value)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert (run / LOCK).exists()  # left behind, and not in the way
    _take(run)
    assert not (run / LOCK).exists()


def _take(folder: Path) -> None:
    with locked(folder, "run"):
        pass


def test_a_lock_file_that_its_holder_deletes_is_not_taken_for_the_lock(tmp_path: Path) -> None:
    with locked(tmp_path, "run"):
        (tmp_path / LOCK).unlink()
        (tmp_path / LOCK).touch()
        with locked(tmp_path, "run"):  # another file
            pass
    _take(tmp_path)


def test_two_runs_in_one_folder(tmp_path: Path) -> None:
    with locked(tmp_path / "run", "run"), pytest.raises(RunError, match="is being written by another process"):
        Run.create(Recipe(), tmp_path / "run")
    assert list((tmp_path / "run").iterdir()) == []
    Run.create(Recipe(), tmp_path / "run")
    with pytest.raises(RunError, match="is not empty"):
        Run.create(Recipe(), tmp_path / "run")


class Meddles(Observer):
    """Resumes the run while it is being trained, and opens a finished one."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self.refused = ""

    def on_epoch(self, *_: object) -> None:
        try:
            stridednet.resume(self.run)
        except RunError as error:
            self.refused = str(error)


def test_a_run_that_is_being_trained_is_not_resumed_but_a_finished_one_is_read(digits: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    observer = Meddles(run)
    pictures = copy_digits(digits, tmp_path / "few", "01", 20)
    stridednet.train(pictures, "tutorial", settings=SMALL | {"epochs": 1}, out=run, observer=observer)
    assert observer.refused.startswith(f"the run {run} is being written by another process; wait")
    assert not (run / LOCK).exists()
    with locked(run, "run"):
        assert Run.open(run).report["labels"] == ["0", "1"]


def test_two_sweeps_in_one_folder(digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stridednet.sweeps.experiment.Folds", None)  # the data is not prepared in vain
    pictures = copy_digits(digits, tmp_path / "few", "01", 20)
    out = tmp_path / "sweep"
    with locked(out, "sweep"), pytest.raises(RunError, match=rf"^the sweep {out} is being written by another process"):
        stridednet.sweep(
            pictures, ["model.stem_kernel=3,5"], seeds=1, folds=2, settings=SMALL, recipe="tutorial", out=out
        )


def test_two_processes_resume_one_run(digits: Path, tmp_path: Path) -> None:
    pictures = copy_digits(digits, tmp_path / "few", "01", 40)
    stridednet_command = Path(sys.executable).with_name("stridednet")
    with subprocess.Popen(
        [sys.executable, "-c", TRAINS_LONG, pictures, tmp_path / "run"], stdout=subprocess.PIPE, text=True
    ) as process:
        while not (tmp_path / "run" / "checkpoint" / "state.npz").exists():
            assert process.poll() is None
            time.sleep(0.05)
        done = subprocess.run(
            [stridednet_command, "train", "--resume", "run"], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        process.kill()
    assert done.returncode == 2
    assert done.stderr.startswith("error: the run run is being written by another process; ")
    assert done.stderr.count("\n") == 1
    assert (tmp_path / "run" / "checkpoint" / "state.npz").is_file()


TRAINS_LONG = f"""
import sys, stridednet
settings = {SMALL!r} | {{"epochs": 100000}}
stridednet.train(sys.argv[1], "tutorial", settings=settings, out=sys.argv[2])
"""
