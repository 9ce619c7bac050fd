from pathlib import Path

import pytest

from conftest import copy_digits
from stridednet.errors import InputError
from stridednet.machine import usable_cores
from stridednet.sweeps.experiment import sweep
from stridednet.sweeps.side_by_side import SideBySide

SETTINGS = {"epochs": 2, "image_size": 20, "batch_size": 16, "precision": "float32"}

OWN_MODELS = """
import os
import signal

import keras
from keras import layers


def talkative(width, height, depth, classes):
    print("a line that is no outcome")
    return keras.Sequential([
        layers.Input((height, width, depth)), layers.Rescaling(1 / 255), layers.Conv2D(8, 3, strides=2),
        layers.Flatten(), layers.Dense(classes, activation="softmax"),
    ])


def killed(width, height, depth, classes):
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(usable_cores() < 2, reason="needs two cores")
@pytest.mark.usefixtures("all_cores")
def test_trials_in_processes_of_their_own_end_as_in_this_one(digits: Path, tmp_path: Path) -> None:
    pictures = copy_digits(digits, tmp_path / "pictures", "012", 40)
    own = tmp_path / "own.py"
    own.write_text(OWN_MODELS)
    # The trial behind the one that takes its process along is trained all the same, by a new process.
    vary = {"model.name": [f"{own}:killed", f"{own}:talkative", "vgg"]}
    result = sweep(pictures, vary, seeds=1, folds=2, settings=SETTINGS, out=tmp_path / "jobs", jobs=2)
    killed = next(outcome for outcome in result.outcomes if outcome.error)
    assert "killed" in killed.variant
    assert killed.error.startswith("the process of this trial was killed by signal 9")
    assert "was killed by signal 9" in (tmp_path / "jobs" / "report.md").read_text()

    rest = {"model.name": vary["model.name"][1:]}
    alone = sweep(pictures, rest, seeds=1, folds=2, settings=SETTINGS, out=tmp_path / "alone")
    trained = [outcome for outcome in result.outcomes if not outcome.error]
    assert [outcome.variant for outcome in trained] == [outcome.variant for outcome in alone.outcomes]
    for here, there in zip(alone.outcomes, trained, strict=True):
        assert there.accuracy == pytest.approx(here.accuracy, abs=0.1)  # sums are not divided alike: 4 of 45 pictures
        assert (there.parameters, there.train_images) == (here.parameters, here.train_images)
        assert there.cores == -(-usable_cores() // 2) or there.cores == usable_cores() // 2
        assert here.cores == usable_cores()
    # Finished trials are not repeated, whoever trained them.
    again = sweep(pictures, rest, seeds=1, folds=2, settings=SETTINGS, out=tmp_path / "jobs")
    assert again.outcomes == tuple(trained)


@pytest.mark.parametrize("jobs", [0, 1000])
def test_more_jobs_than_cores_are_refused(jobs: int) -> None:
    with pytest.raises(InputError, match=rf"jobs must be between 1 and \d+, .* Received: {jobs}"):
        SideBySide(jobs)
