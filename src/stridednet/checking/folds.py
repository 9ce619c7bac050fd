"""Out-of-fold probabilities: each picture is classified by a model trained without it and without its copies."""

import numpy as np

from stridednet.data.batches import one_hot
from stridednet.data.cache import Pictures
from stridednet.data.copies import Copies
from stridednet.data.fold_assignment import assign_folds
from stridednet.data.prepare import TrainingData
from stridednet.data.split import Split
from stridednet.evaluation.predictions import Predictions
from stridednet.executor.backend import Backend
from stridednet.recipe import Recipe
from stridednet.training.fit import fit
from stridednet.training.mirror import predict_subset
from stridednet.training.observer import Observer, PartObserver, Workload


def predict_out_of_fold(
    recipe: Recipe, pictures: Pictures, copies: Copies, count: int, backend: Backend, observer: Observer
) -> Predictions:
    """Train a model for each fold on the pictures of all other folds, and return its probabilities for the fold.

    All pictures are used, whichever subset they are in.

    Args:
        recipe: A resolved recipe; its seed also assigns the folds.
        pictures: The decoded pictures.
        copies: Which of them are copies of each other.
        count: Number of folds.
        backend: How to compute.
        observer: Is notified of messages and of the steps of all trainings, as if they were one training.

    Raises:
        DataError: No class has as many pictures as there are folds.
        ModelError: The model cannot be built.
        TrainingError: The loss became NaN or infinite.
    """
    manifest = pictures.manifest
    labels = [picture.label for picture in manifest.pictures]
    targets = one_hot(labels, manifest.labels)
    truth = targets.argmax(axis=1)
    folds = assign_folds(truth, copies.groups, count, recipe.seed)
    smallest = min(len(truth) - int(size) for size in np.bincount(folds, minlength=count))
    recipe = recipe.sized(smallest, len(manifest.labels))
    epochs = int(recipe.epochs)
    recipe = recipe.replace({"validation_freq": epochs})  # the curve of a fold is not used
    batch = min(int(recipe.batch_size), smallest)
    probabilities = np.empty(targets.shape, np.float32)
    observer.on_start(Workload(count * epochs, smallest // batch, batch))
    try:
        for fold in range(count):
            held_out = np.flatnonzero(folds == fold)
            split = Split(np.flatnonzero(folds != fold), np.array([], np.intp), held_out)
            data = TrainingData(pictures, split, targets, [], "", copies, copies.groups)
            trainer, _ = fit(recipe, data, backend, PartObserver(observer, fold * epochs))
            probabilities[held_out] = predict_subset(trainer, data, "test", mirror=recipe.augmentation.horizontal_flip)
            accuracy = (probabilities[held_out].argmax(axis=1) == truth[held_out]).mean()
            observer.on_message(
                f"fold {fold + 1}/{count}: trained on {len(split.train):,} pictures, "
                f"accuracy on the other {len(held_out):,}: {accuracy:.3f}"
            )
    finally:
        observer.on_end()
    paths = tuple(manifest.relative(picture.path) for picture in manifest.pictures)
    return Predictions(manifest.labels, paths, truth, probabilities)
