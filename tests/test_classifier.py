import copy
import io
import pickle
import random
import warnings
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone, is_classifier
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.metrics import recall_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.class_weight import compute_class_weight

import stridednet
from stridednet import Classifier, Recipe
from stridednet.errors import ArrayError, InputError, RecipeError
from stridednet.executor import trainer as trainer_module

SMALL = {"model.filters": [4], "model.dense_units": 8, "augmentation.horizontal_flip": False, "precision": "float32"}


def _stripes(count: int, channels: int | None = None, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return noisy images of horizontal and vertical stripes, and which they are."""
    rng = np.random.default_rng(seed)
    upright = np.arange(count) % 2
    waves = np.broadcast_to(np.where(np.arange(12) % 4 < 2, 60.0, 180.0), (12, 12))
    images = np.where(upright[:, None, None] == 1, waves, waves.T)
    if channels:
        images = images[..., None] * rng.uniform(0.5, 1, (count, 1, 1, channels))
    images = np.clip(images + rng.normal(0, 20, images.shape), 0, 255).astype(np.uint8)
    return images, np.array(["across", "upright"])[upright]


def _classifier(epochs: int = 6, **arguments: Any) -> Classifier:
    return Classifier(**({"epochs": epochs, "image_size": 12, "settings": SMALL} | arguments))


@pytest.fixture(scope="module")
def fitted() -> Classifier:
    return _classifier().fit(*_stripes(80))


def test_it_learns(fitted: Classifier) -> None:
    images, classes = _stripes(60, seed=1)
    assert fitted.score(images, classes) > 0.95
    assert fitted.classes_.tolist() == ["across", "upright"]
    assert (fitted.image_shape_, fitted.n_features_in_) == ((12, 12, 1), 144)
    assert [row.epoch for row in fitted.history_] == [1, 2, 3, 4, 5, 6]
    assert fitted.recipe_.epochs == 6
    assert fitted.recipe_.batch_size == 16


def test_probabilities_are_those_of_the_keras_model(fitted: Classifier) -> None:
    images, _ = _stripes(300, seed=2)  # more than are predicted at once
    probabilities = fitted.predict_proba(images)
    rgb = images[..., None].repeat(3, axis=3)
    assert np.allclose(probabilities, fitted.model_.predict(rgb, verbose=0), atol=1e-5)
    assert np.array_equal(fitted.predict(images), fitted.classes_[probabilities.argmax(axis=1)])


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("classes", [[3, -1], [True, False]])
def test_images_with_channels_and_classes_of_other_types(channels: int, classes: list[Any]) -> None:
    images, names = _stripes(80, channels)
    numbers = np.where(names == "across", *classes)
    classifier = _classifier(8).fit(images, numbers)
    assert classifier.image_shape_ == (12, 12, channels)
    assert classifier.classes_.tolist() == sorted(classes)
    found = classifier.predict(images)
    assert found.dtype == numbers.dtype
    assert np.mean(found == numbers) > 0.9


def test_the_same_seed_gives_the_same_model_and_another_one_another() -> None:
    images, classes = _stripes(40)
    first, again, other = (_classifier(2, seed=seed).fit(images, classes).predict_proba(images) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.allclose(first, other)


def test_a_second_fit_is_independent_of_the_first() -> None:
    images, classes = _stripes(40, 3, seed=3)
    classifier = _classifier(1).fit(*_stripes(40))
    again = classifier.fit(images, np.char.upper(classes))
    assert again is classifier
    assert classifier.classes_.tolist() == ["ACROSS", "UPRIGHT"]
    assert np.array_equal(classifier.predict_proba(images), _classifier(1).fit(images, classes).predict_proba(images))


def test_fit_changes_neither_random_numbers_nor_arguments() -> None:
    images, classes = _stripes(40)
    settings, before = dict(SMALL), images.copy()
    images.flags.writeable = False

    def drawn() -> list[Any]:
        return [random.random(), np.random.rand(), torch.rand(1).item()]  # noqa: NPY002

    states = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    expected = drawn()
    random.setstate(states[0])
    np.random.set_state(states[1])  # noqa: NPY002
    torch.set_rng_state(states[2])
    threads = torch.get_num_threads()
    _classifier(1, settings=settings).fit(images, classes).predict(images)
    assert drawn() == expected
    assert torch.get_num_threads() == threads
    assert settings == SMALL
    assert np.array_equal(images, before)


def _through_pickle(classifier: Classifier) -> Any:
    return pickle.loads(pickle.dumps(classifier))  # noqa: S301


def _through_joblib(classifier: Classifier) -> Any:
    file = io.BytesIO()
    joblib.dump(classifier, file)
    file.seek(0)
    return joblib.load(file)


@pytest.mark.parametrize("copied", [_through_pickle, _through_joblib, copy.deepcopy])
def test_copies_predict_the_same_bits(copied: Any, fitted: Classifier) -> None:
    images, classes = _stripes(40, seed=4)
    expected = fitted.predict_proba(images)
    other = copied(fitted)
    assert np.array_equal(other.predict_proba(images), expected)
    assert np.array_equal(fitted.predict_proba(images), expected)
    assert other.recipe_ == fitted.recipe_
    assert other.history_ == fitted.history_
    assert other.set_params(epochs=1).fit(images, classes).recipe_.epochs == 1


def test_a_clone_has_the_parameters_only(fitted: Classifier) -> None:
    cloned = clone(fitted)
    assert cloned.get_params() == fitted.get_params()
    assert is_classifier(cloned)
    with pytest.raises(NotFittedError):
        cloned.predict(_stripes(2)[0])
    recipe = Recipe(epochs=2)
    assert clone(Classifier(recipe)).recipe == recipe


def test_cross_validation_of_scikit_learn_equals_folds_by_hand() -> None:
    images, classes = _stripes(60)
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    scores = cross_val_score(_classifier(3), images, classes, cv=folds, error_score="raise")
    by_hand = [
        np.mean(_classifier(3).fit(images[train], classes[train]).predict(images[test]) == classes[test])
        for train, test in folds.split(images, classes)
    ]
    assert scores.tolist() == by_hand
    probabilities = cross_val_predict(_classifier(3), images, classes, cv=folds, method="predict_proba")
    assert probabilities.shape == (60, 2)
    assert np.allclose(probabilities.sum(axis=1), 1)


def test_grid_search_of_scikit_learn() -> None:
    images, classes = _stripes(60)
    grid = {"epochs": [1, 6], "settings": [SMALL | {"label_smoothing": 0.0}, SMALL | {"label_smoothing": 0.2}]}
    search = GridSearchCV(_classifier(), grid, cv=2, error_score="raise", scoring="balanced_accuracy")
    search.fit(images, classes)
    results = search.cv_results_
    assert len(results["params"]) == 4
    assert search.best_params_ == results["params"][int(np.argmax(results["mean_test_score"]))]
    assert search.best_params_["epochs"] == 6
    assert search.best_estimator_.recipe_.label_smoothing == search.best_params_["settings"]["label_smoothing"]
    assert search.score(images, classes) > 0.9


def test_it_is_the_last_step_of_a_pipeline() -> None:
    images, classes = _stripes(60)
    to_bytes = FunctionTransformer(lambda X: np.round(255 * X).astype(np.uint8))  # noqa: N803
    pipeline = make_pipeline(to_bytes, _classifier()).fit(images / 255, classes)
    assert np.array_equal(pipeline.predict(images / 255), _classifier().fit(images, classes).predict(images))
    assert pipeline.set_params(classifier__epochs=3).get_params()["classifier__epochs"] == 3


def test_class_weights_are_those_of_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    images, classes = _stripes(60)
    few = np.flatnonzero(classes == "upright")[:5]
    rows = np.sort(np.r_[np.flatnonzero(classes == "across"), few])
    seen = []
    created = trainer_module.Trainer.__init__

    def recorded(self: Any, *arguments: Any) -> None:
        created(self, *arguments)
        seen.append(self.class_weights)

    monkeypatch.setattr(trainer_module.Trainer, "__init__", recorded)
    recalls = []
    for class_weights in ("none", "auto"):
        classifier = _classifier(3, settings=SMALL | {"class_weights": class_weights})
        classifier.fit(images[rows], classes[rows])
        test, truth = _stripes(60, seed=5)
        recalls.append(recall_score(truth, classifier.predict(test), pos_label="upright"))
    assert seen[0] is None
    expected = compute_class_weight("balanced", classes=classifier.classes_, y=classes[rows])
    assert np.allclose(seen[1], expected)
    assert recalls[1] > recalls[0]


def test_recipes_models_and_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images, classes = _stripes(20)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.toml").write_text('image_size = 8\nepochs = 1\n[model]\nname = "allconv"\nfilters = [4]\n')
    classifier = Classifier("own.toml").fit(images, classes)
    assert classifier.model_.input_shape == (None, 8, 8, 3)
    assert classifier.recipe_.model.name == "allconv"
    (tmp_path / "own.py").write_text(
        "from keras import Sequential, layers\n"
        "def net(width, height, depth, classes):\n"
        "    return Sequential([layers.Input((height, width, depth)), layers.Rescaling(1 / 255), layers.Flatten(),\n"
        "                       layers.Dense(classes, activation='softmax')])\n"
    )
    own = Classifier(epochs=1, image_size=8, model="own.py:net").fit(images, classes)
    assert own.model_.count_params() == 8 * 8 * 3 * 2 + 2
    (tmp_path / "own.py").unlink()
    assert np.array_equal(_through_pickle(own).predict_proba(images), own.predict_proba(images))


def test_fewer_images_than_a_batch() -> None:
    images, classes = _stripes(3)
    assert _classifier(1).fit(images, classes).predict_proba(images).shape == (3, 2)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"recipe": "fastest"}, RecipeError, "there is no recipe 'fastest'"),
        ({"epochs": 0}, RecipeError, "setting 'epochs': .*Received: 0"),
        ({"model": "vggg"}, RecipeError, "there is no model 'vggg'; choose vgg"),
        ({"settings": {"model.stem_kernal": 3}}, RecipeError, "did you mean model.stem_kernel"),
        ({"settings": {"data.test_size": 0.5}}, RecipeError, "a Classifier does not use it, since it trains on all"),
        ({"settings": {"validation_freq": 2}}, RecipeError, "a Classifier does not use it"),
        ({"settings": {"epochs": 2}}, RecipeError, "'epochs': it is given by a parameter and in `settings`"),
        ({"settings": {"class_weights": "balanced"}}, RecipeError, "'class_weights': .*'none' or 'auto'"),
    ],
)
def test_wrong_parameters_are_reported_by_fit(arguments: Any, error: type[InputError], message: str) -> None:
    classifier = _classifier(**arguments)  # never by the constructor, as in scikit-learn
    with pytest.raises(error, match=message) as raised:
        classifier.fit(*_stripes(4))
    assert "\n" not in str(raised.value)
    assert not hasattr(classifier, "classes_")


def test_other_images_than_those_of_fit_are_refused(fitted: Classifier) -> None:
    with pytest.raises(ArrayError, match=r"fitted on images of shape \(12, 12, 1\). Received: .* \(12, 12, 3\)$"):
        fitted.predict(_stripes(2, 3)[0])
    with pytest.raises(ArrayError, match="integers from 0 to 255"):
        fitted.predict_proba(_stripes(2)[0] / 255)


def test_a_column_of_classes_is_taken_with_a_warning() -> None:
    images, classes = _stripes(20)
    with pytest.warns(DataConversionWarning, match="column-vector"):
        column = _classifier(1).fit(images, classes[:, None])
    with warnings.catch_warnings(action="error"):
        row = _classifier(1).fit(images, classes.tolist())
    assert np.array_equal(column.predict_proba(images), row.predict_proba(images))


def test_it_is_a_public_name() -> None:
    assert stridednet.Classifier is Classifier
