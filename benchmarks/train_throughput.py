"""Training throughput of the tutorial's network, in images per second: this package against common alternatives.

    python benchmarks/train_throughput.py [PATH/101_ObjectCategories] [--rounds 7]

All of them train the same StridedNet on the same batches of 32 images, prepared in advance. They take turns, one round
each, so that a change in the machine's speed affects all of them; medians and ratios are printed. The limit is the time
of the network's convolutions alone, forward and backward, in oneDNN and in the precision that `auto` chooses on this
machine. If TensorFlow is installed (`pip install tensorflow-cpu`), Keras `fit` on TensorFlow is included: with the
prepared images, and with the former ImageDataGenerator as in the tutorial. Without CALTECH-101, the images are the
built-in digits, enlarged.
"""

import argparse
import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import stridednet  # noqa: F401  -- before keras, to choose its backend

import keras  # isort: skip
import numpy as np
import torch
import torch.nn.functional as nn

from stridednet.data.augment import Augmentation
from stridednet.data.batches import Batch, BatchStream
from stridednet.data.prepare import prepare
from stridednet.executor.backend import Backend
from stridednet.executor.schedule import Schedule
from stridednet.executor.scores import RunningScores
from stridednet.executor.trainer import Trainer
from stridednet.machine import device
from stridednet.models.catalogue import build_model
from stridednet.recipe import Recipe
from stridednet.threads import claim_process

LABELS = ("Faces", "Leopards", "Motorbikes", "airplanes")
CONVOLUTIONS = (  # filters in, filters out, size in, stride, kernel, padding
    (3, 16, 96, 2, 7, 0),
    (16, 32, 45, 1, 3, 1),
    (32, 32, 45, 2, 3, 1),
    (32, 64, 23, 1, 3, 1),
    (64, 64, 23, 2, 3, 1),
    (64, 128, 12, 1, 3, 1),
    (128, 128, 12, 2, 3, 1),
)


def batches_of(dataset: str | None) -> tuple[list[Batch], int]:
    settings = {"data.dataset": dataset, "data.labels": LABELS} if dataset else {"data.dataset": "digits"}
    recipe = Recipe().replace(settings)
    data = prepare(recipe.data, recipe.image_size, lambda _: None)
    rows = data.split.train
    stream = BatchStream(
        data.pictures.images, data.pictures.stored[rows], data.targets[rows], 32,
        Augmentation(**recipe.augmentation.model_dump()), seed=0,
    )  # fmt: skip
    return list(stream.epoch(1))[:52], len(data.labels)


def native(batches: list[Batch], classes: int, precision: str) -> Callable[[], object]:
    recipe = Recipe().replace({"precision": precision})
    schedule = Schedule(recipe.optimizer, 50, len(batches))
    trainer = Trainer(build_model(recipe.model, 96, classes), schedule, Backend.choose(recipe.precision))

    def epoch() -> None:
        running = RunningScores()
        for batch in batches:
            running.add(trainer.train_batch(batch), len(batch.images))
        running.mean()

    return epoch


def keras_fit(batches: list[Batch], classes: int) -> Callable[[], object]:
    model = build_model(Recipe().model, 96, classes)
    model.compile(keras.optimizers.Adam(1e-4), loss="categorical_crossentropy", metrics=["accuracy"])
    images = np.concatenate([batch.images for batch in batches]).astype(np.float32)
    targets = np.concatenate([batch.targets for batch in batches])
    return lambda: model.fit(images, targets, batch_size=32, shuffle=False, verbose=0)


def tensorflow_fit(pictures: Path, how: str, stack: ExitStack) -> Callable[[], object]:
    """Start the process that trains on TensorFlow; it waits for its turn."""
    command = [sys.executable, str(Path(__file__).with_name("tensorflow_fit.py")), str(pictures), how]
    process = stack.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))

    def epoch() -> None:
        print("go", file=process.stdin, flush=True)
        if process.stdout.readline() != "done\n":
            raise SystemExit("error: training on TensorFlow failed; see above")

    return epoch


