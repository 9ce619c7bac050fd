import subprocess
import sys

GARBAGE = """
class Cycle:
    def __init__(self):
        self.itself = self

    def __del__(self):
        print("found")

Cycle()
"""


def _printed(program: str) -> str:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout


def test_a_process_that_collects_less_does_not_look_for_garbage_at_its_end() -> None:
    assert _printed(GARBAGE) == "found\n"
    assert _printed(f"from stridednet.cli.garbage import collect_less; collect_less()\n{GARBAGE}") == ""


def test_importing_the_command_changes_nothing() -> None:
    compare = "import gc; usual = gc.get_threshold(); import stridednet.cli.main; print(gc.get_threshold() == usual)"
    assert _printed(f"{compare}\n{GARBAGE}") == "True\nfound\n"
