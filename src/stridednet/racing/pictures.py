"""The pictures of a race: a part of the training pictures is held out, and images are made of another size."""

import statistics
from dataclasses import replace

import numpy as np

from stridednet.data.arrays import rgb_of_size
from stridednet.data.cache import load_pictures
from stridednet.data.prepare import TrainingData
from stridednet.data.tree import shown
from stridednet.errors import DataError
from stridednet.recipe import Recipe

HELD_OUT = 0.3  # of the training pictures; on fewer, the difference between two candidates is mostly chance
_SMALL_FILE = 200_000  # bytes; larger ones are large photos, whose decoding takes longer than a race
_SAMPLE = 200  # files
_MOST = 8_000  # pictures, so that those of another size need at most a few hundred megabytes


def fold_of_train(data: TrainingData, seed: int) -> TrainingData:
    """Return training pictures only, some of them held out as the val subset; val and test are not used.

    Args:
        data: The data of a training.
        seed: Random seed of what is drawn.

    Raises:
        DataError: A class has too few pictures.
    """
    train = data.split.train
    if len(train) > _MOST:
        train = np.sort(np.random.default_rng(seed).permutation(train)[:_MOST])
    others = np.setdiff1d(np.arange(len(data.manifest.pictures)), train)
    only = replace(data.split, train=train, val=train[:0], test=train[:0], unused=others)
    return replace(data, split=only).fold(HELD_OUT, seed)


def decodes_quickly(data: TrainingData) -> bool:
    """Return whether the files are small enough to decode all of them once more during a race.

    Args:
        data: The data of a training.
    """
    sample = data.manifest.pictures[:: max(1, len(data.manifest.pictures) // _SAMPLE)]
    return statistics.fmean(picture.path.stat().st_size for picture in sample) <= _SMALL_FILE


def resized(data: TrainingData, recipe: Recipe) -> TrainingData:
    """Return the pictures of a fold in the image size of a recipe.

    Smaller images are made of those of the fold; for larger ones, the files are decoded again.

    Args:
        data: The fold.
        recipe: The recipe, which has the rule of the fold.

    Raises:
        DataError: A file cannot be decoded any more.
    """
    pictures = data.pictures
    rows = np.sort(np.concatenate([data.split.train, data.split.val]))
    if recipe.image_size > pictures.images.shape[1]:
        source = load_pictures(data.manifest, recipe.image_size, rule=recipe.resize, source_size=recipe.source_size)
        if len(source.manifest.pictures) < len(data.manifest.pictures):
            kept = {picture.path for picture in source.manifest.pictures}
            gone = next(picture.path for picture in data.manifest.pictures if picture.path not in kept)
            path = shown(data.manifest.relative(gone))
            raise DataError(f"{data.manifest.shown_root}/{path} could be decoded a moment ago, and cannot any more")
        return replace(data, pictures=replace(source, manifest=data.manifest))
    stored = np.zeros_like(pictures.stored)
    stored[rows] = np.arange(len(rows))
    images = rgb_of_size(pictures.images[pictures.stored[rows]], recipe.image_size, "squash")
    sources = images
    if recipe.source_size != recipe.image_size:
        sources = rgb_of_size(pictures.sources[pictures.stored[rows]], recipe.source_size, "squash")
    return replace(data, pictures=replace(pictures, images=images, sources=sources, stored=stored))
