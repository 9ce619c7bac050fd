"""How many flipped labels `stridednet check` finds, and how long it takes in comparison with one training.

    python benchmarks/label_issues.py PATH/101_ObjectCategories [--seeds 11,12,13] [--rate 0.03] [--labels A,B,...]

For each seed, a copy of the data set (symbolic links in a temporary folder) gets some of its labels flipped: a random
3% of the pictures are put into another random class. Precision: the fraction of the reported label issues that are
flips; recall: the fraction of the flips that are reported. Real label issues of the data set count as false alarms.
Both commands are whole processes. `train --recipe fast` runs after each check on the same flipped copy, so that the
check decodes the pictures and the training finds them in the cache.
"""

import argparse
import csv
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stridednet.data.scan import scan
from stridednet.machine import device

LABELS = "Faces,Leopards,Motorbikes,airplanes"


def flipped_copy(dataset: str, labels: Sequence[str], rate: float, seed: int, folder: Path) -> set[str]:
    """Write a data set with flipped labels into a folder, and return the paths of the flips relative to it."""
    manifest = scan(dataset, labels)
    rng = np.random.default_rng(seed)
    count = len(manifest.pictures)
    chosen = set(rng.choice(count, round(rate * count), replace=False).tolist())
    flips = set()
    for row, picture in enumerate(manifest.pictures):
        label = picture.label
        if row in chosen:
            others = [other for other in manifest.labels if other != label]
            label = others[int(rng.integers(len(others)))]
        # The original class is part of the name, so that names are unique; the model does not see them.
        path = Path(picture.subset or "", label, f"{picture.label}_{picture.path.name}")
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).symlink_to(picture.path.resolve())
        if row in chosen:
            flips.add(path.as_posix())
    return flips


def command_seconds(*arguments: str) -> float:
    """Run a command of the package in a process of its own, and return its wall seconds."""
    code = "import sys; sys.argv[0] = 'stridednet'; from stridednet.cli.main import main; main()"
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", nargs="?", default=os.environ.get("STRIDEDNET_CALTECH101"))
    parser.add_argument("--labels", default=LABELS, help="an empty text: all")
    parser.add_argument("--seeds", default="11,12,13")
    parser.add_argument("--rate", type=float, default=0.03)
    parser.add_argument("--folds", type=int, default=5)
    arguments = parser.parse_args()
    if not arguments.dataset:
        parser.error("name the folder 101_ObjectCategories, or set STRIDEDNET_CALTECH101")
    labels = [label for label in arguments.labels.split(",") if label]
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    print(f"{device()['name']}, {device()['cores']} cores; {arguments.rate:.0%} flips, {arguments.folds} folds")
    print("  seed  flips  issues  precision  recall  check s  train s  ratio", flush=True)
    rows = []
    for seed in seeds:
        with tempfile.TemporaryDirectory() as temporary:
            data, results = Path(temporary, "data"), Path(temporary, "check")
            flips = flipped_copy(arguments.dataset, labels, arguments.rate, seed, data)
            checking = command_seconds(
                "check", str(data), "--folds", str(arguments.folds), "--seed", str(seed), "--out", str(results)
            )
            training = command_seconds(
                "train", str(data), "--recipe", "fast", "--seed", str(seed), "--out", str(Path(temporary, "run"))
            )
            with (results / "check.csv").open(encoding="utf-8", newline="") as file:
                found = {row["path"] for row in csv.DictReader(file) if row["issue"] == "label"}
        hits = len(found & flips)
        rows.append((hits / len(found) if found else float("nan"), hits / len(flips), checking, training))
        precision, recall, *_ = rows[-1]
        print(
            f"  {seed:4}{len(flips):7}{len(found):8}{precision:11.3f}{recall:8.3f}{checking:9.1f}{training:9.1f}"
            f"{checking / training:7.2f}",
            flush=True,
        )
    for name, values in zip(("precision", "recall", "check s", "train s"), zip(*rows, strict=True), strict=True):
        spread = statistics.stdev(values) if len(values) > 1 else float("nan")
        print(
            f"  {name}: mean {statistics.mean(values):.3f}, sd {spread:.3f}, {min(values):.3f} to {max(values):.3f} "
            f"(n = {len(values)})"
        )
    print(
        f"  check / train, medians: {statistics.median(r[2] for r in rows) / statistics.median(r[3] for r in rows):.2f}"
    )


if __name__ == "__main__":
    main()
