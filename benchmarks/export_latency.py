"""Latency and throughput of an exported run in each runtime, against Keras' `predict` on the same model.

    python benchmarks/export_latency.py RUN [--dataset PATH] [--threads 2] [--rounds 7] [--calls 100] [--json FILE]

The run is exported first, to each format whose packages are installed, and verified on its test subset, which the
data set must be there for. Then all take turns: in each round, each computes `--calls` pictures one by one, and batches
of 64. Before its turn, the threads of the one before have 0.1 s to end their busy loops, and 5 calls are not timed.
Pictures are the run's own, prepared before; decoding is not timed. LiteRT's batch is 1, so that it computes a batch
picture by picture.
"""

import argparse
import functools
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import stridednet  # noqa: F401  -- before keras, to choose its backend

import numpy as np  # isort: skip
import torch  # isort: skip
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from stridednet.deploy.export.export import export
from stridednet.deploy.export.formats import FORMATS
from stridednet.deploy.export.runtimes import RUNTIMES
from stridednet.deploy.numpy_model import NumpyModel
from stridednet.deploy.portable import portable_model
from stridednet.errors import InputError
from stridednet.evaluation.labeled_pictures import labeled_pictures
from stridednet.executor.predictor import Predictor
from stridednet.machine import device
from stridednet.run import Run

BATCH = 64
BATCHES = 5  # of a round
WARM_UP = 5
PAUSE = 0.1  # seconds
KERAS = "Keras predict"

Images = NDArray[np.uint8]
Compute = Callable[[Images], NDArray[np.float32]]


@dataclass
class Contender:
    """A way to compute the run."""

    name: str
    compute: Compute
    exact: bool = True
    singles: list[float] = field(default_factory=list)  # seconds of each call
    batches: list[float] = field(default_factory=list)

    def numbers(self) -> dict[str, float]:
        p50, p99 = np.percentile(self.singles, [50, 99]) * 1000
        return {"p50_ms": p50, "p99_ms": p99, "images_per_s": BATCH / float(np.median(self.batches))}

    def turn(self, images: Images, batch: Images, calls: int) -> None:
        time.sleep(PAUSE)
        for _ in range(WARM_UP):
            self.compute(images[:1])
        for number in range(calls):
            image = images[number % len(images)][None]
            started = time.perf_counter()
            self.compute(image)
            self.singles.append(time.perf_counter() - started)
        self.compute(batch)
        for _ in range(BATCHES):
            started = time.perf_counter()
            self.compute(batch)
            self.batches.append(time.perf_counter() - started)


def contenders(run: Run, dataset: str | None, folder: Path, threads: int) -> list[Contender]:
    """Return all ways to compute a run whose packages are installed; Keras first."""
    model = run.model()
    found = [Contender(KERAS, functools.partial(model.predict, batch_size=BATCH, verbose=0))]
    found.append(Contender("Predictor", Predictor(model).predict))
    if (portable := portable_model(model)) is not None:
        found.append(Contender("NumPy", NumpyModel(portable).predict))
    for name, one in FORMATS.items():
        try:
            one.check_installed()
        except InputError as error:
            print(f"left out: {error}")
            continue
        quantize = "int8" if name == "onnx" else None
        for exported in export(run, [name], quantize=quantize, dataset=dataset, out=folder):
            compute = RUNTIMES[name](exported.files[0], threads)
            exact = exported.format == name
            found.append(Contender(exported.format, compute, exact))
            print(
                f"exported {exported.format}: {exported.size / 1e6:.2f} MB in {exported.seconds:.1f} s; "
                f"accuracy {exported.verification.accuracy:.2%} ({exported.verification.run_accuracy:.2%})"
            )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", metavar="RUN")
    parser.add_argument("--dataset", help="the new path of the run's data set, if it was moved")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    options = parser.parse_args()
    run = Run.open(options.run)
    images = labeled_pictures(run, options.dataset, print).images
    batch = np.resize(images, (BATCH, *images.shape[1:]))  # repeats them if there are fewer
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(options.threads):
        found = contenders(run, options.dataset, Path(folder), options.threads)
        torch.set_num_threads(options.threads)
        expected = found[0].compute(batch)
        for one in found:  # otherwise the comparison would be meaningless
            difference = float(np.abs(one.compute(batch) - expected).max())
            if one.exact and difference > 1e-4:
                raise SystemExit(f"{one.name}: probabilities differ from Keras' by {difference:.2g}")
        for number in range(options.rounds):
            for place in range(len(found)):
                found[(place + number) % len(found)].turn(images, batch, options.calls)
    where = f"{device()['name']}, {os.cpu_count()} cores, {options.threads} threads, Python {platform.python_version()}"
    print(f"\n{where}; {options.rounds} rounds of {options.calls} pictures and {BATCHES} batches of {BATCH}")
    numbers = {one.name: one.numbers() for one in found}
    print(f"{'':16}{'p50 ms':>9}{'p99 ms':>9}{'x Keras':>9}{'images/s':>11}{'x Keras':>9}")
    for name, row in numbers.items():
        latency = numbers[KERAS]["p50_ms"] / row["p50_ms"]
        throughput = row["images_per_s"] / numbers[KERAS]["images_per_s"]
        print(
            f"{name:16}{row['p50_ms']:9.2f}{row['p99_ms']:9.2f}{latency:9.1f}{row['images_per_s']:11,.0f}{throughput:9.2f}"
        )
    if options.json:
        options.json.write_text(json.dumps({"where": where, "numbers": numbers}, indent=2) + "\n")


if __name__ == "__main__":
    main()
