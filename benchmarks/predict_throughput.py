"""Images a second of `predict`: this package's executor against Keras' `predict`, the tutorial's network at 96x96.

    python benchmarks/predict_throughput.py [--rounds 7]

Both take the same 32 and the same 512 random pictures and compute in float32. They take turns; medians follow.
"""

import argparse
import statistics
import time

import stridednet  # noqa: F401  -- before keras, to choose its backend

import numpy as np  # isort: skip
import torch

from stridednet.data.batches import in_order
from stridednet.executor.schedule import Schedule
from stridednet.executor.trainer import NativeExecutor
from stridednet.machine import device, usable_cores
from stridednet.models.catalogue import build_model
from stridednet.recipe import Recipe


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(usable_cores())
    model = build_model(Recipe().model, 96, 4)
    executor = NativeExecutor(model, Schedule(Recipe().optimizer, 1, 1), "float32")
    print(f"{device()['name']}, {device()['cores']} cores; median of {rounds} rounds")
    for count in (32, 512):
        images = np.random.default_rng(0).integers(0, 256, (count, 96, 96, 3), np.uint8)
        targets = np.zeros((count, 4), np.float32)
        times: dict[str, list[float]] = {"keras": [], "stridednet": []}
        for turn in range(rounds + 1):
            started = time.perf_counter()
            theirs = model.predict(images, batch_size=64, verbose=0)
            middle = time.perf_counter()
            ours = executor.predict(in_order(images, np.arange(count), targets))
            ended = time.perf_counter()
            if turn:  # the first does not count
                times["keras"].append(middle - started)
                times["stridednet"].append(ended - middle)
        assert np.allclose(ours, theirs, atol=1e-4)  # noqa: S101 -- else the comparison means nothing
        keras_seconds, seconds = (statistics.median(times[name]) for name in ("keras", "stridednet"))
        print(
            f"  {count} images: Keras {count / keras_seconds:,.0f} images/s, stridednet {count / seconds:,.0f}: "
            f"{keras_seconds / seconds:.2f} times as fast"
        )


if __name__ == "__main__":
    main()
