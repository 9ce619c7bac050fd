"""The last layer that is fitted to features, compared with scikit-learn's logistic regression."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from stridednet.training.head import STRENGTHS, Examples, chosen_strength, fit_head


def some(pictures: int = 90, features: int = 6, noise: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    classes = np.arange(pictures) % 3
    centers = rng.normal(size=(3, features))
    x = centers[classes] + noise * rng.normal(size=(pictures, features))
    return (3 + 2 * x).astype(np.float32), classes


def examples_of(x: np.ndarray, classes: np.ndarray, **options: np.ndarray) -> Examples:
    targets = np.eye(3, dtype=np.float32)[classes]
    return Examples([x[:50], x[50:]], [np.arange(50), np.arange(50, len(x))], targets, originals=2, **options)


@pytest.mark.parametrize("strength", [0.1, 0.01])
def test_it_is_logistic_regression_on_standardized_features(strength: float) -> None:
    x, classes = some()
    head = fit_head(examples_of(x, classes), strength)
    standard = (x - x.mean(0)) / x.std(0)
    reference = LogisticRegression(C=1 / (strength * len(x)), tol=1e-8, max_iter=1000).fit(standard, classes)
    np.testing.assert_allclose(head.probabilities(x), reference.predict_proba(standard), atol=0.01)
    assert head.strength == strength


def test_weights_of_classes() -> None:
    x, classes = some(noise=2.0)
    weights = np.array([3.0, 0.5, 0.5], np.float32)
    head = fit_head(examples_of(x, classes, weights=weights), 0.1)
    standard = (x - x.mean(0)) / x.std(0)
    reference = LogisticRegression(C=1 / (0.1 * len(x)), tol=1e-8, class_weight=dict(enumerate(weights)), max_iter=1000)
    expected = reference.fit(standard, classes).predict_proba(standard)
    np.testing.assert_allclose(head.probabilities(x), expected, atol=0.02)


def test_scores() -> None:
    x, classes = some()
    examples = examples_of(x, classes)
    head = fit_head(examples, 0.01)
    probabilities = head.probabilities(x)
    loss, accuracy = head.scores(examples)
    assert loss == pytest.approx(-np.log(probabilities[np.arange(90), classes]).mean(), rel=1e-5)
    assert accuracy == pytest.approx((probabilities.argmax(1) == classes).mean())


def test_the_strength_is_chosen_on_pictures_that_were_held_out() -> None:
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(60, 40)).astype(np.float32)  # nothing to learn: the strongest penalty is best
    assert chosen_strength(examples_of(noise, rng.integers(0, 3, 60))) == max(STRENGTHS)
    x, classes = some(noise=0.1)
    assert chosen_strength(examples_of(x, classes)) == min(STRENGTHS)


def test_a_copy_of_a_picture_is_not_measured_on() -> None:
    """Copies that say the opposite would change the choice if they took part in it."""
    x, classes = some(noise=0.1)
    targets = np.eye(3, dtype=np.float32)[classes]
    numbers = np.arange(len(x))
    with_copies = Examples([x, x[::-1].copy()], [numbers, numbers], targets, originals=1)
    assert chosen_strength(with_copies) == chosen_strength(Examples([x], [numbers], targets))


def test_a_feature_that_never_changes() -> None:
    x, classes = some()
    x[:, 2] = 5.0
    head = fit_head(examples_of(x, classes), 0.01)
    assert np.isfinite(head.kernel).all()
    assert np.isfinite(head.bias).all()


def test_a_single_picture_per_class() -> None:
    x, classes = some(3)
    head = fit_head(Examples([x], [np.arange(3)], np.eye(3, dtype=np.float32)[classes]))
    assert head.probabilities(x).argmax(1).tolist() == classes.tolist()
