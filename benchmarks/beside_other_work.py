"""Training throughput while other processes compute, with and without adapting the number of threads to it.

    python benchmarks/beside_other_work.py [PATH/101_ObjectCategories] [--rounds 5]

Each measurement is a process that trains with the recipe `fast`, its background preparation of batches included, and
reports images per second: alone; beside one busy loop; beside a busy loop of lowest priority on each core; two runs
at once (the sum of both); and, where a cgroup can be made (Linux, as root), with a CPU quota of 1.5 cores. `adapted` is
what the command does, `fixed` is one thread per core whatever else computes (OMP_NUM_THREADS). Both take turns in each
round; medians with their ranges are printed, with ratios to `fixed` alone.
"""

import argparse
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from stridednet.machine import cores_of_this_process

WORKER = """
import sys, time
import stridednet
from stridednet.data.prepare import prepare
from stridednet.executor.backend import Backend
from stridednet.training.fit import fit
from stridednet.resolve import resolve
from stridednet.threads import claim_process
claim_process()
labels = {"data.labels": ("Faces", "Leopards", "Motorbikes", "airplanes")} if sys.argv[1] else {}
recipe = resolve(sys.argv[1] or None, "fast", labels | {"epochs": 1000}).recipe
backend = Backend.choose()
recipe = recipe.replace({"precision": backend.precision})
data = prepare(recipe.data, recipe.image_size, lambda message: None)

class Clock(stridednet.Observer):
    steps = 0
    def on_step(self, epoch, step, scores):
        self.steps += 1
        if self.steps == 60:
            print("ready", flush=True)
            sys.stdin.readline()
            self.started = time.perf_counter()
        elif self.steps > 60 and time.perf_counter() - self.started > float(sys.argv[2]):
            raise SystemExit(print((self.steps - 60) * batch / (time.perf_counter() - self.started), flush=True))

batch = int(recipe.sized(len(data.split.train), len(data.labels)).batch_size)
fit(recipe, data, backend, Clock())
"""
BUSY = "while True: pass"
QUOTA = 1.5  # cores


class Training:
    """A process that trains when it is told to."""

    def __init__(self, threads: str, dataset: str, seconds: float, cgroup: Path | None = None) -> None:
        environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
        if threads == "fixed":
            environment["OMP_NUM_THREADS"] = str(len(cores_of_this_process()))
        command = [sys.executable, "-c", WORKER, dataset, str(seconds)]
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
def busy_loops(count: int, *before: str) -> Iterator[None]:
    processes = [subprocess.Popen([*before, sys.executable, "-c", BUSY]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
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


def measure(threads: str, dataset: str, seconds: float, group: Path | None) -> dict[str, float]:
    found = {}

    def run(count: int, cgroup: Path | None = None) -> float:
        trainings = [Training(threads, dataset, seconds, cgroup) for _ in range(count)]
        for training in trainings:
            training.start()
        return sum(training.speed() for training in trainings)

    found["alone"] = run(1)
    with busy_loops(1):
        found["one busy loop"] = run(1)
    if shutil.which("nice"):
        with busy_loops(len(cores_of_this_process()), "nice", "-n", "19"):
            found["low-priority loops"] = run(1)
    found["two at once"] = run(2)
    if group is not None:
        found[f"quota of {QUOTA} cores"] = run(1, group)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", nargs="?", default=os.environ.get("STRIDEDNET_CALTECH101", ""))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="length of each measurement")
    arguments = parser.parse_args()
    kinds = ("fixed", "adapted")
    results: dict[str, list[dict[str, float]]] = {kind: [] for kind in kinds}
    with quota() as group:
        for _ in range(arguments.rounds):
            for kind in kinds:
                results[kind].append(measure(kind, arguments.dataset, arguments.seconds, group))
    reference = statistics.median(row["alone"] for row in results["fixed"])
    print(f"images/s, median (lowest to highest) of {arguments.rounds} rounds; ratio to fixed, alone")
    for case in results["fixed"][0]:
        for kind in kinds:
            speeds = [row[case] for row in results[kind]]
            median = statistics.median(speeds)
            spread = f"({min(speeds):,.0f} to {max(speeds):,.0f})"
            print(f"{case:22} {kind:8} {median:7,.0f} {spread:18} {median / reference:5.2f}")


if __name__ == "__main__":
    main()
