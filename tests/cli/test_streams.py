"""What a shell does to the standard streams."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import SMALL, copy_digits

STRIDEDNET = str(Path(sys.executable).with_name("stridednet"))
SETTINGS = [part for key, value in SMALL.items() for part in ("--set", f"{key}={json.dumps(value)}")]


@pytest.fixture
def closed() -> int:
    """The writing end of a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    return writing


@pytest.mark.parametrize(
    "arguments", [["guide"], ["--help"], ["--version"], ["datasets"], ["conv2d", "9x9x3", "16,3", "8,3"]]
)
def test_a_closed_pipe_ends_a_command_as_it_ends_other_tools(arguments: list[str], closed: int) -> None:
    done = subprocess.run([STRIDEDNET, *arguments], stdout=closed, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_training_goes_on_when_nobody_reads_its_output(few_digits: Path, tmp_path: Path, closed: int) -> None:
    done = subprocess.run(
        [STRIDEDNET, "train", few_digits, *SETTINGS, "--out", tmp_path / "run"],
        stdout=closed,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (141, "")
    assert (tmp_path / "run" / "report.json").is_file()


def test_a_full_disk_behind_the_output(few_digits: Path, tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [STRIDEDNET, "train", few_digits, *SETTINGS, "--out", tmp_path / "run"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "No space left on device" in done.stderr
    assert done.stderr.count("\n") == 1
    assert (tmp_path / "run" / "report.json").is_file()


def test_closed_streams_are_no_obstacle(few_digits: Path, tmp_path: Path) -> None:
    line = '"$0" "$@" <&- >&- 2>&-'
    done = subprocess.run(
        ["sh", "-c", line, STRIDEDNET, "train", few_digits, *SETTINGS, "--out", tmp_path / "run"], check=False
    )
    assert done.returncode == 0
    assert (tmp_path / "run" / "report.json").is_file()


@pytest.mark.parametrize("environment", [{"LC_ALL": "C", "LANG": "C"}, {"PYTHONIOENCODING": "ascii"}])
def test_names_that_the_output_cannot_show(environment: dict[str, str], digits: Path, tmp_path: Path) -> None:
    pictures = copy_digits(digits, tmp_path / "pictures", "01", 20)
    (pictures / "0").rename(pictures / "käse")
    done = subprocess.run(
        [STRIDEDNET, "train", "pictures", *SETTINGS, "--out", "run"],
        cwd=tmp_path,
        env=os.environ | environment,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    shown = "käse".encode() if "PYTHONIOENCODING" not in environment else rb"k\xe4se"
    assert shown in done.stdout
    assert json.loads((tmp_path / "run" / "report.json").read_text(encoding="utf-8"))["labels"] == ["1", "käse"]


@pytest.mark.parametrize("terminal_type", ["xterm", "dumb", None])
def test_a_terminal_without_a_size(terminal_type: str | None, few_digits: Path, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "TERM")}
    if terminal_type is not None:
        environment["TERM"] = terminal_type
    control, terminal = pty.openpty()  # 0 columns, 0 rows
    with subprocess.Popen(
        [STRIDEDNET, "train", few_digits, *SETTINGS, "--out", tmp_path / "run"],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env=environment,
    ) as process:
        os.close(terminal)
        output = b""
        while True:
            try:
                output += os.read(control, 65536)
            except OSError:
                break
    os.close(control)
    assert process.returncode == 0
    assert b"accuracy" in output
