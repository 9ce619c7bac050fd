"""The Dockerfile, step by step: no container engine is needed, so its network steps are only checked for consistency."""

import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from conftest import PROJECT, Command

LINES = re.sub(r"^#.*\n|\\\n", "", (PROJECT / "Dockerfile").read_text(), flags=re.MULTILINE).splitlines()
STEPS = [tuple(line.split(maxsplit=1)) for line in LINES if line.strip()]


def _arguments(instruction: str) -> list[str]:
    return [argument for name, argument in STEPS if name == instruction]


def test_the_copied_files_are_enough_to_build_the_package(tmp_path: Path) -> None:
    ignored = (PROJECT / ".dockerignore").read_text().splitlines()
    base = tmp_path / "context"
    base.mkdir()
    for copy in _arguments("COPY"):
        *sources, target = copy.split()
        for source in sources:
            assert f"!{source}" in ignored
            if (PROJECT / source).is_dir():
                shutil.copytree(PROJECT / source, base / target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(PROJECT / source, base / target)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps"]
    subprocess.run([*pip, "--no-build-isolation", "--wheel-dir", tmp_path, base], check=True)
    (wheel,) = tmp_path.glob("stridednet-*.whl")
    listed = subprocess.run([sys.executable, "-m", "zipfile", "-l", wheel], capture_output=True, text=True, check=True)
    for name in ("page.html", "page.css", "page.js"):
        assert f"stridednet/deploy/serve/page/{name}" in listed.stdout


def test_pip_installs_this_project_with_extras_that_exist() -> None:
    (install,) = [step for step in _arguments("RUN") if step.startswith("pip ")]
    arguments = shlex.split(install.partition("&&")[0])
    (extras,) = [found[1].split(",") for one in arguments if (found := re.fullmatch(r"\.\[(.*)\]", one))]
    with (PROJECT / "pyproject.toml").open("rb") as file:
        assert {"serve"} <= set(extras) <= set(tomllib.load(file)["project"]["optional-dependencies"])
    assert (PROJECT / arguments[arguments.index("--constraint") + 1]).is_file()


def test_the_server_is_not_root_and_is_asked_whether_it_lives() -> None:
    (user,) = _arguments("USER")
    assert any(re.search(rf"useradd .*\b{user}$", step) for step in _arguments("RUN"))
    names = [name for name, _ in STEPS]
    assert names.index("USER") < names.index("ENTRYPOINT")
    (check,) = _arguments("HEALTHCHECK")
    path = re.findall(r"http://127\.0\.0\.1:8000(/[\w/]+)", check)
    assert path == ["/v2/health/live"]


def test_its_command_is_one_that_the_command_line_knows(warm_command: Command) -> None:
    (entry,), (usual,) = _arguments("ENTRYPOINT"), _arguments("CMD")
    program, *arguments = json.loads(entry)
    assert program == "stridednet"
    done = warm_command(*arguments, *json.loads(usual))
    assert (done.returncode, "RUN..." in done.stdout) == (0, True), done.stderr
    assert arguments[arguments.index("--port") + 1] == _arguments("EXPOSE")[0]
