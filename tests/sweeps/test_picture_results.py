import numpy as np
import pytest

from stridednet.sweeps.picture_results import PictureResults


def test_results_follow_from_probabilities() -> None:
    probabilities = np.array([[0.7, 0.3], [0.25, 0.75], [1.0, 0.0]], np.float32)
    found = PictureResults.of(np.array([9, 2, 4]), probabilities, np.array([0, 0, 1]))
    assert found.rows.tolist() == [2, 4, 9]
    assert found.correct.tolist() == [False, False, True]
    # -log(0.25), -log of the smallest probability, -log(0.7)
    assert found.losses == pytest.approx([1.3863, 16.118, 0.3567], rel=1e-3)


def test_results_as_text_lose_nothing() -> None:
    rng = np.random.default_rng(0)
    rows = np.sort(rng.choice(100_000, 421, replace=False))
    probabilities = rng.dirichlet(np.ones(5), 421).astype(np.float32)
    found = PictureResults.of(rows, probabilities, rng.integers(0, 5, 421))
    text = found.to_text()
    assert "\n" not in text
    assert PictureResults.from_text(text) == found
    assert len(text) < 3000
