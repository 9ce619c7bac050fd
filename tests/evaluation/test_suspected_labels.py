import importlib.util

import numpy as np
import pytest

from stridednet.errors import InputError
from stridednet.evaluation.predictions import Predictions
from stridednet.evaluation.suspected_labels import suspected


def _predictions(count: int, classes: int, flips: int, seed: int = 0) -> tuple[Predictions, set[int]]:
    """Return the probabilities of a good but imperfect model, and the rows whose labels are wrong."""
    rng = np.random.default_rng(seed)
    right = rng.integers(classes, size=count)
    logits = rng.normal(0, 1, (count, classes))
    logits[np.arange(count), right] += 6
    exponentials = np.exp(logits)
    probabilities = (exponentials / exponentials.sum(axis=1, keepdims=True)).astype(np.float32)
    rows = rng.choice(count, flips, replace=False)
    given = right.copy()
    given[rows] = (given[rows] + rng.integers(1, classes, size=flips)) % classes
    labels = tuple(f"class {number}" for number in range(classes))
    paths = tuple(f"{row}.png" for row in range(count))
    return Predictions(labels, paths, given.astype(np.intp), probabilities), set(rows.tolist())


def test_flipped_labels_are_found_the_worst_first() -> None:
    predictions, flipped = _predictions(600, 4, 20)
    found = suspected(predictions)
    rows = {suspect.row for suspect in found}
    assert len(rows & flipped) >= 18
    assert len(rows - flipped) <= 4
    scores = [suspect.score for suspect in found]
    assert scores == sorted(scores)
    for suspect in found:
        # The score is the probability of the given class, the suggestion the most probable one.
        row = predictions.probabilities[suspect.row]
        assert suspect.score == pytest.approx(row[predictions.truth[suspect.row]], rel=1e-5)
        assert suspect.given == predictions.labels[predictions.truth[suspect.row]]
        assert suspect.suggested == predictions.labels[int(row.argmax())]
        assert suspect.suggested != suspect.given


def test_correct_labels_are_not_suspected() -> None:
    predictions, _ = _predictions(600, 4, 0)
    assert len(suspected(predictions)) <= 3


def test_classes_without_pictures_and_no_pictures() -> None:
    predictions, flipped = _predictions(300, 3, 10)
    wider = Predictions(
        ("empty", *predictions.labels),
        predictions.paths,
        predictions.truth + 1,
        np.hstack([np.full((300, 1), 1e-6, np.float32), predictions.probabilities]),
    )
    assert {suspect.row for suspect in suspected(wider)} == {suspect.row for suspect in suspected(predictions)}
    assert {suspect.suggested for suspect in suspected(wider)} <= set(predictions.labels)
    nothing = Predictions(("a", "b"), (), np.zeros(0, np.intp), np.zeros((0, 2), np.float32))
    assert suspected(nothing) == []
    one = Predictions(("a", "b"), ("x",), np.zeros(1, np.intp), np.array([[0.1, 0.9]], np.float32))
    assert suspected(one) == []
    assert flipped


def test_without_cleanlab_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "cleanlab" else find(name))
    with pytest.raises(InputError, match=r"pip install 'stridednet\[check\]'"):
        suspected(_predictions(10, 2, 0)[0])
