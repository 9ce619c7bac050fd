"""What a recipe makes of training images: a stream of batches and a trainer with a new model."""

import keras
import numpy as np
from numpy.typing import NDArray

from stridednet.data.arrays import rgb_of_size
from stridednet.data.augment import Augmentation
from stridednet.data.balance import balanced_weights
from stridednet.data.batches import BatchStream
from stridednet.data.color import ColorJitter
from stridednet.data.mixing import Mixing
from stridednet.executor.backend import Backend
from stridednet.executor.schedule import Schedule
from stridednet.executor.trainer import Trainer
from stridednet.model_settings import KerasApplicationSettings, PretrainedSettings
from stridednet.models.catalogue import build_model
from stridednet.models.keras_application import load_application_weights
from stridednet.models.pretrained import freeze, load_pretrained
from stridednet.models.whitening import whiten_first_layer
from stridednet.recipe import Recipe

_SAMPLE = 1024  # images


def training_batches(
    recipe: Recipe, images: NDArray[np.uint8], rows: NDArray[np.intp], targets: NDArray[np.float32]
) -> BatchStream:
    """Return the batches of a training.

    Args:
        recipe: A recipe whose batch size is a number; see `Recipe.sized`.
        images: Images ``(n, source_size, source_size, 3)``, RGB; may be memory-mapped.
        rows: Indices of the images to train on, ``(m,)``.
        targets: One-hot targets of those images, ``(m, classes)``.
    """
    return BatchStream(
        images,
        rows,
        targets,
        int(recipe.batch_size),
        Augmentation(**recipe.augmentation.model_dump()),
        recipe.seed,
        ColorJitter(**recipe.color_jitter.model_dump()),
        Mixing(**recipe.mixing.model_dump()),
        recipe.image_size,
    )


def make_trainer(recipe: Recipe, stream: BatchStream, backend: Backend) -> Trainer:
    """Build a recipe's model, and return a trainer of it.

    Args:
        recipe: A recipe whose number of epochs is a number; see `Recipe.sized`.
        stream: The batches that it will be trained on.
        backend: How to compute.

    Raises:
        ModelError: The model cannot be built, or its pretrained weights are not there.
    """
    keras.utils.set_random_seed(recipe.seed)
    model = build_model(recipe.model, recipe.image_size, stream.targets.shape[1])
    if getattr(recipe.model, "stem_whitening", False):
        whiten_first_layer(model, _sample(stream, recipe), recipe.seed)
    epochs = int(recipe.epochs)
    if isinstance(recipe.model, PretrainedSettings):
        if isinstance(recipe.model, KerasApplicationSettings):
            load_application_weights(model, recipe.model.name, recipe.model.weights)
        else:
            load_pretrained(model, recipe.model.name)
        epochs -= 1  # the first one takes no steps
        freeze(model, recipe.model.tuned_blocks if epochs else 0)
    schedule = Schedule(recipe.optimizer, max(epochs, 1), stream.steps_per_epoch)
    weights = balanced_weights(stream.targets) if recipe.class_weights == "auto" else None
    return Trainer(model, schedule, backend, recipe.label_smoothing, weights)


def _sample(stream: BatchStream, recipe: Recipe) -> NDArray[np.uint8]:
    """Return at most 1,024 training images without augmentation, ``(n, image_size, image_size, 3)``."""
    rng = np.random.default_rng(recipe.seed)
    chosen = np.sort(stream.rows[rng.permutation(len(stream.rows))[:_SAMPLE]])
    return rgb_of_size(stream.images[chosen], recipe.image_size, recipe.resize)
