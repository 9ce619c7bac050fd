"""`Run.predict` says what Keras says, whatever computes it, and reports runs that are damaged."""

import shutil
from pathlib import Path

import stridednet  # noqa: F401  -- before keras, to choose its backend

import keras  # isort: skip
import numpy as np
import pytest
from keras import layers

from conftest import write_run
from stridednet.data.decode import resize
from stridednet.deploy import run_model
from stridednet.deploy.portable import portable_model
from stridednet.deploy.portable_file import write_portable
from stridednet.deploy.prediction import Prediction
from stridednet.deploy.run_model import RunModel
from stridednet.errors import RunError
from stridednet.recipe import Recipe
from stridednet.run import Run

SIZE = Recipe().image_size
IMAGES = np.random.default_rng(0).integers(0, 256, (5, SIZE, SIZE, 3), np.uint8)


def _model(classes: int = 3, size: int = SIZE) -> keras.Model:
    keras.utils.set_random_seed(0)
    image = keras.Input((size, size, 3))
    x = layers.Conv2D(4, 5, strides=4, activation="relu")(layers.Rescaling(1 / 255)(image))
    return keras.Model(image, layers.Dense(classes, activation="softmax")(layers.Flatten()(x)))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return a run with a ``predict.npz``."""
    model = _model()
    run = Run.open(write_run(tmp_path / "run", model, 3))
    portable = portable_model(model)
    assert portable is not None
    write_portable(run.portable_file, portable, run.model_file)
    return run


@pytest.fixture
def expected(run: Run) -> np.ndarray:
    """Return the probabilities of `IMAGES` by Keras itself."""
    return run.model().predict(IMAGES.astype(np.float32), verbose=0)


def _rows(predictions: object) -> np.ndarray:
    assert isinstance(predictions, list)
    return np.array([[one.probabilities[f"class {column}"] for column in range(3)] for one in predictions])


def test_one_image_and_several(run: Run, expected: np.ndarray) -> None:
    found = run.predict(IMAGES)
    np.testing.assert_allclose(_rows(found), expected, atol=1e-6)
    assert run.predict(list(IMAGES)) == found
    assert run.predict([]) == []
    one = run.predict(IMAGES[0])
    assert isinstance(one, Prediction)
    best = int(expected[0].argmax())
    assert (one.label, one.probability) == (f"class {best}", pytest.approx(expected[0, best], abs=1e-6))
    assert list(one.probabilities.values()) == sorted(one.probabilities.values(), reverse=True)
    assert list(one.probabilities.items())[:2] == one.top(2)


def test_images_of_other_sizes_are_resized(run: Run) -> None:
    large = np.random.default_rng(1).integers(0, 256, (200, 130, 3), np.uint8)
    assert run.predict(large) == run.predict(resize(large, SIZE))


def test_equal_probabilities_keep_the_order_of_the_classes() -> None:
    prediction = Prediction.of(["a", "b", "c"], np.array([0.25, 0.5, 0.25], np.float32))
    assert prediction.top(3) == [("b", 0.5), ("a", 0.25), ("c", 0.25)]


def test_pytorch_computes_after_many_images(run: Run, expected: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_model, "FEW", 7)
    loaded: list[Run] = []
    load = Run.predictor
    monkeypatch.setattr(Run, "predictor", lambda self: loaded.append(self) or load(self))
    for image in (*IMAGES, *IMAGES):
        run.predict(image)  # those that come one by one do not count
    first = run.predict(IMAGES)
    assert not loaded
    later = run.predict(IMAGES)  # the eighth image is among them
    run.predict(IMAGES)
    assert loaded == [run]
    for found in (first, later):
        np.testing.assert_allclose(_rows(found), expected, atol=1e-6)


def test_announced_images(run: Run, expected: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_model, "FEW", 10)
    few, many = RunModel(run), RunModel(run)
    few.expect(10)
    many.expect(11)
    for model, by_numpy in ((few, True), (many, False)):
        for _ in range(2):
            np.testing.assert_allclose(model.predict(IMAGES), expected, atol=1e-6)
        assert (model._by_pytorch is None) == by_numpy


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "other array"])
def test_a_damaged_portable_file_is_not_used(run: Run, expected: np.ndarray, damage: str) -> None:
    file = run.portable_file
    content = file.read_bytes()
    if damage == "other array":
        with file.open("wb") as target:
            np.savez(target, weights=np.zeros(3))
    else:
        file.write_bytes({"cut": content[: len(content) // 2], "empty": b"", "text": b"not an archive"}[damage])
    messages: list[str] = []
    model = RunModel(run, messages.append)
    np.testing.assert_allclose(model.predict(IMAGES), expected, atol=1e-6)
    assert messages == ["predict.npz is damaged or was not made from this model.keras, which is loaded instead"]


@pytest.mark.parametrize("portable", [True, False])
def test_a_model_that_does_not_fit_its_run(tmp_path: Path, portable: bool) -> None:
    for name, model, message in (
        ("outputs", _model(classes=2), "its model has 2 outputs, but there are 3 labels"),
        ("size", _model(size=32), r"its model does not fit its recipe: .* Received: \(5, 96, 96, 3\)"),
    ):
        run = Run.open(write_run(tmp_path / name, model, 3))
        if portable:
            write_portable(run.portable_file, portable_model(model), run.model_file)  # type: ignore[arg-type]
        with pytest.raises(RunError, match=rf"^the run .*{name} is damaged: {message}"):
            run.predict(IMAGES)


def test_a_damaged_model_file(run: Run, tmp_path: Path) -> None:
    shutil.copytree(run.folder, tmp_path / "copy")
    copy = Run.open(tmp_path / "copy")
    copy.model_file.write_bytes(b"not a model")
    with pytest.raises(RunError, match=r"^the run .*copy is damaged"):
        copy.predict(IMAGES)
