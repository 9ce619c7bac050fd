"""Speed and memory of ``stridednet predict``: a folder of many pictures, one picture, and one picture within Python.

    python benchmarks/predict_files.py [RUN] [--pictures 100000] [--rounds 7]

Without RUN, the network of the recipe `fast` is trained for an epoch on the digits. The pictures are JPEG files of
160x120 pixels in a temporary folder. A tenth of them is predicted too, since memory should not depend on their number.
The time of a whole process for one picture is compared with that of a process that only imports Keras.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

from stridednet.machine import device
from stridednet.run import Run

STRIDEDNET = str(Path(sys.executable).with_name("stridednet"))
DIFFERENT, PER_FOLDER = 100, 1000  # contents of pictures; pictures in a folder
CALLS = 500


def make_pictures(folder: Path, count: int) -> None:
    """Write pictures, which have smooth random colors, so that their files are as large as those of photographs."""
    rng = np.random.default_rng(0)
    contents = []
    for _ in range(DIFFERENT):
        colors = cv2.resize(rng.integers(0, 256, (24, 32, 3), np.uint8), (160, 120), interpolation=cv2.INTER_CUBIC)
        contents.append(cv2.imencode(".jpg", colors)[1].tobytes())
    for number in range(count):
        path = folder / f"{number // PER_FOLDER:03}" / f"{number:06}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents[number % DIFFERENT])


def prepare_processes(place: Path) -> None:
    """Let the processes find compiled Python files, which not every environment allows Python to write."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ |= {"PYTHONPYCACHEPREFIX": str(place / "compiled"), "KERAS_BACKEND": "torch"}
    subprocess.run((sys.executable, "-c", "import stridednet.pipeline"), check=True)


def measured(command: Sequence[str], out: Path) -> tuple[float, float]:
    """Run a process with its output in a file, and return its wall time in seconds and its peak memory in MiB."""
    started = time.perf_counter()
    with out.open("wb") as file:
        process = subprocess.Popen(command, stdout=file)
        _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    if status:
        sys.exit(f"{' '.join(command)} ended with status {os.waitstatus_to_exitcode(status)}")
    return seconds, usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def compare_folders(run: Path, place: Path, count: int) -> None:
    for pictures in (count // 10, count):
        folder, table = place / f"{pictures} pictures", place / f"{pictures}.csv"
        make_pictures(folder, pictures)
        seconds, memory = measured((STRIDEDNET, "predict", str(run), str(folder), "--csv"), table)
        with table.open() as lines:
            assert sum(1 for _ in lines) == pictures + 1  # noqa: S101 -- otherwise the numbers would be meaningless
        print(f"  {pictures:7,} pictures: {pictures / seconds:6,.0f} images/s, {memory:,.0f} MiB at most")


def compare_processes(run: Path, place: Path, rounds: int) -> None:
    make_pictures(place / "one", 1)
    commands = {
        "stridednet predict, one picture": (STRIDEDNET, "predict", str(run), str(place / "one")),
        "python -c 'import keras'": (sys.executable, "-c", "import keras"),
        "python -c pass": (sys.executable, "-c", "pass"),
    }
    times = [[measured(command, place / "out")[0] for command in commands.values()] for _ in range(rounds + 1)]
    for name, column in zip(commands, zip(*times[1:], strict=True), strict=True):  # the first round does not count
        print(f"  {name:32}{statistics.median(column):6.2f} s")


def measure_calls(run: Run, picture: Path) -> None:
    size = run.recipe.image_size
    array = np.random.default_rng(0).integers(0, 256, (size, size, 3), np.uint8)
    for name, given in ((f"an array {size}x{size}", array), ("a file", picture)):
        times = []
        for _ in range(CALLS + 20):  # the first ones do not count
            started = time.perf_counter()
            run.predict(given)
            times.append(1000 * (time.perf_counter() - started))
        print(f"  Run.predict, {name:19}{statistics.median(times[20:]):6.2f} ms")


def trained(folder: Path) -> Path:
    settings = ("--recipe", "fast", "--set", "image_size=48", "-e", "1", "--out", str(folder))
    subprocess.run((STRIDEDNET, "train", "digits", *settings), check=True, stdout=subprocess.DEVNULL)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?", type=Path)
    parser.add_argument("--pictures", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    print(f"{device()['name']}, {device()['cores']} cores")
    with TemporaryDirectory() as temporary:
        place = Path(temporary)
        prepare_processes(place)
        run = options.run or trained(place / "run")
        compare_folders(run, place, options.pictures)
        print(f"whole processes, median of {options.rounds} runs in turns")
        compare_processes(run, place, options.rounds)
        print(f"within Python, median of {CALLS} calls")
        measure_calls(Run.open(run), next((place / "one").rglob("*.jpg")))


if __name__ == "__main__":
    main()
