"""How fast the parts around the network are: scanning, decoding and resizing, and augmentation.

    python benchmarks/data_pipeline.py [PATH/101_ObjectCategories]

Without CALTECH-101, decoding is measured on the built-in digits, which are smaller. Files are in the page cache: each
measurement runs once before it counts. Every line gives the median of the runs and a ratio to a baseline measured in
the same process.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from stridednet.data.augment import Augmentation
from stridednet.data.cache import load_pictures
from stridednet.data.decode import decode
from stridednet.data.scan import scan
from stridednet.machine import device

LABELS = ("Faces", "Leopards", "Motorbikes", "airplanes")
SIZE = 96


def seconds(work: Callable[[], object], runs: int) -> float:
    """Return the median time of several runs, after one that does not count."""
    work()
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def plain_pillow(path: Path) -> np.ndarray:
    """Decode and resize as most people write it."""
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB").resize((SIZE, SIZE)))


def scanning_and_decoding(dataset: str, labels: tuple[str, ...], runs: int) -> None:
    paths = [picture.path for picture in scan(dataset, labels).pictures]
    baseline = seconds(lambda: [plain_pillow(path) for path in paths], runs)
    one_core = seconds(lambda: [decode(path, SIZE) for path in paths], runs)
    all_cores = seconds(lambda: load_pictures(scan(dataset, labels), SIZE, use_cache=False), runs)
    cached = seconds(lambda: load_pictures(scan(dataset, labels), SIZE), runs)
    print(f"scan, decode and resize {len(paths):,} pictures to {SIZE}x{SIZE}, median of {runs} runs")
    print(f"  Pillow in a loop, one core     {baseline:6.2f} s   1.00 x")
    print(f"  decode() in a loop, one core   {one_core:6.2f} s  {baseline / one_core:5.2f} x")
    print(f"  scan and decode, all cores     {all_cores:6.2f} s  {baseline / all_cores:5.2f} x")
    print(f"  the same from the cache        {cached:6.2f} s  {baseline / cached:5.2f} x")


def augmentation(runs: int) -> None:
    from scipy.ndimage import affine_transform

    images = np.random.default_rng(0).integers(0, 256, (32, SIZE, SIZE, 3), np.uint8)
    augment = Augmentation(20, 0.2, 0.2, 0.15, 0.15, horizontal_flip=True)
    rng = np.random.default_rng(0)

    def as_in_the_former_keras_class() -> None:
        """Warp channel by channel in SciPy, as ImageDataGenerator does."""
        for image, matrix in zip(images, augment.draw(len(images), SIZE, SIZE, rng).matrices(SIZE, SIZE), strict=True):
            turned = matrix[::-1, [1, 0, 2]]  # from (x, y) to (row, column)
            for channel in range(3):
                affine_transform(
                    image[:, :, channel].astype(np.float32), turned[:, :2], turned[:, 2], order=1, mode="nearest"
                )

    cv2.setNumThreads(1)
    baseline = len(images) / seconds(as_in_the_former_keras_class, runs)
    speed = 100 * len(images) / seconds(lambda: [augment(images, rng) for _ in range(100)], runs)
    print(f"augmentation of {SIZE}x{SIZE} images on one core, median of {runs} runs")
    print(f"  ImageDataGenerator's way       {baseline:8,.0f} images/s   1.00 x")
    print(f"  Augmentation                   {speed:8,.0f} images/s  {speed / baseline:5.2f} x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", nargs="?", default=os.environ.get("STRIDEDNET_CALTECH101"))
    parser.add_argument("--runs", type=int, default=7)
    arguments = parser.parse_args()
    print(f"{device()['name']}, {device()['cores']} cores")
    labels = LABELS if arguments.dataset else ()
    scanning_and_decoding(arguments.dataset or "digits", labels, arguments.runs)
    augmentation(arguments.runs)


if __name__ == "__main__":
    main()
