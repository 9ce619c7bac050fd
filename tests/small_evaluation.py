"""An evaluation of small pictures in a folder, whose predictions are chosen by the tests."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stridednet.evaluation.page.evaluated import Material
from stridednet.evaluation.predictions import Predictions
from stridednet.recipe import Recipe
from stridednet.run_tables import SplitRow
from stridednet.training.history import EpochRow

SIZE = 16
REPORT: dict[str, Any] = {
    "curve_on": "val",
    "data": {
        "problems": [{"path": "cat/broken.jpg", "reason": "truncated"}],
        "duplicates": [{"across": "classes", "paths": ["cat/1.png", "dog/1.png"]}],
        "copies": {"identical": 1, "similar": 2, "moved": 3},
    },
    "training": {"epochs": 2, "seconds": 3.25, "val_seconds": 0.5, "images_per_second": 1234.5, "precision": "float32"},
    "device": {"name": "a processor", "cores": 1, "system": "Linux"},
    "versions": {"python": "3.99.1", "keras": "3.77"},
}


@dataclass(frozen=True)
class SmallEvaluation:
    """What `stridednet.evaluation.page.evaluated.Evaluated` asks for."""

    predictions: Predictions
    folder: Path
    subset: str = "test"

    def image(self, row: int) -> NDArray[np.uint8]:
        with Image.open(self.file(row)) as picture:
            return np.array(picture.convert("RGB").resize((SIZE, SIZE)), np.uint8)

    def file(self, row: int) -> Path:
        return self.folder / f"{row}.png"


def predictions_of(
    labels: Sequence[str], truth: Sequence[int], guess: Sequence[int], paths: Sequence[str] | None = None
) -> Predictions:
    """Return predictions in which ``guess`` has the highest probability, and each picture a different one."""
    n = len(truth)
    probabilities = np.full((n, len(labels)), 0.0, np.float32)
    confidence = np.linspace(0.55, 0.95, n) if n else np.zeros(0)
    probabilities += ((1 - confidence) / max(1, len(labels) - 1))[:, None]
    probabilities[np.arange(n), np.asarray(guess, int)] = confidence
    names = [f"{labels[label]}/{row}.png" for row, label in enumerate(truth)] if paths is None else paths
    return Predictions(tuple(labels), tuple(names), np.asarray(truth, np.intp), probabilities)


def write_pictures(folder: Path, count: int, side: int = 20) -> None:
    """Write pictures of noise, which no format compresses well."""
    rng = np.random.default_rng(0)
    for number in range(count):
        Image.fromarray(rng.integers(0, 256, (side, side, 3), np.uint8)).save(folder / f"{number}.png")


def small_model(classes: int) -> keras.Model:
    """Return a model with two stages of feature maps."""
    layers = keras.layers
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(5, 3, padding="same", activation="relu", name="first"),
            layers.MaxPooling2D(2),
            layers.Conv2D(6, 3, padding="same", activation="relu", name="second"),
            layers.Flatten(),
            layers.Dense(classes, activation="softmax"),
        ]
    )


def epochs(count: int) -> list[EpochRow]:
    """Return a history."""
    return [
        EpochRow(number, 1 / number, 1 - 0.5 / number, 1.5 / number, 1 - 0.6 / number, 1e-3, 10, 100, 1.0, 0.1)
        for number in range(1, count + 1)
    ]


def material_of(
    predictions: Predictions,
    folder: Path,
    *,
    model: keras.Model | None = None,
    history: int = 2,
    subset: str = "test",
    settings: dict[str, Any] | None = None,
) -> Material:
    """Return everything that a page shows; each class has 10 training pictures."""
    split = [
        SplitRow(f"{label}/{number}.png", label, "train" if number < 10 else "test")
        for label in predictions.labels
        for number in range(12)
    ]
    recipe = Recipe().replace({"image_size": SIZE, "data.dataset": "/data/animals"} | (settings or {}))
    model = model or small_model(len(predictions.labels))
    return Material(recipe, epochs(history), split, REPORT, model, SmallEvaluation(predictions, folder, subset))
