"""Training on prepared data, without a run directory."""

from functools import partial

from stridednet.data.batches import BatchStream
from stridednet.data.prepare import TrainingData
from stridednet.executor.backend import Backend
from stridednet.executor.trainer import Trainer
from stridednet.recipe import Recipe
from stridednet.training.history import History
from stridednet.training.observer import Observer
from stridednet.training.pretrained import follow_recipe
from stridednet.training.setup import make_trainer, training_batches


def batches_of(recipe: Recipe, data: TrainingData) -> BatchStream:
    """Return the batches of a training on the train subset of prepared data; arguments as for `fit`."""
    rows = data.split.train
    return training_batches(recipe, data.pictures.sources, data.pictures.stored[rows], data.targets[rows])


def fit(
    recipe: Recipe, data: TrainingData, backend: Backend, observer: Observer | None = None
) -> tuple[Trainer, History]:
    """Train on prepared data without a run directory, as a sweep does many times.

    Args:
        recipe: A resolved recipe.
        data: If it has no val subset, the history is measured on test.
        backend: How to compute.
        observer: Is notified of each step.

    Raises:
        ModelError: The model cannot be built.
        TrainingError: The loss became NaN or infinite.
    """
    recipe = recipe.sized(len(data.split.train), len(data.labels))
    stream = batches_of(recipe, data)
    trainer = make_trainer(recipe, stream, backend)
    validation = partial(data.batches, data.split.curve)
    epochs = range(1, int(recipe.epochs) + 1)
    observer = observer or Observer()
    return trainer, list(follow_recipe(recipe, trainer, stream, validation, epochs, observer))
