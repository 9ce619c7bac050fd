"""A trial: one training of a sweep, and what came of it."""

import dataclasses
import hashlib
import json
import time
from dataclasses import dataclass
from typing import Any

from stridednet.data.prepare import TrainingData
from stridednet.errors import StridedNetError
from stridednet.executor.backend import Backend
from stridednet.machine import usable_cores
from stridednet.models.description import describe
from stridednet.models.own_model import source_of
from stridednet.pipeline import fit
from stridednet.recipe import Recipe
from stridednet.sweeps.axes import Variant
from stridednet.training.history import validations


@dataclass(frozen=True)
class Trial:
    """A variant with a seed: of the weights, the order, the warps, dropout, and the draw of the val subset."""

    variant: Variant
    seed: int
    recipe: Recipe
    data: TrainingData

    @property
    def key(self) -> str:
        """What the outcome depends on, in short: the recipe, the user's own model, the data with its subsets."""
        parts = (self.recipe.to_toml(), source_of(self.recipe.model.name), self.data.hash)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Outcome:
    """What a trial gave; with an ``error``, the numbers are 0."""

    variant: str
    seed: int
    accuracy: float = 0.0  # on val
    loss: float = 0.0
    seconds: float = 0.0  # of training, without validation
    predict_ms: float = 0.0  # an image, in batches
    parameters: int = 0
    multiply_adds: int = 0
    train_images: int = 0
    val_images: int = 0
    cores: int = 0  # that it was trained on, since times on one and on two cannot be compared
    curve: tuple[float | None, ...] = ()  # val accuracy after each epoch; None where it was not validated
    error: str = ""

    def to_json(self) -> str:
        """Write it down."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Outcome":
        """Read what `to_json` wrote."""
        numbers: dict[str, Any] = json.loads(text)
        return cls(**{**numbers, "curve": tuple(numbers["curve"])})


def run_trial(trial: Trial) -> Outcome:
    """Train and measure on val; what cannot be trained is an outcome that says why."""
    try:
        executor, history = fit(trial.recipe, trial.data, Backend.choose(trial.recipe.precision))
    except StridedNetError as error:
        return Outcome(trial.variant.name, trial.seed, error=str(error))
    started = time.perf_counter()
    executor.predict(trial.data.batches("val"))
    predicting = time.perf_counter() - started
    network = describe(executor.model)
    val_images = len(trial.data.split.val)
    _, val = validations(history)[-1]
    return Outcome(
        trial.variant.name,
        trial.seed,
        accuracy=val.accuracy,
        loss=val.loss,
        seconds=round(sum(row.seconds for row in history), 4),
        predict_ms=round(1000 * predicting / val_images, 4),
        parameters=network.parameters,
        multiply_adds=network.multiply_adds,
        train_images=len(trial.data.split.train),
        val_images=val_images,
        cores=usable_cores(),
        curve=tuple(row.val_accuracy for row in history),
    )
