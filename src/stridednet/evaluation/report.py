"""Build the contents of ``report.json`` for a finished run."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from stridednet.data.balance import imbalance
from stridednet.data.prepare import TrainingData
from stridednet.data.tree import shown
from stridednet.evaluation.classification import Classification
from stridednet.executor.trainer import Trainer
from stridednet.machine import device, versions
from stridednet.models.pretrained import origin_of
from stridednet.recipe import Recipe
from stridednet.training.history import EpochRow


def build_report(
    recipe: Recipe,
    data: TrainingData,
    trainer: Trainer,
    history: Sequence[EpochRow],
    classification: Classification,
) -> dict[str, Any]:
    """Collect the numbers of a run, together with the versions, the device and the hash of the data.

    Args:
        recipe: The recipe that was followed.
        data: The prepared data set.
        trainer: The trained model and how it was computed.
        history: One row per epoch.
        classification: The classification report on the subset ``data.split.report``.
    """
    manifest = data.manifest
    seconds = sum(row.seconds for row in history)
    images = sum(row.images for row in history)
    weights = origin_of(recipe.model)
    return {
        "pretrained": None if weights is None else asdict(weights),
        "dataset": recipe.data.dataset,
        "recipe": recipe.name,
        "seed": recipe.seed,
        "model": {"name": recipe.model.name, "parameters": trainer.model.count_params()},
        "labels": [shown(label) for label in data.labels],
        "data": {
            "hash": data.hash,
            "images": {name: len(data.split.rows(name)) for name in ("train", "val", "test")},
            "split": data.split.origin,
            "imbalance": round(imbalance(data.targets[data.split.train]), 2),
            "problems": [
                {"path": manifest.relative(problem.path), "reason": problem.reason} for problem in manifest.problems
            ],
            "copies": {
                "identical": len(data.copies.identical),
                "similar": len(data.copies.similar),
                "moved": data.split.moved,
            },
            "sample_ranges": {kind: [used.low, used.high] for kind, used in data.pictures.ranges.items()},
            "duplicates": [{"across": item.across, "paths": list(item.paths)} for item in data.duplicates],
        },
        "curve_on": data.split.curve,
        "report_on": data.split.report,
        "report": classification.numbers,
        "training": {
            "epochs": len(history),
            "precision": trainer.backend.precision,
            "compiled": trainer.compiled_parts(),
            "class_weights": None if trainer.class_weights is None else trainer.class_weights.tolist(),
            "images": images,
            "seconds": round(seconds, 3),
            "val_seconds": round(sum(row.val_seconds for row in history), 3),
            "images_per_second": round(images / seconds, 1),
        },
        "device": device(trainer.backend.device.type),
        "versions": versions(),
    }
