"""Training throughput while other processes compute, for several ways in which OpenMP threads wait.

    python benchmarks/beside_other_work.py [PATH/101_ObjectCategories] [--rounds 5] [--spin default,20000,passive]

Each measurement is a process that trains the tutorial's network on prepared batches of 32 images and reports images per
second: alone, beside one busy loop, two trainings at once (the sum of both), and, where a cgroup can be made (Linux, as
root), with a CPU quota of 1.5 cores. The settings take turns in each round; medians are printed, with ratios to the
default setting alone. `default` is libgomp's own spin count.
"""

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

WORKER = """
import sys, time
sys.path.insert(0, sys.argv[1])
from train_throughput import batches_of, native
from stridednet.executor.backend import Backend
from stridednet.machine import claim_process
claim_process()
batches, classes = batches_of(sys.argv[2] or None)
epoch = native(batches[:26], classes, Backend.choose().precision)
epoch()
print("ready", flush=True)
sys.stdin.readline()
started, count = time.perf_counter(), 0
while time.perf_counter() - started < float(sys.argv[3]):
    epoch()
    count += 1
print(count * 26 * 32 / (time.perf_counter() - started), flush=True)
"""
BUSY = "while True: pass"
QUOTA = 1.5  # cores


class Training:
    """A process that trains when it is told to."""

    def __init__(self, spin: str, dataset: str, seconds: float, cgroup: Path | None = None) -> None:
        environment = {
            key: value for key, value in os.environ.items() if key not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
        }
        if spin == "passive":
            environment["OMP_WAIT_POLICY"] = "PASSIVE"
        elif spin != "default":
            environment["GOMP_SPINCOUNT"] = spin
        command = [sys.executable, "-c", WORKER, str(Path(__file__).parent), dataset, str(seconds)]
        self._process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        if cgroup is not None:
            (cgroup / "cgroup.procs").write_text(str(self._process.pid))
        self._line()

    def start(self) -> None:
        print("go", file=self._process.stdin, flush=True)

    def speed(self) -> float:
        value = float(self._line())
        self._process.wait()
        return value

    def _line(self) -> str:
        assert self._process.stdout is not None  # noqa: S101 -- a pipe
        return self._process.stdout.readline()


@contextlib.contextmanager
def busy_loop() -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-c", BUSY])
    try:
        yield
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def quota() -> Iterator[Path | None]:
    """Make a cgroup with a CPU quota, version 2 or 1; None where that is not allowed."""
    for root, files in (
        ("/sys/fs/cgroup", {"cpu.max": f"{int(QUOTA * 100_000)} 100000"}),
        ("/sys/fs/cgroup/cpu", {"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": str(int(QUOTA * 100_000))}),
    ):
        group = Path(root) / f"stridednet-{os.getpid()}"
        try:
            group.mkdir()
            if not (group / next(iter(files))).exists():  # an ordinary folder, or no such controller
                raise OSError
            for name, content in files.items():
                (group / name).write_text(content)
        except OSError:
            with contextlib.suppress(OSError):
                group.rmdir()
            continue
        try:
            yield group
        finally:
            with contextlib.suppress(OSError):
                group.rmdir()
        return
    yield None


def measure(spin: str, dataset: str, seconds: float, group: Path | None) -> dict[str, float]:
    found = {}

    def run(count: int, cgroup: Path | None = None) -> float:
        trainings = [Training(spin, dataset, seconds, cgroup) for _ in range(count)]
        for training in trainings:
            training.start()
        return sum(training.speed() for training in trainings)

    found["alone"] = run(1)
    with busy_loop():
        found["beside a busy loop"] = run(1)
    found["two at once"] = run(2)
    if group is not None:
        found[f"quota of {QUOTA} cores"] = run(1, group)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", nargs="?", default=os.environ.get("STRIDEDNET_CALTECH101", ""))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="length of each measurement")
    parser.add_argument("--spin", default="default,20000,5000,1000,passive")
    arguments = parser.parse_args()
    spins = arguments.spin.split(",")
    results: dict[str, list[dict[str, float]]] = {spin: [] for spin in spins}
    with quota() as group:
        for _ in range(arguments.rounds):
            for spin in spins:
                results[spin].append(measure(spin, arguments.dataset, arguments.seconds, group))
    cases = list(results[spins[0]][0])
    reference = statistics.median(row["alone"] for row in results[spins[0]])
    print(f"images/s, median of {arguments.rounds} rounds; ratios to {spins[0]}, alone")
    print(f"{'spin count':12}" + "".join(f"{case:>26}" for case in cases))
    for spin in spins:
        medians = [statistics.median(row[case] for row in results[spin]) for case in cases]
        print(f"{spin:12}" + "".join(f"{median:16,.0f} ({median / reference:5.2f})  " for median in medians))


if __name__ == "__main__":
    main()
