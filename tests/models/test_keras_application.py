from pathlib import Path

import stridednet

import keras  # isort: skip
import numpy as np
import pytest

from stridednet.errors import ModelError
from stridednet.executor.predictor import Predictor
from stridednet.model_settings import KerasApplicationSettings
from stridednet.models.keras_application import (
    application_names,
    build_application,
    check_application,
    load_application_weights,
)
from stridednet.models.pretrained import origin_of
from stridednet.recipe import Recipe
from stridednet.resolve import resolve

NAME = "keras:MobileNetV2"


def images(size: int = 64) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, size, size, 3), np.uint8)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights as somebody has them in a file."""
    keras.utils.set_random_seed(1)
    path = tmp_path_factory.mktemp("weights") / "mobilenet.weights.h5"
    keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(64, 64, 3)).save_weights(path)
    return path


def test_the_preprocessing_is_part_of_the_model(weights: Path) -> None:
    model = build_application(NAME, 64, 4)
    load_application_weights(model, NAME, str(weights))
    body = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(64, 64, 3), pooling="avg")
    body.load_weights(weights)
    expected = body.predict(keras.applications.mobilenet_v2.preprocess_input(images().astype(np.float32)), verbose=0)
    found = keras.Model(model.inputs, model.layers[-1].input).predict(images(), verbose=0)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(Predictor(model).predict(images()), model.predict(images(), verbose=0), atol=1e-5)


def test_pixels_are_rescaled_per_channel_where_the_network_wants_it() -> None:
    model = build_application("keras:DenseNet121", 32, 2)
    rescaled = keras.Model(model.inputs, model.layers[1].output).predict(images(32), verbose=0)
    expected = keras.applications.densenet.preprocess_input(images(32).astype(np.float32))
    np.testing.assert_allclose(rescaled, expected, atol=1e-5)


def test_networks_that_swap_colors_are_refused() -> None:
    assert "VGG16" not in application_names()
    with pytest.raises(ModelError, match="keras:VGG16 swaps the colors"):
        build_application("keras:VGG16", 64, 2)


def test_wrong_names_and_files(tmp_path: Path, weights: Path) -> None:
    with pytest.raises(ModelError, match="there is no network 'keras:MobileNet9' in Keras Applications; choose keras:"):
        check_application("keras:MobileNet9", "")
    with pytest.raises(ModelError, match="there is no file"):
        check_application(NAME, str(tmp_path / "none.weights.h5"))
    (tmp_path / "bad.weights.h5").write_bytes(weights.read_bytes()[:2000])
    with pytest.raises(ModelError, match=r"keras:MobileNetV2: the file .*bad\.weights\.h5: "):
        load_application_weights(build_application(NAME, 64, 4), NAME, str(tmp_path / "bad.weights.h5"))


def test_a_failed_download_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", refuse)
    monkeypatch.setattr("keras.src.applications.mobilenet_v2.file_utils.get_file", refuse)
    with pytest.raises(ModelError, match=r"cannot be downloaded; name a file as `model\.weights`: ") as caught:
        load_application_weights(build_application(NAME, 96, 4), NAME, "")
    assert "\n" not in str(caught.value)


def test_the_settings_are_those_of_a_pretrained_model(digits: Path) -> None:
    recipe = resolve(digits, settings={"model.name": NAME, "model.weights": "w.weights.h5"}).recipe
    assert recipe.name == "pretrained"
    assert isinstance(recipe.model, KerasApplicationSettings)
    assert Recipe(**recipe.model_dump()) == recipe
    origin = origin_of(recipe.model)
    assert origin is not None
    assert origin.note == "pretrained on other pictures"
    assert origin.distribution == "the file w.weights.h5"


def test_training(digits: Path, weights: Path, tmp_path: Path) -> None:
    from conftest import copy_digits

    few = copy_digits(digits, tmp_path / "few", "01", 12)
    settings = {"model.name": NAME, "model.weights": str(weights), "image_size": 64, "precision": "float32"}
    run = stridednet.train(few, settings=settings | {"epochs": 2, "model.copies": 0}, out=tmp_path / "run").run
    assert (run.folder / "report.txt").read_text().startswith("pretrained on other pictures\n")
    assert run.evaluate().scores.accuracy.value == pytest.approx(run.report["report"]["accuracy"])
