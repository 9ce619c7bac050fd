"""How long ``stridednet --help`` takes, against the bare interpreter and against importing what training needs.

python benchmarks/startup.py
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

RUNS = 9


def seconds(*command: str) -> float:
    """Return the median wall time of a process, after one that does not count."""
    times = []
    for _ in range(RUNS + 1):
        started = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - started)
    return statistics.median(times[1:])


def main() -> None:
    python = sys.executable
    bare = seconds(python, "-c", "pass")
    rows = {
        "python -c pass": bare,
        "stridednet --help": seconds(str(Path(python).with_name("stridednet")), "--help"),
        "import stridednet.pipeline": seconds(python, "-c", "import stridednet.pipeline"),
    }
    print(f"wall time of a process, median of {RUNS} runs")
    for name, value in rows.items():
        print(f"  {name:28}{value:6.2f} s  {value / bare:6.1f} x")


if __name__ == "__main__":
    main()
