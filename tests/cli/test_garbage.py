import gc
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


def test_a_process_that_collects_less_does_not_look_for_garbage_at_its_end() -> None:
    def printed(program: str) -> str:
        return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert printed(GARBAGE) == "found\n"
    assert printed(f"from stridednet.cli.garbage import collect_less; collect_less()\n{GARBAGE}") == ""


def test_importing_the_command_changes_nothing() -> None:
    before = gc.get_threshold()
    import stridednet.cli.main  # noqa: F401

    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0
