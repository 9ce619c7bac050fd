import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import PROJECT, Command, caltech101_path

README = (PROJECT / "README.md").read_text()
CONTRIBUTING = (PROJECT / "CONTRIBUTING.md").read_text()
DOCS = "\n".join(path.read_text() for path in sorted((PROJECT / "docs").glob("*.md")))
BIN = Path(sys.executable).parent


def _blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def _commands(text: str = README) -> list[str]:
    lines = [line.split(" #")[0].strip() for block in _blocks("sh", text) for line in block.splitlines()]
    return [line for line in lines if line]


def _parameters(texts: list[str]) -> list[object]:
    needs = pytest.mark.skipif(caltech101_path() is None, reason="CALTECH-101 is not here: set STRIDEDNET_CALTECH101")
    return [pytest.param(text, marks=needs if re.search("101_O|train caltech101", text) else ()) for text in texts]


@pytest.fixture
def workplace(few_digits: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A folder that holds what the README talks about."""
    few_digits.rename(tmp_path / "pictures")
    if caltech101_path() is not None:
        (tmp_path / "101_ObjectCategories").symlink_to(request.getfixturevalue("caltech101"))
    shutil.copytree(PROJECT / "examples", tmp_path / "examples")
    return tmp_path


@pytest.mark.parametrize("line", _parameters([line for line in _commands() if not line.startswith("make")]))
def test_the_readmes_commands_run(
    line: str, workplace: Path, warm_command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, *arguments = shlex.split(line)
    assert program in {"stridednet", "python"}, line
    if "train caltech101" in line:  # as a command further up has it
        monkeypatch.setenv("STRIDEDNET_CACHE", str(workplace / "cache"))  # other tests expect that it is not there
        assert warm_command("datasets", "fetch", "caltech101", "--from", "101_ObjectCategories").returncode == 0
    if "train" in line and "--help" not in line:
        arguments += ["-e", "2" if program == "python" else "1"]
    if "sweep" in line:
        arguments += ["--set", "epochs=1"]
    if program == "stridednet":
        done = warm_command(*arguments)
    else:
        done = subprocess.run([BIN / program, *arguments], cwd=workplace, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    if line.startswith("stridednet train") and "--help" not in line:
        assert list(workplace.glob("runs/train/*/report.json"))
    if line.startswith("python"):
        assert "macro avg" in done.stdout
        # In the script as it was written, the second epoch has but one step.
        assert len(re.findall(r"52/52[^\n]*val_accuracy", done.stdout)) == 2
        assert (workplace / "plot.png").is_file()


@pytest.mark.parametrize("code", _parameters(_blocks("python")))
@pytest.mark.usefixtures("workplace")
def test_the_readmes_python_runs(code: str, warm_python: Command) -> None:
    shortened = re.sub(r'"epochs": \d+', '"epochs": 1', code)
    assert shortened != code
    done = warm_python(shortened)
    assert (done.returncode, done.stderr) == (0, "")
    assert "macro avg" in done.stdout


@pytest.mark.skipif(Path(sys.prefix) != PROJECT / ".venv", reason="the tests do not run in the project's .venv")
def test_make_train(tmp_path: Path) -> None:
    assert "make train" in _commands()
    done = subprocess.run(
        ["make", "train", f"ARGS=-e 1 --out {tmp_path / 'run'}"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "macro avg" in done.stdout
    assert (tmp_path / "run" / "report.json").is_file()


def test_every_make_target_that_the_documents_name_is_there() -> None:
    named = {
        line.split()[1] for line in _commands() + _commands(CONTRIBUTING) + _commands(DOCS) if line.startswith("make")
    }
    assert {"train", "test", "check"} <= named
    for target in named:
        plan = subprocess.run(["make", "-n", target], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
        assert plan


def test_ci_runs_the_readmes_test_command() -> None:
    assert "make test" in _commands()
    assert "make test" in (PROJECT / ".ci" / "run").read_text().splitlines()


def test_links_lead_somewhere() -> None:
    for text in (README, CONTRIBUTING):
        for target in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (PROJECT / target).exists(), target
