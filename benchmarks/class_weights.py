"""What `class_weights = "auto"` does for a small class: its recall, and the accuracies, with and without.

    python benchmarks/class_weights.py four PATH/101_ObjectCategories [--cut Leopards] [--seeds 10]
    python benchmarks/class_weights.py clothing PATH/clothing.tar [--seeds 10]

`four` are four classes of CALTECH-101, of which one is cut to 20 training pictures; `clothing` is imbalanced as it is
(https://github.com/alexeygrigorev/clothing-dataset-small), and its smallest class is watched. Each seed draws its own
quarter of the pictures of each class for testing, from all subsets together, and trains the recipe `fast` twice on the
same pictures, with the same seed. Data sets are trees of links in a temporary folder.

The 95% intervals are over seeds and allow for the overlap of their splits (`corrected_t.py`).
"""

import argparse
import os
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

import stridednet
from corrected_t import paired_difference
from stridednet.machine import device
from stridednet.threads import claim_process

FOUR = ("Faces", "Leopards", "Motorbikes", "airplanes")
CUT_TO = 20
TEST_SHARE = 0.25
WEIGHTS = ("none", "auto")

Pictures = Mapping[str, Sequence[Path]]


@dataclass(frozen=True)
class Scores:
    """What is compared, each on the test pictures of one seed."""

    recall: float  # of the small class
    precision: float  # of the small class
    accuracy: float
    mean_class_accuracy: float
    macro_f1: float


def pictures_of(dataset: str, labels: Sequence[str]) -> Pictures:
    """Return the pictures of each class, of all subsets together."""
    found = defaultdict(list)
    for picture in stridednet.scan(dataset, labels=labels).pictures:
        found[picture.label].append(Path(picture.path).resolve())
    return {label: sorted(paths) for label, paths in sorted(found.items())}


def link_split(pictures: Pictures, cut: str | None, seed: int, folder: Path) -> tuple[int, int]:
    """Draw a split, write it as links, and return the numbers of training and test pictures."""
    rng = np.random.default_rng(seed)
    counts = {"train": 0, "test": 0}
    for label, paths in pictures.items():
        order = [paths[index] for index in rng.permutation(len(paths))]
        for_test = round(TEST_SHARE * len(order))
        for_training = order[for_test:][: CUT_TO if label == cut else None]
        for subset, chosen in (("train", for_training), ("test", order[:for_test])):
            place = folder / subset / label
            place.mkdir(parents=True)
            for number, path in enumerate(chosen):
                (place / f"{number:04}{path.suffix}").symlink_to(path)
            counts[subset] += len(chosen)
    return counts["train"], counts["test"]


def trained(dataset: Path, small: str, settings: Mapping[str, object], out: Path) -> Scores:
    report = stridednet.train(dataset, "fast", settings, out=out).report["report"]
    of_class = report["classes"][small]
    averages = [report[name] for name in ("accuracy", "mean_class_accuracy", "macro_f1")]
    return Scores(of_class["recall"], of_class["precision"], *averages)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=["four", "clothing"])
    parser.add_argument("dataset", nargs="?", default=os.environ.get("STRIDEDNET_CALTECH101"))
    parser.add_argument("--cut", choices=FOUR, default="Leopards", help="the class of `four` that is cut")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--epochs", type=int, help="instead of the recipe's number")
    arguments = parser.parse_args()
    if not arguments.dataset:
        parser.error("name the data set")
    claim_process()
    four = arguments.data == "four"
    pictures = pictures_of(arguments.dataset, FOUR if four else ())
    cut = arguments.cut if four else None
    small = cut or min(pictures, key=lambda label: len(pictures[label]))
    results: dict[str, list[Scores]] = {weights: [] for weights in WEIGHTS}
    print(f"{device()['name']}, {device()['cores']} cores; {arguments.seeds} seeds; the small class is {small}")
    for seed in range(arguments.seeds):
        with tempfile.TemporaryDirectory() as folder:
            dataset = Path(folder, "pictures")
            training, testing = link_split(pictures, cut, seed, dataset)
            for weights in WEIGHTS:
                settings: dict[str, object] = {"class_weights": weights, "seed": seed}
                if arguments.epochs:
                    settings["epochs"] = arguments.epochs
                scores = trained(dataset, small, settings, Path(folder, weights))
                results[weights].append(scores)
                line = ", ".join(f"{name} {value:.3f}" for name, value in asdict(scores).items())
                print(f"  seed {seed}, class_weights={weights}: {line}", flush=True)
    show(results, small, testing / training)


def show(results: Mapping[str, Sequence[Scores]], small: str, overlap: float) -> None:
    """Print the means with their intervals, and those of the paired differences."""
    print(f"\n{'':24}{'none':>24}{'auto':>24}{'difference':>26}")
    for name in (field.name for field in fields(Scores)):
        without, with_weights = ([getattr(scores, name) for scores in results[weights]] for weights in WEIGHTS)
        zeros = [0.0] * len(without)
        cells = [
            paired_difference(values, base, overlap=overlap)
            for values, base in ((without, zeros), (with_weights, zeros), (with_weights, without))
        ]
        title = f"{name} of {small}" if name in ("recall", "precision") else name
        texts = [f"{cell.mean:.3f} [{cell.low:.3f}, {cell.high:.3f}]" for cell in cells[:2]]
        texts.append(f"{cells[2].mean:+.3f} [{cells[2].low:+.3f}, {cells[2].high:+.3f}]")
        print(f"{title:24}{texts[0]:>24}{texts[1]:>24}{texts[2]:>26}")


if __name__ == "__main__":
    main()
