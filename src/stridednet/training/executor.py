"""What the training loop needs of whatever runs a model; here with Keras' own mechanics."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

import keras
import numpy as np
from numpy.typing import NDArray

from stridednet.data.batches import Batch
from stridednet.errors import RunError

State = dict[str, NDArray[np.generic]]


class Scores(NamedTuple):
    """Means over images; the loss includes what the regularizers add."""

    loss: float
    accuracy: float


class RunningScores:
    """The mean of the scores of batches, each weighted by its images."""

    def __init__(self) -> None:
        """Start with no images."""
        self.images = 0
        self._loss = self._accuracy = 0.0

    def add(self, scores: Scores, images: int) -> None:
        """Take the scores of a batch of so many images into the mean."""
        self.images += images
        self._loss += scores.loss * images
        self._accuracy += scores.accuracy * images

    def mean(self) -> Scores:
        """Return the scores over all images so far."""
        return Scores(self._loss / self.images, self._accuracy / self.images)


class Executor(Protocol):
    """Runs one model. The model's own parameters are the only copy, so it can be saved at any moment."""

    def start_epoch(self, seed: int) -> None:
        """Seed whatever is random in a step."""

    def train_batch(self, batch: Batch) -> Scores:
        """Take one step, and return the scores of the batch before it."""

    def evaluate(self, batches: Iterable[Batch]) -> Scores:
        """Score batches without learning from them."""

    def predict(self, batches: Iterable[Batch]) -> NDArray[np.float32]:
        """Return the probabilities ``(n, classes)`` of all images in the batches."""

    def learning_rate(self) -> float:
        """Return the rate that the next step would use."""

    def state(self) -> State:
        """Return everything that a later `restore` needs to go on from here."""

    def restore(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Go back to a state of the same model and optimizer."""


class KerasExecutor:
    """Runs a model with ``train_on_batch`` and its kin, on categorical cross-entropy."""

    def __init__(self, model: keras.Model, optimizer: keras.optimizers.Optimizer) -> None:
        """Compile the model."""
        self.model = model
        model.compile(optimizer=optimizer, loss="categorical_crossentropy", metrics=["accuracy"])
        optimizer.build(model.trainable_variables)

    def start_epoch(self, seed: int) -> None:
        """Seed dropout."""
        keras.utils.set_random_seed(seed)

    def train_batch(self, batch: Batch) -> Scores:
        """Take one step, and return the scores of the batch before it."""
        self.model.reset_metrics()  # older Keras goes on with the running means
        return _scores(self.model.train_on_batch(batch.images, batch.targets, return_dict=True))

    def evaluate(self, batches: Iterable[Batch]) -> Scores:
        """Score batches without learning from them."""
        running = RunningScores()
        for batch in batches:
            self.model.reset_metrics()
            logs = self.model.test_on_batch(batch.images, batch.targets, return_dict=True)
            running.add(_scores(logs), len(batch.images))
        return running.mean()

    def predict(self, batches: Iterable[Batch]) -> NDArray[np.float32]:
        """Return the probabilities ``(n, classes)`` of all images in the batches."""
        return np.concatenate([self.model.predict_on_batch(batch.images) for batch in batches])

    def learning_rate(self) -> float:
        """Return the rate that the next step would use."""
        return float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))

    def state(self) -> State:
        """Return copies of all variables of the model and the optimizer."""
        return {name: keras.ops.convert_to_numpy(variable.value).copy() for name, variable in self._variables().items()}

    def restore(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Assign all variables.

        Raises:
            RunError: The state belongs to another model or optimizer.
        """
        variables = self._variables()
        shapes = {name: tuple(variable.shape) for name, variable in variables.items()}
        if shapes != {name: value.shape for name, value in state.items()}:
            raise RunError("the checkpoint belongs to another model: its variables have other shapes")
        for name, variable in variables.items():
            variable.assign(state[name])

    def _variables(self) -> dict[str, keras.Variable]:
        # By position: Keras counts names such as seed_generator_3 through the whole process.
        named: dict[str, keras.Variable] = {}
        for part, variables in (("model", self.model.variables), ("optimizer", self.model.optimizer.variables)):
            named |= {f"{part}/{index:03d}": variable for index, variable in enumerate(variables)}
        return named


def _scores(logs: Mapping[str, float]) -> Scores:
    return Scores(float(logs["loss"]), float(logs["accuracy"]))
