"""Small runs that were written, not trained, and changed copies of them."""

import os
import shutil
from pathlib import Path

import keras
import numpy as np
from hostile_models import SIDE

from stridednet.deploy.portable import portable_model
from stridednet.deploy.portable_file import write_portable
from stridednet.recipe import Recipe
from stridednet.run_checkpoint import Checkpoint
from stridednet.run_directory import RunDirectory
from stridednet.run_tables import SplitRow
from stridednet.training.history import EpochRow

LABELS = ["cat", "dog"]
_EPOCH = EpochRow(1, 1.0, 0.5, 1.0, 0.5, 1e-4, 1, 1, 1.0, 1.0)


def write_finished(folder: Path, *, with_hashes: bool = True) -> Path:
    """Write a finished run of a small model.

    Args:
        folder: A new folder.
        with_hashes: Whether its report has the hashes of its files; those of earlier versions have not.
    """
    keras.utils.set_random_seed(0)
    image = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.Conv2D(2, 3, activation="relu", padding="same")(keras.layers.Rescaling(1 / 255)(image))
    x = keras.layers.Flatten()(keras.layers.MaxPooling2D()(x))
    model = keras.Model(image, keras.layers.Dense(len(LABELS), activation="softmax")(x))
    run = RunDirectory.create(Recipe(image_size=SIDE), folder)
    run.write_labels(LABELS)
    run.write_split([SplitRow(f"{label}/{n}.png", label, "train", "0" * 64) for label in LABELS for n in range(3)])
    run.write_history([_EPOCH])
    run.write_model(model)
    portable = portable_model(model)
    assert portable is not None
    write_portable(run.portable_file, portable, run.model_file)
    run.finish("", {"labels": LABELS, "data": {"sample_ranges": {"uint16": [0, 4095]}}})
    if not with_hashes:
        report = run.report_file.read_text()
        run.report_file.write_text(report[: report.index(',\n  "sha256"')] + "\n}\n")
    return folder


def write_unfinished(folder: Path) -> Path:
    """Write a run with a checkpoint after its first epoch."""
    run = RunDirectory.create(Recipe(image_size=SIDE), folder)
    state = {"weight": np.arange(12, dtype=np.float32).reshape(3, 4), "step": np.array(5)}
    run.save_epoch(Checkpoint(state, [_EPOCH], "0" * 64))
    return folder


def copy_with(run: Path, copy: Path, name: str, content: bytes) -> Path:
    """Copy a run, with another content of one file; the other files are shared."""
    shutil.copytree(run, copy, copy_function=os.link)
    (copy / name).unlink()
    (copy / name).write_bytes(content)
    return copy
