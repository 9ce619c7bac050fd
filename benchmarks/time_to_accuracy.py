"""How accurate each recipe is, and how long it takes, against the tutorial's script on Keras' `fit`.

    python benchmarks/time_to_accuracy.py PATH/101_ObjectCategories [--seeds 3] [--only fast,accurate,tutorial,script]

Each training is a process of its own, one after another, as a person would start it: imports, decoding, training and
report are in the whole time. The recipes are tested on the same 559 images; the scripts have no seed, so they run once.
The second of them, `script-tensorflow`, takes part where TensorFlow is installed.
"""

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from stridednet.machine import device

LABELS = "Faces,Leopards,Motorbikes,airplanes"
SCRIPT = Path(__file__).parents[1] / "examples/tutorial/train.py"
RECIPES = ("fast", "accurate", "tutorial")
BACKENDS = {"script": "torch", "script-tensorflow": "tensorflow"}  # that the script runs on


def trained(contestant: str, dataset: str, seed: int, folder: Path) -> tuple[float, float]:
    """Return the test accuracy and the whole process's seconds."""
    started = time.perf_counter()
    if contestant in BACKENDS:
        environment = os.environ | {"KERAS_BACKEND": BACKENDS[contestant]}
        command = [sys.executable, str(SCRIPT), "--dataset", dataset, "--plot", str(folder / "plot.png")]
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
        line = next(line for line in done.stdout.splitlines() if line.split()[:1] == ["accuracy"])
        return float(line.split()[1]), time.perf_counter() - started
    command = [str(Path(sys.executable).with_name("stridednet")), "train", dataset, "--labels", LABELS]
    command += ["--recipe", contestant, "--seed", str(seed), "--json", "--out", str(folder / f"{contestant}-{seed}")]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)["report"]["accuracy"], time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", nargs="?", default=os.environ.get("STRIDEDNET_CALTECH101"))
    parser.add_argument("--seeds", type=int, default=3)
    scripts = [name for name, backend in BACKENDS.items() if importlib.util.find_spec(backend)]
    parser.add_argument("--only", default=",".join((*RECIPES, *scripts)))
    arguments = parser.parse_args()
    if not arguments.dataset:
        parser.error("name the folder 101_ObjectCategories, or set STRIDEDNET_CALTECH101")
    print(f"{device()['name']}, {device()['cores']} cores; {arguments.seeds} seeds, the scripts once")
    print(f"  {'':18}mean accuracy      sd   lowest   median s")
    medians = {}
    for contestant in arguments.only.split(","):
        with tempfile.TemporaryDirectory() as folder:
            seeds = range(1 if contestant in BACKENDS else arguments.seeds)
            results = [trained(contestant, arguments.dataset, seed, Path(folder)) for seed in seeds]
        accuracies, seconds = zip(*results, strict=True)
        spread = statistics.stdev(accuracies) if len(accuracies) > 1 else float("nan")
        medians[contestant] = statistics.median(seconds)
        print(
            f"  {contestant:18}{statistics.mean(accuracies):13.4f}{spread:8.4f}{min(accuracies):9.4f}"
            f"{medians[contestant]:11.1f}"
        )
    for contestant, seconds_of_it in medians.items():
        if "script" in medians and contestant not in BACKENDS:
            print(f"  {contestant}: {medians['script'] / seconds_of_it:.1f} times as fast as the script")


if __name__ == "__main__":
    main()
