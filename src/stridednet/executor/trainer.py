"""Runs a Keras model on PyTorch's own kernels, on the Keras model's own parameters."""

from collections.abc import Iterable, Mapping

import keras
import numpy as np
import torch
from numpy.typing import NDArray

from stridednet.data.batches import Batch
from stridednet.errors import RunError
from stridednet.executor.context import Mode
from stridednet.executor.graph import Graph
from stridednet.executor.optimizer import Optimizer
from stridednet.executor.parameters import Parameters, WorkingCopy
from stridednet.executor.precision import concrete_precision
from stridednet.executor.schedule import Schedule
from stridednet.executor.scores import RunningScores, Scores
from stridednet.settings import Precision

State = dict[str, NDArray[np.generic]]


class NativeExecutor:
    """Trains a model on categorical cross-entropy.

    It computes where Keras has put the model. The parameters and the optimizer stay in float32; the network computes in
    the chosen precision, batch normalisation and the loss in float32. `predict` always computes in float32. A model has
    one executor at a time: a second one takes its parameters over.
    """

    def __init__(
        self, model: keras.Model, schedule: Schedule, precision: Precision = "auto", label_smoothing: float = 0.0
    ) -> None:
        """Move the model's parameters into one tensor, and plan how to run it.

        Args:
            model: A built classifier.
            schedule: The optimizer's settings, and for how long.
            precision: What to compute in.
            label_smoothing: The share of each target that is spread over all classes, as in Keras' cross-entropy.
        """
        self.model = model
        self.precision = concrete_precision(precision)
        self._mode = Mode()
        self._parameters = Parameters(model)
        self._optimizer = Optimizer(schedule, self._parameters)
        self._label_smoothing = label_smoothing
        self._weights = WorkingCopy(self._parameters, getattr(torch, self.precision))
        self._graph = Graph(model, self._weights, self._mode)
        self._exact: Graph | None = None

    def start_epoch(self, seed: int) -> None:
        """Seed dropout, and whatever layers draw by themselves."""
        keras.utils.set_random_seed(seed)
        self._mode.seed(seed)
        self._weights.refresh(frozen=True)

    def train_batch(self, batch: Batch) -> Scores:
        """Take one step, and return the scores of the batch before it."""
        images, targets = self._tensors(batch)
        scores = self._graph.run(images, training=True)
        loss = self._loss(scores, targets)
        if loss.requires_grad:  # else everything is frozen
            torch.autograd.backward(loss)
        with torch.no_grad():
            penalty = self._optimizer.step(self._weights)
        return Scores(float(loss.detach()) + penalty, _accuracy(scores.detach(), targets))

    @torch.no_grad()
    def evaluate(self, batches: Iterable[Batch]) -> Scores:
        """Score batches without learning from them."""
        self._weights.refresh(frozen=True)
        weights_penalty = float(self._parameters.penalty())
        running = RunningScores()
        for batch in batches:
            images, targets = self._tensors(batch)
            scores = self._graph.run(images, training=False)
            loss = float(self._loss(scores, targets)) + weights_penalty
            running.add(Scores(loss, _accuracy(scores, targets)), len(targets))
        return running.mean()

    @torch.no_grad()
    def predict(self, batches: Iterable[Batch]) -> NDArray[np.float32]:
        """Return the model's outputs ``(n, classes)`` for all images in the batches."""
        if self._exact is None:
            self._exact = Graph(self.model, WorkingCopy(self._parameters, torch.float32), self._mode)
        graph = self._exact
        parts = [graph.outputs(graph.run(self._tensors(batch)[0], training=False)) for batch in batches]
        outputs: NDArray[np.float32] = torch.cat(parts).cpu().numpy()
        return outputs

    def learning_rate(self) -> float:
        """Return the rate that the next step would use."""
        return self._optimizer.rate()

    def state(self) -> State:
        """Return copies of all variables of the model and of the optimizer's moments."""
        model = {name: variable.value.detach().cpu().numpy().copy() for name, variable in self._variables().items()}
        return model | self._optimizer.state()

    def restore(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Take over a state.

        Raises:
            RunError: The state belongs to another model or optimizer.
        """
        shapes = {name: value.shape for name, value in self.state().items()}
        if shapes != {name: value.shape for name, value in state.items()}:
            raise RunError("the checkpoint belongs to another model: its variables have other shapes")
        for name, variable in self._variables().items():
            variable.assign(state[name])
        self._optimizer.restore(state)
        self._weights.refresh(frozen=True)

    def _tensors(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the images and targets of a batch, where the model is."""
        device = self._parameters.device
        return torch.from_numpy(batch.images).to(device), torch.from_numpy(batch.targets).to(device)

    def _loss(self, scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return cross-entropy and what layers have added to it, without the penalties on weights."""
        targets = targets * (1 - self._label_smoothing) + self._label_smoothing / targets.shape[1]
        loss = -(targets * self._graph.log_probabilities(scores)).sum(dim=1).mean()
        return loss + sum(self._graph.penalties)

    def _variables(self) -> dict[str, keras.Variable]:
        # By position: Keras counts names such as seed_generator_3 through the whole process.
        return {f"model/{index:03d}": variable for index, variable in enumerate(self.model.variables)}


def _accuracy(scores: torch.Tensor, targets: torch.Tensor) -> float:
    right = scores.argmax(dim=1) == targets.argmax(dim=1)
    return float(right.float().mean())
