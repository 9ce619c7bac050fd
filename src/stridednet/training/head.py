"""The last layer of a pretrained model, fitted to features: softmax regression with an L2 penalty.

The penalty's strength is chosen by cross-validation on the training pictures; no other picture takes part.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Tensor = torch.Tensor

STRENGTHS = (0.1, 0.03, 0.01, 0.003, 0.001)  # from the strongest to the weakest
_DEFAULT_STRENGTH = 0.01  # where there are too few pictures to hold any out
_FOLDS = 3
_MOST_COMPARED = 40_000  # examples that take part in the cross-validation
_MOST_ITERATIONS = 200
_TOLERANCE = 1e-5  # of the loss, relative
_ROWS = 8192  # that are computed at once
_MOST_BYTES = 512 * 2**20  # of features that are kept in memory


@dataclass(frozen=True)
class Examples:
    """Features of training pictures, in parts that may be memory-mapped, with their targets.

    Args:
        features: Parts ``(n, features)``, all of them float32.
        pictures: For each part, the picture of each row, ``(n,)``: copies of a picture have the same number.
        targets: One-hot targets of the pictures, ``(pictures, classes)``.
        weights: Weight of each class in the loss, ``(classes,)``; None for 1.
        originals: Number of the first parts that have pictures as they are, and not warped copies.
    """

    features: Sequence[Floats]
    pictures: Sequence[NDArray[np.intp]]
    targets: Floats
    weights: Floats | None = None
    originals: int = 1

    def of(self, wanted: NDArray[np.bool_], *, originals: bool = False) -> "Examples":
        """Return the examples of those pictures for which ``wanted``, ``(pictures,)``, is true.

        Args:
            wanted: For each picture.
            originals: Whether to leave out warped copies.
        """
        used = slice(self.originals if originals else None)
        pairs = [
            (part, numbers, wanted[numbers])
            for part, numbers in zip(self.features[used], self.pictures[used], strict=True)
        ]
        return Examples(
            [part[rows] for part, _, rows in pairs],
            [numbers[rows] for _, numbers, rows in pairs],
            self.targets,
            self.weights,
            self.originals,
        )

    def blocks(self) -> Iterable[tuple[Tensor, Tensor]]:
        """Return features ``(n, features)`` and targets ``(n, classes)``, a limited number at a time."""
        return self._in_memory or self._read()

    @cached_property
    def _in_memory(self) -> list[tuple[Tensor, Tensor]]:
        """All blocks, if they are small enough to be kept."""
        if not len(self) or len(self) * self.features[0].shape[1] * 4 > _MOST_BYTES:
            return []
        features = torch.from_numpy(np.concatenate(self.features))
        targets = torch.from_numpy(self.targets[np.concatenate(self.pictures)])
        return list(zip(torch.split(features, _ROWS), torch.split(targets, _ROWS), strict=True))

    def _read(self) -> Iterator[tuple[Tensor, Tensor]]:
        for part, numbers in zip(self.features, self.pictures, strict=True):
            for start in range(0, len(part), _ROWS):
                rows = slice(start, start + _ROWS)
                yield torch.from_numpy(np.array(part[rows])), torch.from_numpy(self.targets[numbers[rows]])

    def __len__(self) -> int:
        """Return the number of examples."""
        return sum(map(len, self.features))

    @cached_property
    def moments(self) -> tuple[Tensor, Tensor]:
        """The mean and the standard deviation of each feature, ``(features,)``; 1 for a feature that never changes."""
        width = self.features[0].shape[1]
        total, squares = torch.zeros(width, dtype=torch.float64), torch.zeros(width, dtype=torch.float64)
        for x, _ in self.blocks():
            total += x.sum(0, dtype=torch.float64)
            squares += x.square().sum(0, dtype=torch.float64)
        mean = total / len(self)
        deviation = (squares / len(self) - mean.square()).clamp(min=0).sqrt()
        deviation[deviation < 1e-4] = 1.0
        return mean.float(), deviation.float()


@dataclass(frozen=True)
class Head:
    """A dense layer with softmax.

    Args:
        kernel: ``(features, classes)``.
        bias: ``(classes,)``.
        iterations: Of the optimizer.
        strength: Of the penalty.
    """

    kernel: Floats
    bias: Floats
    iterations: int
    strength: float

    def probabilities(self, features: Floats) -> Floats:
        """Return the probabilities for features ``(n, features)``, ``(n, classes)``."""
        logits = torch.from_numpy(np.array(features)) @ torch.from_numpy(self.kernel) + torch.from_numpy(self.bias)
        result: Floats = torch.softmax(logits, 1).numpy()
        return result

    def scores(self, examples: Examples) -> tuple[float, float]:
        """Return the mean cross-entropy, each example weighted alike, and the accuracy."""
        loss = correct = 0.0
        kernel, bias = torch.from_numpy(self.kernel), torch.from_numpy(self.bias)
        for x, targets in examples.blocks():
            logits = x @ kernel + bias
            loss -= float((targets * torch.log_softmax(logits, 1)).sum())
            correct += float((logits.argmax(1) == targets.argmax(1)).sum())
        return loss / len(examples), correct / len(examples)


def fit_head(examples: Examples, strength: float | None = None, label_smoothing: float = 0.0, seed: int = 0) -> Head:
    """Fit a head by L-BFGS.

    The penalty is ``strength / 2`` times the squared norm of the kernel for features with a standard deviation of 1.

    Args:
        examples: What it is fitted to.
        strength: Of the penalty; None to choose one of `STRENGTHS` by cross-validation.
        label_smoothing: Share of each target that is spread over all classes.
        seed: Random seed of the folds.
    """
    if strength is None:
        strength = chosen_strength(examples, label_smoothing, seed)
    return next(_path(examples, (strength,), label_smoothing))


def chosen_strength(examples: Examples, label_smoothing: float = 0.0, seed: int = 0) -> float:
    """Return the strength with the lowest cross-entropy on held-out pictures, without warped copies.

    Args:
        examples: As for `fit_head`. Of many, a random part is used.
        label_smoothing: As for `fit_head`; the held-out targets are not smoothed.
        seed: Random seed of the folds.
    """
    rng = np.random.default_rng(seed)
    count = len(examples.targets)
    most = max(1, _MOST_COMPARED * count // len(examples))
    fold_of = _folds(examples.targets.argmax(1), rng)
    fold_of[rng.permutation(count)[most:]] = -1
    paths: list[tuple[Iterator[Head], Examples]] = []
    for fold in range(_FOLDS):
        held_out = examples.of(fold_of == fold, originals=True)
        learned = examples.of((fold_of >= 0) & (fold_of != fold), originals=True)
        if len(held_out) and len(learned):
            paths.append((_path(learned, STRENGTHS, label_smoothing), held_out))
    best, lowest = _DEFAULT_STRENGTH, np.inf
    for strength in STRENGTHS if paths else ():
        loss = float(np.mean([next(path).scores(held_out)[0] for path, held_out in paths]))
        if loss >= lowest:  # the loss has one minimum, and weaker penalties take longest
            break
        best, lowest = strength, loss
    return best


def _folds(classes: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.intp]:
    """Return the fold of each picture, ``(pictures,)``; those of each class are spread over all folds."""
    order = rng.permutation(len(classes))
    order = order[np.argsort(classes[order], kind="stable")]
    folds = np.empty(len(classes), np.intp)
    folds[order] = np.arange(len(classes)) % _FOLDS
    return folds


def _path(examples: Examples, strengths: Sequence[float], label_smoothing: float) -> Iterator[Head]:
    """Yield the heads for several strengths; each is fitted from the one before."""
    from scipy.optimize import minimize

    mean, deviation = examples.moments
    shape = len(mean), examples.targets.shape[1]
    objective = _Objective(examples, mean, deviation, shape, label_smoothing)
    place = np.zeros((shape[0] + 1) * shape[1])
    for strength in strengths:
        options = {"maxiter": _MOST_ITERATIONS, "ftol": _TOLERANCE, "gtol": 0.0, "maxcor": 10}
        found = minimize(objective, place, (strength,), "L-BFGS-B", jac=True, options=options)
        place = found.x
        kernel, bias = objective.split(place)
        kernel = kernel / deviation[:, None]
        yield Head(kernel.numpy(), (bias - mean @ kernel).numpy(), int(found.nit), strength)


@dataclass(frozen=True)
class _Objective:
    """The penalized loss and its gradient, for a kernel and a bias of standardized features in one vector."""

    examples: Examples
    mean: Tensor
    deviation: Tensor
    shape: tuple[int, int]
    label_smoothing: float

    def split(self, place: NDArray[np.float64]) -> tuple[Tensor, Tensor]:
        """Return the kernel ``(features, classes)`` and the bias ``(classes,)`` in a vector."""
        both = torch.from_numpy(place).float().view(self.shape[0] + 1, self.shape[1])
        return both[:-1], both[-1]

    def __call__(self, place: NDArray[np.float64], strength: float) -> tuple[float, NDArray[np.float64]]:
        """Return the value and the gradient."""
        kernel, bias = self.split(place)
        scaled = kernel / self.deviation[:, None]
        offset = bias - self.mean @ scaled
        weights = None if self.examples.weights is None else torch.from_numpy(self.examples.weights)
        of_scaled, of_bias, loss = torch.zeros_like(scaled), torch.zeros_like(bias), 0.0
        for x, one_hot in self.examples.blocks():
            targets = one_hot * (1 - self.label_smoothing) + self.label_smoothing / self.shape[1]
            logs = torch.log_softmax(torch.addmm(offset, x, scaled), 1)
            error = logs.exp() - targets
            losses = -(targets * logs).sum(1)
            if weights is not None:
                of_class = one_hot @ weights
                losses, error = losses * of_class, error * of_class[:, None]
            loss += float(losses.sum(dtype=torch.float64))
            of_scaled.addmm_(x.T, error)
            of_bias += error.sum(0)
        count = len(self.examples)
        of_kernel = (of_scaled - torch.outer(self.mean, of_bias)) / self.deviation[:, None] / count + strength * kernel
        gradient = torch.cat([of_kernel, of_bias[None] / count]).double().flatten().numpy()
        return loss / count + strength / 2 * float(kernel.square().sum()), gradient
