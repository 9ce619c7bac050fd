"""What each architecture costs: parameters, multiply-adds, training speed and the time of a prediction.

    python benchmarks/architectures.py [PATH/101_ObjectCategories] [--rounds 5]

All of them train on the same batches of 32 pictures with the settings of the default recipe, and predict the same
pictures. They take turns, one round each, so that a change in the machine's speed hits all of them; medians, and ratios
to StridedNet, follow.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable

import stridednet  # noqa: F401  -- before keras, to choose its backend
from stridednet.data.batches import Batch
from stridednet.executor.backend import Backend
from stridednet.executor.schedule import Schedule
from stridednet.executor.trainer import Trainer
from stridednet.machine import device
from stridednet.models.catalogue import MODELS, build_model
from stridednet.models.description import describe
from stridednet.recipe import load_recipe
from stridednet.threads import claim_process
from train_throughput import batches_of


def seconds_of(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", nargs="?", default=os.environ.get("STRIDEDNET_CALTECH101"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=10)
    arguments = parser.parse_args()
    claim_process()
    batches, classes = batches_of(arguments.dataset)
    batches = batches[: arguments.steps]
    size = batches[0].images.shape[1]
    recipe = load_recipe()[0].replace({"optimizer.learning_rate": 1e-3})
    backend = Backend.choose(recipe.precision)
    trainers = {}
    networks = {}
    for name in MODELS:
        model = build_model(recipe.replace({"model.name": name}).model, size, classes)
        networks[name] = describe(model)
        trainers[name] = Trainer(model, Schedule(recipe.optimizer, 50, len(batches)), backend)
    training: dict[str, list[float]] = {name: [] for name in MODELS}
    one: dict[str, list[float]] = {name: [] for name in MODELS}
    many: dict[str, list[float]] = {name: [] for name in MODELS}
    batch = batches[0]
    single = Batch(batch.images[:1], batch.targets[:1])
    for turn in range(arguments.rounds + 1):
        for name, trainer in trainers.items():
            times = (
                seconds_of(lambda trainer=trainer: [trainer.train_batch(batch) for batch in batches]),
                seconds_of(lambda trainer=trainer: trainer.predict([single])),
                seconds_of(lambda trainer=trainer: trainer.predict([batch])),
            )
            if turn:  # the first round is a warm-up
                for kept, seconds in zip((training, one, many), times, strict=True):
                    kept[name].append(seconds)
    print(f"{device()['name']}, {device()['cores']} cores, {size}x{size}, median of {arguments.rounds} rounds")
    print(f"{'':18}parameters  multiply-adds  training images/s  x stridednet  1 picture ms  32 pictures ms")
    reference = statistics.median(training["stridednet"])
    for name, network in networks.items():
        seconds = statistics.median(training[name])
        print(
            f"{name:18}{network.parameters:10,}  {network.multiply_adds / 1e6:11.1f} M  "
            f"{32 * len(batches) / seconds:17,.0f}  {reference / seconds:12.2f}  "
            f"{statistics.median(one[name]) * 1000:12.1f}  {statistics.median(many[name]) * 1000:14.1f}"
        )


if __name__ == "__main__":
    main()
