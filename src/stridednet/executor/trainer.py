"""Training steps and evaluations of a Keras model, on the model's own parameters."""

from collections.abc import Iterable, Mapping

import keras
import numpy as np
import torch
from numpy.typing import NDArray

from stridednet.data.batches import Batch
from stridednet.errors import RunError
from stridednet.executor.backend import Backend
from stridednet.executor.context import ForwardPass
from stridednet.executor.graph import Graph
from stridednet.executor.masks import Masks
from stridednet.executor.optimizer import Optimizer
from stridednet.executor.parameters import Parameters, WorkingCopy
from stridednet.executor.predictor import Predictor
from stridednet.executor.schedule import Schedule
from stridednet.executor.scores import BatchScores, RunningScores, Scores

State = dict[str, NDArray[np.generic]]


class Trainer:
    """Trains a model on categorical cross-entropy.

    Parameters and optimizer are float32; the network computes in the backend's precision, batch normalization and the
    loss in float32. `predict` always computes in float32. A model has one trainer at a time: a second one takes over
    its parameters.
    """

    def __init__(
        self,
        model: keras.Model,
        schedule: Schedule,
        backend: Backend,
        label_smoothing: float = 0.0,
        class_weights: NDArray[np.float32] | None = None,
    ) -> None:
        """Move the model's parameters into one tensor, and plan how to compute the model.

        Args:
            model: A built classifier.
            schedule: The optimizer's settings and the length of the training.
            backend: How to compute.
            label_smoothing: Share of each target that is spread over all classes, as in Keras' cross-entropy.
            class_weights: Weight of each class in the loss of a training step, ``(classes,)``, as Keras' ``fit`` has
                ``class_weight``: the loss of each image is multiplied by the weight of its class before the mean over
                the batch is taken. The weight of an image with a blended target is the sum of the weights of its
                classes, each multiplied by its part in the target. Evaluations are not weighted.

        Raises:
            ModelError: The model is not built, or has more than one input or output.
        """
        self.model = model
        self.backend = backend
        self._masks = Masks(backend)
        self._parameters = Parameters(model)
        self._optimizer = Optimizer(schedule, self._parameters, backend)
        self._label_smoothing = label_smoothing
        self.class_weights = class_weights
        device = self._parameters.device
        self._loss_weights = None if class_weights is None else torch.from_numpy(class_weights).to(device)
        self._weights = WorkingCopy(self._parameters, backend.dtype)
        self._graph = Graph(model, self._weights, backend)

    def start_epoch(self, seed: int) -> None:
        """Seed dropout and the random numbers that layers draw themselves."""
        keras.utils.set_random_seed(seed)
        self._masks.seed(seed)
        self._read_weights()

    def _read_weights(self) -> None:
        """Take over what may have been assigned to the model's variables."""
        with torch.no_grad():
            self._parameters.read()
        self._weights.refresh(frozen=True)

    def train_batch(self, batch: Batch) -> BatchScores:
        """Take one step, and return the scores of the batch before it."""
        images, targets = self._tensors(batch)
        forward = ForwardPass(training=True, masks=self._masks)
        scores = self._graph.run(images, forward)
        loss = self._loss(scores, targets, forward, self._loss_weights)
        if loss.requires_grad:  # False if everything is frozen
            torch.autograd.backward(loss)
        with torch.no_grad():
            penalty = self._optimizer.step(self._weights)
        return BatchScores(loss.detach(), penalty, _accuracy(scores.detach(), targets))

    @torch.no_grad()
    def evaluate(self, batches: Iterable[Batch]) -> Scores:
        """Return the mean scores of batches, without learning from them."""
        self._weights.refresh(frozen=True)
        penalty = self._parameters.penalty()
        running = RunningScores()
        for batch in batches:
            images, targets = self._tensors(batch)
            forward = ForwardPass()
            scores = self._graph.run(images, forward)
            loss = self._loss(scores, targets, forward)
            running.add(BatchScores(loss, penalty, _accuracy(scores, targets)), len(targets))
        return running.mean()

    def predict(self, batches: Iterable[Batch]) -> NDArray[np.float32]:
        """Return the model's current outputs ``(n, classes)`` for all images in the batches, computed in float32."""
        predictor = Predictor(self.model, self.backend.in_float32())
        return predictor.predict_batches(batch.images for batch in batches)

    def learning_rate(self) -> float:
        """Return the rate that the next step would use."""
        return self._optimizer.rate()

    def compiled_parts(self) -> list[str]:
        """Return which parts of a training step compiled C computes; the rest runs on PyTorch."""
        if self.backend.library is None:
            return []
        normalization = ["batch normalization"] if self._graph.has_normalization else []
        return [*normalization, "dropout masks", *(["optimizer"] if self._optimizer.is_compiled else [])]

    def state(self) -> State:
        """Return copies of all variables of the model and of the optimizer's moments."""
        model = {name: _array(variable.value.detach()) for name, variable in self._variables().items()}
        return model | self._optimizer.state()

    def restore(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Restore what `state` returned.

        Raises:
            RunError: The state belongs to another model or optimizer.
        """
        shapes = {name: value.shape for name, value in self.state().items()}
        if shapes != {name: value.shape for name, value in state.items()}:
            raise RunError("the checkpoint belongs to another model: its variables have other shapes")
        for name, variable in self._variables().items():
            variable.assign(state[name])
        self._optimizer.restore(state)
        self._read_weights()

    def _tensors(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the images and targets of a batch on the model's device."""
        device = self._parameters.device
        return torch.from_numpy(batch.images).to(device), torch.from_numpy(batch.targets).to(device)

    def _loss(
        self,
        scores: torch.Tensor,
        targets: torch.Tensor,
        forward: ForwardPass,
        weights: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return cross-entropy plus what layers added to it, without the penalties on weights."""
        smooth = targets * (1 - self._label_smoothing) + self._label_smoothing / targets.shape[1]
        losses = -(smooth * self._graph.log_probabilities(scores)).sum(dim=1)
        if weights is not None:
            losses = losses * (targets @ weights)
        return losses.mean() + sum(forward.penalties)

    def _variables(self) -> dict[str, keras.Variable]:
        # By position: Keras counts names such as seed_generator_3 through the whole process.
        return {f"model/{index:03d}": variable for index, variable in enumerate(self.model.variables)}


def _array(tensor: torch.Tensor) -> NDArray[np.generic]:
    """Return a copy of a tensor; NumPy has no bfloat16, so that becomes float32."""
    tensor = tensor.float() if tensor.dtype == torch.bfloat16 else tensor
    array: NDArray[np.generic] = tensor.cpu().numpy().copy()
    return array


def _accuracy(scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return (scores.argmax(dim=1) == targets.argmax(dim=1)).float().mean()
