"""The Dockerfile, step by step and without a container engine.

Each instruction is carried out as written, with three changes: `/build` and the image's root are temporary folders, the
port is a free one, and pip may use nothing but the packages of this environment.
"""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sysconfig
import venv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from servers import png, wait_until, write_served_run

from conftest import PROJECT

pytestmark = pytest.mark.skipif(shutil.which("useradd") is None, reason="the Dockerfile is for Linux")

TEXT = re.sub(r"^#.*\n|\\\n", "", (PROJECT / "Dockerfile").read_text(), flags=re.MULTILINE)
STEPS = [tuple(line.split(maxsplit=1)) for line in TEXT.splitlines() if line.strip()]


def _arguments(instruction: str) -> list[str]:
    return [argument for name, argument in STEPS if name == instruction]


def _is_ignored(path: str) -> bool:
    """Tell whether `.dockerignore` excludes a path: the last pattern that matches it, or a folder above it, decides."""
    ignored = False
    for line in (PROJECT / ".dockerignore").read_text().split():
        pattern = re.escape(line.removeprefix("!")).replace(r"\*\*/", "(.*/)?").replace(r"\*", "[^/]*")
        if re.fullmatch(f"{pattern}(/.*)?", path):
            ignored = not line.startswith("!")
    return ignored


@dataclass
class Image:
    """What the instructions until `USER` have made."""

    folder: Path

    @property
    def build(self) -> Path:
        return self.folder / "build"

    @property
    def environment(self) -> Mapping[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PIP"))}
        offline = {"PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        return kept | offline | {"PATH": f"{self.folder / 'python' / 'bin'}:{os.environ['PATH']}"}

    def run(self, command: str) -> None:
        """Carry out the command of a `RUN`."""
        command = command.replace("/build", str(self.build))
        if command.startswith("useradd "):  # of the image, not of this machine
            command = command.replace("useradd", f"useradd --prefix {shlex.quote(str(self.folder))}", 1)
        done = subprocess.run(
            ["sh", "-c", command], cwd=self.build, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr

    def copy(self, arguments: str) -> None:
        """Carry out a `COPY`."""
        *sources, target = arguments.split()
        for source in sources:
            found = [PROJECT / source, *(PROJECT / source).rglob("*")]
            for path in found:
                name = path.relative_to(PROJECT).as_posix()
                if path.is_file() and not _is_ignored(name):
                    inside = path.relative_to(PROJECT / source) if path != PROJECT / source else source
                    place = self.build / target / inside
                    place.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(path, place)

    def user(self) -> tuple[int, int, Path]:
        """Return number, group and home of the user."""
        (name,) = _arguments("USER")
        users = [line.split(":") for line in (self.folder / "etc" / "passwd").read_text().splitlines()]
        (entry,) = [one for one in users if one[0] == name]
        return int(entry[2]), int(entry[3]), self.folder / entry[5].lstrip("/")


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """Carry out all instructions until `USER`."""
    image = Image(tmp_path_factory.mktemp("image"))
    image.build.mkdir()
    (image.folder / "etc").mkdir()
    for name in ("passwd", "group", "shadow"):
        (image.folder / "etc" / name).touch()
    _make_python(image.folder / "python")
    carry_out = {"COPY": image.copy, "RUN": image.run}
    for instruction, argument in STEPS[: [name for name, _ in STEPS].index("USER")]:
        if argument.startswith("useradd ") and os.geteuid() != 0:
            continue  # only root adds users
        if instruction in carry_out:
            carry_out[instruction](argument)
        else:
            assert (instruction, argument) in {("FROM", "python:3.12-slim"), ("WORKDIR", "/build")}
    return image


def _make_python(folder: Path) -> None:
    """Make a Python that has the packages of this environment, but not the checkout."""
    venv.create(folder)
    base = {"base": str(folder), "platbase": str(folder)}
    dependencies = sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})
    Path(sysconfig.get_path("purelib", "venv", base), "dependencies.pth").write_text("\n".join(dependencies))
    pip = folder / "bin" / "pip"
    pip.write_text('#!/bin/sh\nexec python -m pip "$@"\n')
    pip.chmod(0o755)


def test_only_what_is_needed_is_copied() -> None:
    assert not _is_ignored("src/stridednet/deploy/serve/page/page.html")
    assert not _is_ignored("constraints.txt")
    for path in ("tests/conftest.py", ".git/config", "runs/train/a/model.keras", "src/stridednet/__pycache__/a.pyc"):
        assert _is_ignored(path)


def test_the_project_is_installed_and_its_files_are_removed(image: Image) -> None:
    assert list(image.build.iterdir()) == []
    where = "import stridednet.deploy.serve.page as page; print(page.__file__); page.page()"
    found = subprocess.run(
        ["python", "-c", where], env=image.environment, cwd=image.folder, capture_output=True, text=True, check=True
    )
    assert Path(found.stdout.strip()).is_relative_to(image.folder)


@pytest.fixture(scope="module")
def container(
    image: Image, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """Start `ENTRYPOINT` with a run, as the user of the image if this is root, and return process and port."""
    run = write_served_run(tmp_path_factory.mktemp("runs") / "run")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (entry,) = _arguments("ENTRYPOINT")
    command = [str(port) if one in _arguments("EXPOSE") else one for one in json.loads(entry)]
    assert str(port) in command
    environment, home = dict(image.environment), image.folder
    if os.geteuid() == 0:
        user, group, home = image.user()
        assert user != 0
        environment["HOME"] = str(home)
        # The folders of tests, and perhaps Python, are root's: this user may read them, but not write.
        may_read = ["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"]
        command = ["setpriv", "--reuid", str(user), "--regid", str(group), "--clear-groups", *may_read, *command]
    process = subprocess.Popen([*command, run], cwd=home, env=environment)
    yield process, port
    process.kill()
    process.wait()


def test_the_container_serves_and_stops(image: Image, container: tuple["subprocess.Popen[bytes]", int]) -> None:
    process, port = container
    (check,) = _arguments("HEALTHCHECK")
    healthy = [one.replace(":8000", f":{port}") for one in json.loads(check.partition("CMD")[2])]
    assert str(port) in healthy[-1]

    def is_healthy() -> bool:
        assert process.poll() is None
        return subprocess.run(healthy, env=image.environment, capture_output=True, check=False).returncode == 0

    wait_until(is_healthy, "HEALTHCHECK fails")
    if os.geteuid() == 0:
        owners = re.findall(r"^Uid:\s+(.*)$", Path(f"/proc/{process.pid}/status").read_text(), re.MULTILINE)
        assert set(owners[0].split()) == {str(image.user()[0])}
    assert httpx.post(f"http://127.0.0.1:{port}/predict", content=png(1)).status_code == 200
    (number,) = _arguments("STOPSIGNAL")
    assert number == "SIGTERM"
    process.terminate()
    assert process.wait(10) == 0
    assert not _is_reachable(port)


def _is_reachable(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_without_a_run_it_says_what_it_needs(image: Image) -> None:
    (entry,), (usual,) = _arguments("ENTRYPOINT"), _arguments("CMD")
    done = subprocess.run(
        [*json.loads(entry), *json.loads(usual)], env=image.environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, "RUN..." in done.stdout) == (0, True), done.stderr
