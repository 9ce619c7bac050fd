"""What ``stridednet serve`` refuses to start with."""

import socket
from pathlib import Path

import pytest
from servers import write_served_run

from conftest import Command


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_served_run(tmp_path_factory.mktemp("command") / "run")


def test_an_address_in_use(run: Path, warm_command: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = warm_command("serve", run, "--port", port)
    assert done.returncode == 2
    assert f"cannot listen on 127.0.0.1, port {port}: Address already in use" in done.stderr


def test_runs_that_cannot_be_told_apart(run: Path, warm_command: Command) -> None:
    done = warm_command("serve", run, run)
    assert (done.returncode, "two runs have the same name" in done.stderr) == (2, True), done.stderr


@pytest.mark.parametrize("missing", ["nothing", "empty", "damaged"])
def test_what_is_not_a_run(run: Path, tmp_path: Path, warm_command: Command, missing: str) -> None:
    (tmp_path / "empty").mkdir()
    write_served_run(tmp_path / "damaged")
    (tmp_path / "damaged" / "labels.txt").write_text("only one\n")
    done = warm_command("serve", run, tmp_path / missing)
    assert done.returncode == 2
    assert missing in done.stderr
    assert "Traceback" not in done.stderr
