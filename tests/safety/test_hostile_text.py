"""Recipes, plans and the text of runs that are too long or too deep for the usual parsers."""

import json
import os
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from bounded_reader import opened
from hostile_runs import copy_with, write_finished

from conftest import Command
from stridednet.errors import InputError, RecipeError, RunError
from stridednet.limits import LimitError, parse_json, parse_toml
from stridednet.recipe import load_recipe
from stridednet.run import Run
from stridednet.sweeps.plan import SweepPlan

_GIB = 2**30
_FEW = 16  # MiB
_MANY = 2**24  # bytes

_Read = Callable[[Path], object]


def _deep(parse: Callable[[str], object], text: str) -> type[BaseException]:
    with pytest.raises((RecursionError, ValueError, MemoryError)) as caught:
        parse(text)
    return caught.type


@pytest.mark.parametrize(
    "text",
    [
        "x = " + "[" * 100_000,
        "x = " + "[" * 100_000 + "]" * 100_000,
        "x = " + "{a = " * 10_000 + "1" + "}" * 10_000,
        "[" + ".".join("a" * 5_000) + "]\nx = 1",
    ],
)
def test_deep_toml(text: str, tmp_path: Path, main_command: Command) -> None:
    file = tmp_path / "recipe.toml"
    file.write_text(text)
    naive = tomllib.loads if "]\nx" in text else None
    if naive is None:
        assert _deep(tomllib.loads, text) is RecursionError
    else:
        naive(text)  # tomllib reads a deep table, and what walks through it must not recurse
    for read in (load_recipe, SweepPlan.read):
        with pytest.raises(
            (RecipeError, InputError), match=r"nested more than 200 levels deep|more than 16,384"
        ) as caught:
            read(file)
        assert "\n" not in str(caught.value)
        assert str(file) in str(caught.value)
    done = main_command("train", "digits", "--recipe", file)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {file} is not a valid TOML file: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("text", ["[" * 10**6, '{"a":' * 10**5, "[" * 250 + "]" * 250])
def test_deep_json(text: str) -> None:
    if len(text) > 1000:
        with pytest.raises(RecursionError):
            json.loads(text)
    with pytest.raises(LimitError, match=r"^nested more than 200 levels deep$"):
        parse_json(text)


