"""The data set of the training: sizes, skipped files, copies, and what augmentation makes of a picture."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stridednet.data.archive import dataset_name
from stridednet.data.augment import Augmentation
from stridednet.data.color import ColorJitter
from stridednet.data.decode import Pixels, UnusablePictureError, decode
from stridednet.data.tree import printable
from stridednet.evaluation.page.evaluated import Material
from stridednet.evaluation.page.thumbnails import data_address, shrunk
from stridednet.evaluation.page.verdict import balance_advice

_LISTED = 30  # skipped files, and groups of duplicates
_EXAMPLES = 7  # warped copies of one picture
SUBSETS = ("train", "val", "test", "unused")
_QUALITY = 80


@dataclass(frozen=True)
class ClassSize:
    """The number of pictures of a class, in all and by subset."""

    label: str
    total: int
    subsets: tuple[int, ...]


@dataclass(frozen=True)
class DataSet:
    """The data set. ``samples`` are ``data:`` addresses: a picture, and then what augmentation makes of it."""

    name: str
    path: str
    subsets: tuple[str, ...]
    classes: tuple[ClassSize, ...]
    largest: int
    advice: str
    problems: Sequence[Mapping[str, Any]]
    hidden_problems: int
    duplicates: Sequence[Mapping[str, Any]]
    hidden_duplicates: int
    copies: Mapping[str, Any]
    samples: tuple[str, ...]
    sample_path: str


def data_set(material: Material, row: int | None) -> DataSet:
    """Describe the data set of the training.

    Args:
        material: The evaluation.
        row: The picture with which augmentation is shown; None if there is none.
    """
    counts = Counter((one.label, one.subset) for one in material.split)
    subsets = tuple(name for name in SUBSETS if any(subset == name for _, subset in counts))
    labels = [printable(label) for label in material.labels]
    classes = []
    for label in labels:
        sizes = tuple(counts[label, subset] for subset in subsets)
        classes.append(ClassSize(label, sum(sizes), sizes))
    found = material.report.get("data", {})
    problems, duplicates = found.get("problems", []), found.get("duplicates", [])
    return DataSet(
        dataset_name(material.recipe.data.dataset),
        material.recipe.data.dataset,
        subsets,
        tuple(classes),
        max((size.total for size in classes), default=0) or 1,
        balance_advice(material),
        problems[:_LISTED],
        max(0, len(problems) - _LISTED),
        duplicates[:_LISTED],
        max(0, len(duplicates) - _LISTED),
        found.get("copies", {}),
        () if row is None else _samples(material, row),
        "" if row is None else material.predictions.paths[row],
    )


def _samples(material: Material, row: int) -> tuple[str, ...]:
    """Return a picture and augmented copies of it; empty if the recipe has no augmentation."""
    warp = Augmentation(**material.recipe.augmentation.model_dump())
    jitter = ColorJitter(**material.recipe.color_jitter.model_dump())
    if warp == Augmentation() and jitter == ColorJitter():
        return ()
    rng = np.random.default_rng(material.recipe.seed)
    image = material.evaluation.image(row)
    source = _source(material, row) if warp.crops else image
    changed = jitter(warp(np.stack([source] * _EXAMPLES), rng, material.recipe.image_size), rng)
    return tuple(data_address(shrunk(one), _QUALITY) for one in (image, *changed))


def _source(material: Material, row: int) -> Pixels:
    """Return a picture as random crops are taken from it; the model's image if its file cannot be read any more."""
    recipe = material.recipe
    try:
        return decode(material.evaluation.file(row), recipe.source_size, rule=recipe.resize)
    except UnusablePictureError:
        return material.evaluation.image(row)
