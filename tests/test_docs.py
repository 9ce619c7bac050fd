"""The documentation does what it says: its commands and its Python code run, its links and its numbers hold."""

import re
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import stridednet
from conftest import PROJECT, Command, caltech101_path

README = PROJECT / "README.md"
CONTRIBUTING = PROJECT / "CONTRIBUTING.md"
DOCUMENTS = [README, CONTRIBUTING, PROJECT / "CHANGELOG.md", *sorted((PROJECT / "docs").glob("*.md"))]
CODE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
MAKE = re.compile(r"(?:[A-Z_]+=\S+ )*make (\w+)")  # with variables of the environment in front of it
FILE = re.compile(r'^```toml title="(.*?)"\n(.*?)^```$', re.DOTALL | re.MULTILINE)


def _blocks(document: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", document.read_text(), re.DOTALL | re.MULTILINE)


def _commands(*documents: Path) -> list[str]:
    """Return the commands of some documents, each once."""
    blocks = [block.replace("\\\n", " ") for document in documents for block in _blocks(document, "sh")]
    lines = [line for block in blocks for line in block.splitlines()]
    return list(dict.fromkeys(line.strip() for line in lines if line.strip()))


def _parameters(texts: list[str]) -> list[object]:
    needs = pytest.mark.skipif(caltech101_path() is None, reason="CALTECH-101 is not here: set STRIDEDNET_CALTECH101")
    return [pytest.param(text, marks=needs if re.search("101_O|train caltech101", text) else ()) for text in texts]


@pytest.fixture
def workplace(few_digits: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Return a folder with everything that the documents mention, in which `warm_command` runs."""
    few_digits.rename(tmp_path / "pictures")
    if caltech101_path() is not None:
        (tmp_path / "101_ObjectCategories").symlink_to(request.getfixturevalue("caltech101"))
    for folder in ("examples", "benchmarks"):
        shutil.copytree(PROJECT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("node_modules"))
    for document in DOCUMENTS:
        for name, text in FILE.findall(document.read_text()):
            (tmp_path / name).write_text(text)
    return tmp_path


def _shortened(line: str) -> list[str]:
    """Return the arguments of a command, with options that make it short: one epoch, few images, few seeds."""
    program, *arguments = shlex.split(line)
    if "--help" in arguments:
        return arguments
    if program == "python":
        return [*arguments, "-e", "2"]
    if arguments[0] == "train" and "--resume" not in arguments:
        named = len(arguments) > 1 and not arguments[1].startswith("-")
        return [*arguments, *([] if named else ["-d", "pictures"]), "-e", "1"]
    if arguments[0] == "sweep":
        few = ["pictures" if argument == "digits" else argument for argument in arguments]
        stops = {"--budget", "--until"} & set(arguments)
        return [*few, "--set", "epochs=1", "--folds", "2", "--seeds", "2" if stops else "1"]
    if arguments[0] == "tune":
        network = ("model.name=stridednet", "model.filters=[8]", "model.dense_units=16", "model.stem_kernel=3")
        small = (*network, "epochs=2", "image_size=16", "resize=squash", "optimizer.name=adam", "mixing.mixup=0")
        return [*arguments, *(part for setting in small for part in ("--set", setting))]
    return arguments


@pytest.mark.parametrize("line", _parameters([line for line in _commands(*DOCUMENTS) if not MAKE.match(line)]))
def test_commands_run(line: str, workplace: Path, warm_command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    program = line.split(maxsplit=1)[0]
    assert program in {"stridednet", "python"}, line
    if "caltech101" in line:
        monkeypatch.setenv("STRIDEDNET_CACHE", str(workplace / "cache"))  # other tests expect that it is not there
    if "train caltech101" in line:  # as another command of the documents does
        assert warm_command("datasets", "fetch", "caltech101", "--from", "101_ObjectCategories").returncode == 0
    for run in re.findall(r"runs/train/\S+", line):
        assert warm_command("train", "pictures", "-e", "1", "--out", run).returncode == 0
        if "--resume" in line:
            (workplace / run / "report.json").unlink()
    arguments = _shortened(line)
    if program == "stridednet":
        done = warm_command(*arguments)
    else:
        done = subprocess.run([sys.executable, *arguments], cwd=workplace, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr or "--json" in line  # then messages go there
    if line.startswith("stridednet train") and "--help" not in line:
        assert list(workplace.glob("runs/train/*/report.json"))
    if line.startswith("stridednet sweep") and "--help" not in line:
        (folder,) = workplace.glob("runs/sweep/*")
        assert "failed" not in (folder / "report.md").read_text()
    if "examples/tutorial" in line:
        assert "macro avg" in done.stdout
        # In the script as the tutorial has it, the second epoch has only one step.
        assert len(re.findall(r"52/52[^\n]*val_accuracy", done.stdout)) == 2
        assert (workplace / "plot.png").is_file()


@pytest.mark.parametrize("code", _parameters([code for document in DOCUMENTS for code in _blocks(document, "python")]))
def test_python_runs(code: str, workplace: Path) -> None:
    shortened = re.sub(r'"epochs": \d+', '"epochs": 1', code)
    assert shortened != code
    done = subprocess.run([sys.executable, "-c", shortened], cwd=workplace, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "macro avg" in done.stdout


@pytest.mark.skipif(Path(sys.prefix) != PROJECT / ".venv", reason="the tests do not run in the project's .venv")
def test_make_train(tmp_path: Path) -> None:
    assert "make train" in _commands(README)
    done = subprocess.run(
        ["make", "train", f"ARGS=-e 1 --out {tmp_path / 'run'}"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "macro avg" in done.stdout
    assert (tmp_path / "run" / "report.json").is_file()


def test_every_make_target_that_the_documents_name_exists() -> None:
    inline = {name for document in DOCUMENTS for name in re.findall(r"`make (\w+)", document.read_text())}
    named = inline | {found[1] for line in _commands(*DOCUMENTS) if (found := MAKE.match(line))}
    assert {"train", "test", "check", "docs"} <= named
    for target in named:
        plan = subprocess.run(["make", "-n", target], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
        assert plan


def test_ci_runs_the_readmes_test_command() -> None:
    assert "make test" in _commands(README)
    assert "make test" in (PROJECT / ".ci" / "run").read_text().splitlines()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_resolve(document: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#:\s]*)(?:#([^)\s]*))?\)", CODE.sub("", document.read_text())):
        linked = (document.parent / target).resolve() if target else document
        assert linked.exists(), target
        if anchor and linked.name != "python.md":
            assert anchor in _anchors(linked), f"{target}#{anchor}"


def _anchors(document: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub and MkDocs make them."""
    headings = re.findall(r"^#+ (.*)$", CODE.sub("", document.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def test_the_site_has_every_page() -> None:
    navigation = set(re.findall(r": ([\w-]+\.md)$", (PROJECT / "mkdocs.yml").read_text(), re.MULTILINE))
    from_the_root = {"index.md", "contributing.md", "changelog.md"}
    assert navigation == {path.name for path in (PROJECT / "docs").glob("*.md")} | from_the_root


def test_the_site_loads_nothing_from_other_servers() -> None:
    configuration = (PROJECT / "mkdocs.yml").read_text()
    assert "font: false" in configuration
    assert "offline" not in configuration  # the plugin loads a script from unpkg.com
    assert "http" not in configuration
    remote = r"!\[[^\]]*\]\(http|<(?:script|iframe|link)\b|src(?:set)?=\"http"
    for document in DOCUMENTS:
        assert not re.search(remote, document.read_text()), document


def test_the_python_page_has_every_public_name() -> None:
    documented = re.findall(r"^::: stridednet\.(\w+)$", (PROJECT / "docs" / "python.md").read_text(), re.MULTILINE)
    assert sorted(documented) == sorted([*stridednet.__all__, "conv2d", "models"])


def test_the_readme_is_short() -> None:
    lines = README.read_text().splitlines()
    assert len(lines) <= 150
    assert sum("![" in line or "<img" in line for line in lines) == 1


def test_generated_pages_are_up_to_date() -> None:
    generate = runpy.run_path(str(PROJECT / "docs" / "generate.py"))
    how = "run: python docs/generate.py"
    assert (PROJECT / "docs" / "recipes.md").read_text() == generate["recipes_page"](), how
    assert README.read_text() == generate["readme"](), how