class PlainStridedNet(torch.nn.Module):
    """StridedNet as people write it in PyTorch: float32, channels first."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        layers: list[torch.nn.Module] = []
        for number, (inputs, outputs, _, stride, kernel, padding) in enumerate(CONVOLUTIONS):
            layers.append(torch.nn.Conv2d(inputs, outputs, kernel, stride, padding))
            if number:
                layers += [torch.nn.ReLU(), torch.nn.BatchNorm2d(outputs)]
            if number and stride == 2:
                layers.append(torch.nn.Dropout(0.25))
        head = [torch.nn.Linear(4608, 512), torch.nn.ReLU(), torch.nn.BatchNorm1d(512), torch.nn.Dropout(0.5)]
        self.layers = torch.nn.Sequential(*layers, torch.nn.Flatten(), *head, torch.nn.Linear(512, classes))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the logits."""
        return self.layers(images)


def plain_pytorch(batches: list[Batch], classes: int) -> Callable[[], object]:
    model = PlainStridedNet(classes)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, weight_decay=1e-3)
    tensors = [
        (torch.from_numpy(batch.images).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(batch.targets.argmax(1)))
        for batch in batches
    ]

    def epoch() -> None:
        for images, targets in tensors:
            optimizer.zero_grad()
            nn.cross_entropy(model(images.float() / 255), targets).backward()
            optimizer.step()

    return epoch


def convolutions_alone(count: int, dtype: torch.dtype) -> Callable[[], object]:
    work = []
    for inputs, outputs, size, stride, kernel, padding in CONVOLUTIONS:
        images = torch.randn(32, inputs, size, size, dtype=dtype).contiguous(memory_format=torch.channels_last)
        filters = torch.randn(outputs, inputs, kernel, kernel, dtype=dtype)
        filters = filters.contiguous(memory_format=torch.channels_last).requires_grad_()
        images.requires_grad_(inputs > 3)
        gradient = torch.ones_like(nn.conv2d(images, filters, None, stride, padding))
        work.append((images, filters, stride, padding, gradient))

    def epoch() -> None:
        for _ in range(count):
            for images, filters, stride, padding, gradient in work:
                nn.conv2d(images, filters, None, stride, padding).backward(gradient)
                images.grad = filters.grad = None

    return epoch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", nargs="?", default=os.environ.get("STRIDEDNET_CALTECH101"))
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    with ExitStack() as stack:
        compare(arguments.dataset, arguments.rounds, stack)


def compare(dataset: str | None, rounds: int, stack: ExitStack) -> None:
    claim_process()
    batches, classes = batches_of(dataset)
    keras_name = "Keras fit on PyTorch"
    fastest = Backend.choose("auto").precision
    contestants = {
        keras_name: keras_fit(batches, classes),
        "plain PyTorch, float32, channels first": plain_pytorch(batches, classes),
        "stridednet, float32": native(batches, classes, "float32"),
    }
    if importlib.util.find_spec("tensorflow"):
        pictures = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "pictures.npz"
        np.savez(
            pictures,
            images=np.concatenate([batch.images for batch in batches]),
            targets=np.concatenate([batch.targets for batch in batches]),
        )
        contestants["Keras fit on TensorFlow"] = tensorflow_fit(pictures, "fit", stack)
        contestants["the same, with ImageDataGenerator"] = tensorflow_fit(pictures, "generator", stack)
    if fastest == "bfloat16":  # otherwise it is emulated, and ten times slower
        contestants["stridednet, bfloat16"] = native(batches, classes, "bfloat16")
    contestants[f"limit: the convolutions alone, {fastest}"] = convolutions_alone(len(batches), getattr(torch, fastest))
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(rounds + 1):
        for name, epoch in contestants.items():
            started = time.perf_counter()
            epoch()
            if turn:  # the first round is a warm-up
                times[name].append(time.perf_counter() - started)
    speeds = {name: 32 * len(batches) / statistics.median(seconds) for name, seconds in times.items()}
    limit = list(speeds.values())[-1]
    print(f"{device()['name']}, {device()['cores']} cores")
    print(f"{len(batches)} steps of 32 images, median of {rounds} rounds")
    print(f"  {'':42}images/s   x Keras fit   of the limit")
    for name, speed in speeds.items():
        print(f"  {name:42}{speed:8,.0f}   {speed / speeds[keras_name]:9.2f}   {speed / limit:10.0%}")


if __name__ == "__main__":
    main()