@pytest.mark.parametrize(
    ("reader", "suffix"), [("recipe", ".toml"), ("plan", ".toml"), ("model", ".keras"), ("picture", ".png")]
)
def test_a_file_of_a_gigabyte_is_not_read(reader: str, suffix: str, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    file = folder / f"large{suffix}"
    file.write_text("x = " + "[" * 1000)
    os.truncate(file, _GIB)
    (naive,) = opened("naive text", folder, 512)
    assert naive.error == "MemoryError"
    (ours,) = opened(reader, folder, 1024)
    assert ours.is_ours
    assert "\n" not in ours.message
    assert ours.grown < (600 if reader == "picture" else _FEW)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a finished run."""
    return write_finished(tmp_path_factory.mktemp("runs") / "run", with_hashes=False)


@pytest.mark.parametrize(
    "name", ["labels.txt", "split.csv", "history.csv", "report.json", "recipe.toml", "predict.npz", "model.keras"]
)
def test_a_file_of_a_gigabyte_in_a_run(name: str, run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    os.truncate(copy_with(run, folder / "run", name, b"a") / name, 2 * _GIB)
    (ours,) = opened("run", folder, 1024)
    assert ours.is_ours or (name in ("predict.npz", "model.keras") and ours.error is None)  # one is there for the other
    assert "\n" not in ours.message
    assert ours.grown < 512


def test_many_small_values_in_a_run(run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    folder.mkdir()
    for name, value in (
        ("labels.txt", b"\n"),
        ("split.csv", b",,,\n"),
        ("history.csv", b"1,1,1,1,1,1,1,1,1,1,1\n"),
        ("report.json", b"[],"),
    ):
        start = b"[" if name == "report.json" else (run / name).read_bytes()
        copy_with(run, folder / name, name, start + value * (_MANY // len(value)))
    for ours in opened("run", folder, 1024):
        assert ours.is_ours
        assert ours.message.endswith(f"{ours.name} cannot be read (more than 2,097,152 values)")
        assert ours.grown < 256


@pytest.mark.parametrize(
    ("name", "old", "new", "reason"),
    [
        ("split.csv", b"path,", b"file,", r"its columns should be path, label, subset, sha256"),
        ("split.csv", b",train", b"", r"line 2 should have 4 columns. Received: 3"),
        ("history.csv", b"\n1,", b"\n", r"line 2 should have 11 columns. Received: 10"),
        ("history.csv", b"\n1,", b"\n,", r"invalid literal for int"),
    ],
)
def test_tables_with_other_columns(name: str, old: bytes, new: bytes, reason: str, run: Path, tmp_path: Path) -> None:
    opened_run = Run.open(copy_with(run, tmp_path / "run", name, (run / name).read_bytes().replace(old, new)))
    with pytest.raises(RunError, match=rf"{name} cannot be read \({reason}"):
        _ = opened_run.split, opened_run.history


@pytest.mark.parametrize(
    "line",
    [
        "epochs = " + "9" * 10_000,
        "image_size = " + "9" * 30,
        "batch_size = 0x" + "f" * 10_000,
        "effort = 1e999",
        "[optimizer]\nlearning_rate = 1e300",
        "[mixing]\nmixup = 1e300",
        "[model]\nkernel_regularizer = 'l2(1e999)'",
        "[model]\nkernel_constraint = 'max_norm(nan)'",
        "seed = -" + "9" * 100,
        "[model]\nfilters = [" + "9" * 50 + "]",
        "[model]\ndense_units = 1" + "0" * 15,
    ],
)
def test_huge_numbers_in_a_recipe(line: str, tmp_path: Path, main_command: Command) -> None:
    file = tmp_path / "recipe.toml"
    file.write_text(line)
    done = main_command("summary", "stridednet", "--recipe", file)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {file}")
    assert done.stderr.count("\n") == 1
    assert len(done.stderr) < 1000


def test_a_recipe_does_not_run_the_code_that_it_names(tmp_path: Path, main_command: Command) -> None:
    marker = tmp_path / "executed"
    (tmp_path / "net.py").write_text(f"open({str(marker)!r}, 'w').close()\ndef build(*_): ...\n")
    (tmp_path / "recipe.toml").write_text(f'model.name = "{tmp_path}/net.py:build"\n')
    (tmp_path / "plan.toml").write_text(f'[vary]\nmodel.name = ["stridednet", "{tmp_path}/net.py:build"]\n')
    for arguments in (("train", "digits", "--recipe", "recipe.toml"), ("sweep", "digits", "--plan", "plan.toml")):
        done = main_command(*arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.count("\n") == 1
        assert f"{arguments[-1]} names Python code to run" in done.stderr
        assert not marker.exists()


def test_a_run_with_changed_text_is_refused(tmp_path: Path) -> None:
    run = write_finished(tmp_path / "run")
    for name, old, new in (
        ("labels.txt", b"cat", b"cow"),
        ("split.csv", b"train", b"tests"),
        ("history.csv", b"0.5", b"0.9"),
    ):
        content = (run / name).read_bytes().replace(old, new)
        changed = copy_with(run, tmp_path / name, name, content)
        with pytest.raises(RunError, match=rf"{name} cannot be read \(it was changed after the training"):
            _ = Run.open(changed).labels, Run.open(changed).split, Run.open(changed).history


def test_long_lines_of_toml() -> None:
    with pytest.raises(LimitError, match=r"^a line has more than 16,384 characters$"):
        parse_toml(".".join("a" * 20_000) + " = 1")
