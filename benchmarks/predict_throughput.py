"""Throughput of predictions, in images per second: `Predictor` against Keras' `predict`, on StridedNet at 96x96.

    python benchmarks/predict_throughput.py [--rounds 7]

Both get the same 1, 32 and 512 random images and compute in float32. They take turns; medians are printed.
"""

import argparse
import statistics
import time

import stridednet  # noqa: F401  -- before keras, to choose its backend

import numpy as np  # isort: skip

from stridednet.executor.predictor import Predictor
from stridednet.machine import device
from stridednet.models.catalogue import build_model
from stridednet.recipe import Recipe
from stridednet.threads import claim_process


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    claim_process()
    model = build_model(Recipe().model, 96, 4)
    predictor = Predictor(model)
    print(f"{device()['name']}, {device()['cores']} cores; median of {rounds} rounds")
    for count in (1, 32, 512):
        images = np.random.default_rng(0).integers(0, 256, (count, 96, 96, 3), np.uint8)
        times: dict[str, list[float]] = {"keras": [], "stridednet": []}
        for turn in range(rounds + 1):
            started = time.perf_counter()
            theirs = model.predict(images, batch_size=64, verbose=0)
            middle = time.perf_counter()
            ours = predictor.predict(images)
            ended = time.perf_counter()
            if turn:  # the first round is a warm-up
                times["keras"].append(middle - started)
                times["stridednet"].append(ended - middle)
        assert np.allclose(ours, theirs, atol=1e-4)  # noqa: S101 -- otherwise the comparison would be meaningless
        keras_seconds, seconds = (statistics.median(times[name]) for name in ("keras", "stridednet"))
        print(
            f"  {count} images: Keras {count / keras_seconds:,.0f} images/s, stridednet {count / seconds:,.0f}: "
            f"{keras_seconds / seconds:.2f} times as fast"
        )


if __name__ == "__main__":
    main()
