import json
import os
import re
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from conftest import Command, copy_digits
from stridednet.machine import usable_cores
from warm import CAN_FORK, STRIDEDNET, start_warm

SETTINGS = (
    "--set", "epochs=2", "--set", "image_size=20", "--set", "batch_size=16", "--set", "model.filters=[8, 16]",
    "--set", "model.dense_units=32", "--set", "precision=float32",
)  # fmt: skip
needs_two_cores = pytest.mark.skipif(
    usable_cores() < 2 or not hasattr(os, "killpg"), reason="needs two cores and process groups"
)
SWEEP = ("--vary", "model.stem_kernel=3,5,7", "--seeds", "1", "--folds", "3", *SETTINGS)


@pytest.fixture
def pictures(digits: Path, tmp_path: Path) -> Path:
    return copy_digits(digits, tmp_path / "pictures", "01", 60)


@pytest.mark.skipif(not CAN_FORK, reason="needs forked processes and their signals")
def test_a_killed_sweep_goes_on_and_ends_as_if_it_had_not_been(
    warm_command: Command, pictures: Path, tmp_path: Path
) -> None:
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    output = tmp_path / "output"
    process = start_warm(STRIDEDNET, ["sweep", pictures, *SWEEP, "--out", killed], tmp_path, output, output)
    for _ in range(1200):  # what begins with a dot is being written
        if len(list((killed / "trials").glob("[!.]*.json"))) >= 2:
            break
        time.sleep(0.05)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    finished = len(list((killed / "trials").glob("[!.]*.json")))
    assert 2 <= finished < 9

    went_on = warm_command("sweep", pictures, *SWEEP, "--out", killed)
    assert (went_on.returncode, went_on.stderr) == (0, "")
    assert went_on.stdout.count("already finished") == finished
    uninterrupted = warm_command("sweep", pictures, *SWEEP, "--out", whole, "--json")
    assert uninterrupted.returncode == 0, uninterrupted.stderr

    def accuracies(folder: Path) -> list[tuple[str, float, float, float]]:
        rows = json.loads((folder / "comparison.json").read_text())["comparisons"]
        return [(row["variant"], row["accuracy"], row["low"], row["high"]) for row in rows]

    assert accuracies(killed) == accuracies(whole)
    assert json.loads(uninterrupted.stdout)["comparisons"][1]["pairs"] == 3
    # The screen: the table, a sentence for each value, where the files are.
    assert "model.stem_kernel: 3 instead of 7: " in went_on.stdout
    assert went_on.stdout.endswith(f"sweep: {killed}\n")


def _lines(screen: bytes) -> list[str]:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.decode(errors="replace")).splitlines()


def _has_grown(screen: bytes) -> bool:
    rows = map(str.split, _lines(screen))
    return any(row[:1] in (["base"], ["model.stem_kernel=3"]) and row[1:2] > ["0"] for row in rows)


@needs_two_cores
@pytest.mark.usefixtures("all_cores")
def test_on_a_terminal_a_table_grows_and_ctrl_c_says_how_to_go_on(pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "interrupted"
    control, terminal = os.openpty()
    process = subprocess.Popen(
        [STRIDEDNET, "sweep", pictures, *SWEEP, "--jobs", "2", "--out", out],
        stdout=terminal,
        stderr=subprocess.PIPE,
        env=os.environ | {"TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"},
        start_new_session=True,  # a group of its own, to which Ctrl-C goes
    )
    os.close(terminal)
    screen = b""
    # Both, since the terminal is drawn four times a second; if the table never grew, reading would end in an OSError.
    while re.search(rb"[1-9] of 9 trials, \d:\d\d left", screen) is None or not _has_grown(screen):
        screen += os.read(control, 65536)
    os.killpg(process.pid, signal.SIGINT)
    with suppress(OSError):  # Linux: the other end is closed
        while part := os.read(control, 65536):
            screen += part
    os.close(control)
    _, stderr = process.communicate()
    assert process.returncode == 130
    assert stderr == b"Finished trials are saved. To continue, run the same command again.\ninterrupted\n"
    assert list((out / "trials").glob("[!.]*.json"))
    assert not (out / "report.md").exists()
    lines = _lines(screen)
    header = next(line.split() for line in lines if line.startswith("variant"))
    assert header == ["variant", "trials", "accuracy", "difference", "in", "points", "effect", "time"]  # 80 columns
    rows = [line.split() for line in lines if line.startswith("model.stem_kernel=3")]
    assert ["model.stem_kernel=3", "0"] in rows
    assert _has_grown(screen)
    with pytest.raises(ProcessLookupError):  # no worker is left
        os.killpg(process.pid, 0)


@needs_two_cores
@pytest.mark.usefixtures("all_cores")
def test_ctrl_c_while_the_processes_of_a_sweep_start_is_as_quiet(pictures: Path, tmp_path: Path) -> None:
    with subprocess.Popen(
        [STRIDEDNET, "sweep", pictures, *SWEEP, "--jobs", "2", "--out", tmp_path / "interrupted"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        while len(workers := children(process.pid)) < 2 and process.poll() is None:
            time.sleep(0.01)
        for worker in workers:  # at their first moment, and in the midst of their imports
            os.kill(worker, signal.SIGINT)
        time.sleep(1)
        assert children(process.pid) == workers
        os.killpg(process.pid, signal.SIGINT)
        _, stderr = process.communicate()
    assert process.returncode == 130
    assert stderr.endswith(b"Finished trials are saved. To continue, run the same command again.\ninterrupted\n")
    assert b"Traceback" not in stderr


def children(parent: int) -> list[int]:
    tasks = Path("/proc", str(parent), "task").glob("*/children")
    return sorted(int(child) for task in tasks for child in task.read_text().split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to vary: give --vary KEY=V1,V2,... (such as model.stem_kernel=3,5,7) or --plan"),
        (["--vary", "model.stem_kernl=3"], "unknown setting 'model.stem_kernl'; did you mean model.stem_kernel"),
        (["--vary", "model.stem_kernel"], "vary: expected KEY=V1,V2,..., such as model.stem_kernel=3,5,7."),
        (["--vary", "seed=1,2"], "seed cannot be an axis"),
        (["--vary", "epochs=1,2", "--plan", "plan.toml"], "--plan defines what is varied; omit --vary"),
        (["--plan", "plan.toml"], "no sweep plan 'plan.toml': give a TOML file or one of"),
        (["--vary", "epochs=1,2", "--jobs", "1000"], "jobs must be between 1 and"),
        (["--vary", "epochs=1,2", "--seeds", "0"], "seeds must be at least 1. Received: 0"),
        (["--vary", "epochs=1,2", "--budget", "20"], "a duration is written as 90s, 20m or 1.5h. Received: '20'"),
        (["--vary", "epochs=1,2", "--margin", "2"], "margin must be a difference in accuracy between 0 and 1."),
    ],
)
def test_what_is_wrong_is_told_in_one_line(
    warm_command: Command, pictures: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    done = warm_command("sweep", pictures, *arguments)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert message in done.stderr
    assert not (tmp_path / "runs").exists()
