"""A figure that cannot be written does not lose what a command prints."""

import json
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import stridednet  # noqa: F401  -- before keras, to choose its backend
from conftest import SMALL, copy_digits
from stridednet.cli.main import main
from stridednet.errors import StorageError
from stridednet.storage import write_text

LAYER = ("conv2d", "28x28x3", "--filters", "4", "--kernel-size", "3", "--show")
SETTINGS = [part for key, value in (SMALL | {"epochs": 1}).items() for part in ("--set", f"{key}={json.dumps(value)}")]


def test_a_name_that_is_too_long_is_reported_as_such(tmp_path: Path) -> None:
    file = tmp_path / f"{'x' * 300}.txt"
    with pytest.raises(StorageError, match=r"^cannot write .*xxx\.txt: File name too long$"):
        write_text(file, "text")


@contextmanager
def _files_up_to(size: int) -> Iterator[None]:
    """Let no process write a file larger than ``size`` bytes, as if the disk were full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    monkeypatch.setattr(sys, "argv", ["stridednet", *map(str, arguments)])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("summary", "vgg", "--diagram"), "\ntotal "),
        (("summary", "vgg", "--json", "--diagram"), "parameters"),
        (LAYER, "\ninitial weights  glorot_uniform"),
        (("conv2d", "--json", *LAYER[1:]), "parameters"),
    ],
)
def test_what_was_computed_is_printed_before_the_figure_fails(
    arguments: tuple[str, ...],
    text: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with _files_up_to(1000):
        assert _run(monkeypatch, *arguments, "show.png") == 1
    out, error = capsys.readouterr()
    assert error == "error: cannot write show.png: File too large\n"
    assert text in (json.loads(out) if "--json" in arguments else out)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["summary", "conv2d"])
def test_a_figure_that_is_impossible_is_refused_before_anything_is_printed(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("summary", "vgg", "--diagram") if command == "summary" else LAYER
    assert _run(monkeypatch, *arguments, "show.jpg") == 2
    assert capsys.readouterr().out == ""


def test_a_window_too_large_to_draw_is_refused_before_anything_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert _run(monkeypatch, "conv2d", "99x99x1", "4,60", "--show", tmp_path / "show.png") == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert error.startswith("error: two windows of the kernel need ")


def test_the_report_is_printed_as_json_if_the_figure_of_a_training_fails(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_fonts(*_: object) -> None:
        raise RuntimeError("no fonts")

    pictures = copy_digits(digits, tmp_path / "few", "01", 20)
    monkeypatch.setattr("stridednet.evaluation.illustrate.plot_history", no_fonts)
    assert _run(monkeypatch, "train", pictures, *SETTINGS, "--out", tmp_path / "run", "--json") == 1
    out, error = capsys.readouterr()
    assert json.loads(out)["labels"] == ["0", "1"]
    assert error.splitlines()[-1].endswith("but its figure is missing: RuntimeError: no fonts")
