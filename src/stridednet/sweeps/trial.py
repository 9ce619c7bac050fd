"""A trial, which is one training of a sweep, and its outcome."""

import dataclasses
import hashlib
import json
import time
from dataclasses import dataclass
from typing import Any

from stridednet.data.fold_assignment import Fold
from stridednet.data.prepare import TrainingData
from stridednet.errors import StridedNetError
from stridednet.executor.backend import Backend
from stridednet.machine import usable_cores
from stridednet.models.description import describe
from stridednet.models.own_model import source_of
from stridednet.recipe import Recipe
from stridednet.sweeps.axes import Variant
from stridednet.sweeps.picture_results import PictureResults
from stridednet.training.fit import fit
from stridednet.training.history import validations


@dataclass(frozen=True)
class Trial:
    """A variant and a fold; the data's val subset is that fold.

    The recipe's seed (for initialization, shuffling, augmentation and dropout) is another one for each fold.
    """

    variant: Variant
    fold: Fold
    recipe: Recipe
    data: TrainingData

    @property
    def key(self) -> str:
        """A hash of what the outcome depends on: the recipe, the code of a user's model, the data with its subsets."""
        parts = (self.recipe.to_toml(), source_of(self.recipe.model.name), self.data.hash)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Outcome:
    """The results of a trial; if there is an ``error``, the numbers are 0 and there are no ``pictures``."""

    variant: str
    repetition: int
    fold: int
    accuracy: float = 0.0  # on the pictures of the fold
    loss: float = 0.0
    seconds: float = 0.0  # training time without validation
    elapsed: float = 0.0  # seconds of the whole trial
    predict_ms: float = 0.0  # prediction time per image, in batches
    parameters: int = 0
    multiply_adds: int | None = 0  # per image; None if that of a layer is unknown
    train_images: int = 0
    val_images: int = 0
    cores: int = 0  # times on different numbers of cores are not compared; 0: others used the cores as well
    curve: tuple[float | None, ...] = ()  # val accuracy after each epoch; None for epochs without validation
    pictures: PictureResults | None = None
    error: str = ""

    def to_json(self) -> str:
        """Return the outcome as a line of JSON."""
        numbers = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return json.dumps({**numbers, "pictures": self.pictures and self.pictures.to_text()})

    @classmethod
    def from_json(cls, text: str) -> "Outcome":
        """Read the text that `to_json` returns."""
        numbers: dict[str, Any] = json.loads(text)
        pictures = numbers["pictures"]
        results = None if pictures is None else PictureResults.from_text(pictures)
        return cls(**{**numbers, "curve": tuple(numbers["curve"]), "pictures": results})


def run_trial(trial: Trial) -> Outcome:
    """Train, and measure on the fold; if that fails, return an outcome with the error."""
    place = (trial.variant.name, trial.fold.repetition, trial.fold.number)
    began = time.perf_counter()
    try:
        executor, history = fit(trial.recipe, trial.data, Backend.choose(trial.recipe.precision))
    except StridedNetError as error:
        return Outcome(*place, error=str(error))
    started = time.perf_counter()
    probabilities = executor.predict(trial.data.batches("val"))
    predicting = time.perf_counter() - started
    network = describe(executor.model)
    rows = trial.data.split.val
    _, val = validations(history)[-1]
    return Outcome(
        *place,
        accuracy=val.accuracy,
        loss=val.loss,
        seconds=round(sum(row.seconds for row in history), 4),
        elapsed=round(time.perf_counter() - began, 4),
        predict_ms=round(1000 * predicting / len(rows), 4),
        parameters=network.parameters,
        multiply_adds=network.multiply_adds,
        train_images=len(trial.data.split.train),
        val_images=len(rows),
        cores=usable_cores(),
        curve=tuple(row.val_accuracy for row in history),
        pictures=PictureResults.of(rows, probabilities, trial.data.targets[rows].argmax(axis=1)),
    )


def trial_name(outcome: Outcome) -> str:
    """Return a trial's name for messages; repetitions and folds are counted from 1.

    >>> trial_name(Outcome("base", 0, 2))
    'base, repetition 1, fold 3'
    """
    return f"{outcome.variant}, repetition {outcome.repetition + 1}, fold {outcome.fold + 1}"
