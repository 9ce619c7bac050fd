"""How long ``stridednet --help`` takes, against the bare interpreter and against importing what training needs.

The last two rows are a process that imports it and ends: as Python does it, and as the command does it.

python benchmarks/startup.py
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

RUNS = 9
IMPORT = "import stridednet.pipeline"


def seconds(*command: str) -> float:
    """Return the wall time of a process."""
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    python = sys.executable
    commands = {
        "python -c pass": (python, "-c", "pass"),
        "stridednet --help": (str(Path(python).with_name("stridednet")), "--help"),
        "import stridednet.pipeline": (python, "-c", IMPORT),
        "  with collect_less()": (python, "-c", f"import stridednet.cli.garbage as g; g.collect_less(); {IMPORT}"),
    }
    times = [[seconds(*command) for command in commands.values()] for _ in range(RUNS + 1)]
    medians = [statistics.median(column) for column in zip(*times[1:], strict=True)]  # the first round does not count
    print(f"wall time of a process, median of {RUNS} runs in turns")
    for name, value in zip(commands, medians, strict=True):
        print(f"  {name:28}{value:6.2f} s  {value / medians[0]:6.1f} x")


if __name__ == "__main__":
    main()
