import os
import subprocess
import sys

import pytest

from stridednet.cli.waiting import spin_less

NAMES = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")


@pytest.fixture
def unset(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in NAMES:
        monkeypatch.setenv(name, "")  # so that what the test sets is undone
        monkeypatch.delenv(name)
    return monkeypatch


def test_threads_spin_less_unless_the_user_decides(unset: pytest.MonkeyPatch) -> None:
    spin_less()
    assert int(os.environ["GOMP_SPINCOUNT"]) < 300_000  # libgomp's own number
    assert "OMP_WAIT_POLICY" not in os.environ
    unset.delenv("GOMP_SPINCOUNT")
    unset.setenv("OMP_WAIT_POLICY", "ACTIVE")
    spin_less()
    assert "GOMP_SPINCOUNT" not in os.environ


@pytest.mark.usefixtures("unset")
def test_the_command_decides_before_torch_is_loaded_and_the_package_does_not_decide() -> None:
    command = (
        "import os, sys; sys.argv = ['stridednet', '--version']; from stridednet.cli.main import main\n"
        "try: main()\nexcept SystemExit: pass\nprint(os.environ['GOMP_SPINCOUNT'], 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == "False"
    imported = "import os, stridednet.pipeline; print('GOMP_SPINCOUNT' in os.environ)"
    done = subprocess.run([sys.executable, "-c", imported], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
