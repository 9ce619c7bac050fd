"""What the page is made from: a run, its model, and what the model says about pictures with known classes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stridednet.evaluation.predictions import Predictions
from stridednet.models.pretrained import PretrainedWeights, origin_of
from stridednet.recipe import Recipe
from stridednet.run_tables import SplitRow
from stridednet.training.history import EpochRow

if TYPE_CHECKING:
    import keras


class Evaluated(Protocol):
    """What the page needs of an evaluation.

    ``subset`` describes the pictures: "test", "val" or "new data".
    """

    @property
    def predictions(self) -> Predictions:
        """What the model says about each picture."""

    @property
    def subset(self) -> str:
        """Which pictures these are."""

    def image(self, row: int) -> NDArray[np.uint8]:
        """Return a picture as the model takes it, ``(height, width, 3)``, as an array that can be written to."""

    def file(self, row: int) -> Path:
        """Return the path of a picture's file."""


@dataclass(frozen=True)
class Material:
    """Everything that the sections of a page show.

    Args:
        recipe: The recipe of the training.
        history: Its epochs.
        split: The pictures of the training.
        report: The content of ``report.json``.
        model: The trained model.
        evaluation: What the model says about the pictures.
    """

    recipe: Recipe
    history: Sequence[EpochRow]
    split: Sequence[SplitRow]
    report: Mapping[str, Any]
    model: "keras.Model"
    evaluation: Evaluated

    @cached_property
    def predictions(self) -> Predictions:
        """What the model says about each picture."""
        return self.evaluation.predictions

    @property
    def model_name(self) -> str:
        """The name of the architecture; of a model in a file, without the folder of the file."""
        return Path(self.recipe.model.name).name

    @property
    def pretrained(self) -> PretrainedWeights | None:
        """Where the weights came from that the training started with; None for random ones."""
        return origin_of(self.recipe.model)

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the classes."""
        return self.predictions.labels
