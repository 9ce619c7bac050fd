"""A run whose pictures keep their shape: every command makes the same squares as the training, and says so."""

import asyncio
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import stridednet
from conftest import SMALL
from stridednet.checking.check import _load
from stridednet.classifier import Classifier
from stridednet.data.fold_assignment import Fold
from stridednet.deploy.export.export import export
from stridednet.deploy.run_model import RunModel
from stridednet.deploy.serve.decoding import Decoders
from stridednet.deploy.serve.runs import OpenedRun
from stridednet.deploy.serve.settings import Limits
from stridednet.deploy.sources import listed
from stridednet.deploy.stream import answers
from stridednet.evaluation.comparison import compare
from stridednet.evaluation.explanation import PictureExplainer
from stridednet.evaluation.labeled_pictures import labeled_pictures, training_pictures
from stridednet.executor.predictor import Predictor
from stridednet.recipe import Recipe
from stridednet.run import Run
from stridednet.sweeps.folds import Folds
from stridednet.training.observer import Observer

Pixels = NDArray[np.uint8]
SIZE = 20
SETTINGS = SMALL | {"epochs": 1, "image_size": SIZE}


def _means(image: Pixels, times: int) -> Pixels:
    height, width, _ = image.shape
    return image.reshape(height // times, times, width // times, times, 3).mean(axis=(1, 3)).astype(np.uint8)


def _cropped(image: Pixels) -> Pixels:
    """Make a square of 80x40 pixels: the middle, each 2x2 pixels one."""
    return _means(image[:, 20:60], 2)


def _padded(image: Pixels) -> Pixels:
    """Make a square of 80x40 pixels: each 4x4 pixels one, with 5 rows of gray above and below."""
    square = np.full((SIZE, SIZE, 3), 128, np.uint8)
    square[5:15] = _means(image, 4)
    return square


ORACLES = {"crop": _cropped, "pad": _padded}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return pictures of 80x40 pixels, in steps of 16, so that means of 16 of them are whole numbers."""
    folder = tmp_path_factory.mktemp("shape") / "pictures"
    rng = np.random.default_rng(0)
    for label in "ab":
        (folder / label).mkdir(parents=True)
        for number in range(24):
            noise = rng.integers(0, 16, (40, 80, 3), np.uint8) * 16
            Image.fromarray(noise).save(folder / label / f"{number}.png")
    return folder


@pytest.fixture(scope="module", params=["crop", "pad"])
def run(request: pytest.FixtureRequest, pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    settings = SETTINGS | {"resize": request.param}
    return stridednet.train(pictures, settings=settings, out=tmp_path_factory.mktemp("run") / "run").run


def _expected(run: Run, path: Path) -> Pixels:
    return ORACLES[run.recipe.resize](np.asarray(Image.open(path)))


def test_pictures_are_evaluated_as_squares_of_the_run(run: Run, pictures: Path) -> None:
    assert f'resize = "{run.recipe.resize}"' in run.recipe_file.read_text()
    found = [
        labeled_pictures(run, None, lambda _: None),
        labeled_pictures(run, pictures, lambda _: None),
        training_pictures(run, None, lambda _: None),
    ]
    for part in found:
        for file, image in zip(part.files, part.images, strict=True):
            assert np.array_equal(image, _expected(run, file)), file
    evaluation = run.evaluate()
    expected = np.stack([_expected(run, file) for file in found[0].files])
    probabilities = run.predictor().predict(expected)
    assert np.allclose(evaluation.predictions.probabilities, probabilities, atol=1e-6)
    assert evaluation.scores.accuracy.value == run.report["report"]["accuracy"]


def test_predictions_are_of_squares_of_the_run(run: Run, pictures: Path) -> None:
    file = pictures / "a" / "3.png"
    expected = _expected(run, file)
    image, _ = PictureExplainer(run).read(file)
    assert np.array_equal(image, expected)
    (found,) = [answer for part in answers(RunModel(run), [listed([str(file)])]) for answer in part]
    assert found.image is not None
    assert np.array_equal(found.image, expected)
    wanted = run.predictor().predict(expected[None])[0]
    for given in (file, Image.open(file), np.asarray(Image.open(file))):
        said = run.predict(given).probabilities
        assert [said[label] for label in run.labels] == pytest.approx(wanted.tolist(), abs=1e-5)


def test_the_server_decodes_squares_of_the_run(run: Run, pictures: Path) -> None:
    file = pictures / "b" / "0.png"
    opened = OpenedRun.load(run.folder, 1)

    async def decoded() -> Pixels:
        async with Decoders(Limits(decoders=1)) as decoders:
            return (await decoders.decode(file.read_bytes(), opened.size, opened.rule, opened.ranges))[0]

    assert np.array_equal(asyncio.run(decoded()), _expected(run, file))


def test_an_exported_file_states_the_rule(run: Run, tmp_path: Path) -> None:
    (result,) = export(run, ["onnx"], out=tmp_path)
    assert result.verification.agreement == 1
    config = json.loads((tmp_path / "preprocessor_config.json").read_text())
    said = {"crop": "cut out the largest square in the center", "pad": "20x20 pixels of gray (128, 128, 128)"}
    assert said[run.recipe.resize] in config["resize_rule"]
    # The names of Hugging Face's processors.
    assert config.get("do_center_crop", False) is (run.recipe.resize == "crop")
    assert config.get("crop_size", config.get("pad_size")) == {"height": SIZE, "width": SIZE}
    assert config["size"] == {"shortest_edge" if run.recipe.resize == "crop" else "longest_edge": SIZE}
    card = (run.folder / "README.md").read_text()
    assert {"crop": "ImageOps.fit(", "pad": "ImageOps.pad("}[run.recipe.resize] in card


def test_check_and_sweeps_use_the_rule(run: Run) -> None:
    checked = _load(run.recipe, Observer())
    folds = Folds(lambda _: None)
    data, squashed = (
        folds.of(run.recipe, Fold(0, 0, 2)),
        folds.of(run.recipe.replace({"resize": "squash"}), Fold(0, 0, 2)),
    )
    for row in (0, 30):
        expected = _expected(run, checked.manifest.pictures[row].path)
        assert np.array_equal(checked.images[checked.stored[row]], expected)
        assert np.array_equal(data.pictures.images[data.pictures.stored[row]], expected)
        assert not np.array_equal(squashed.pictures.images[squashed.pictures.stored[row]], expected)


def test_two_runs_with_different_rules_are_compared(run: Run, pictures: Path, tmp_path: Path) -> None:
    other = stridednet.train(pictures, settings=SETTINGS, out=tmp_path / "squash").run
    comparison = compare(run.evaluate(), other, lambda _: None)
    right = comparison.both + comparison.only_second
    assert right / comparison.pictures == pytest.approx(other.report["report"]["accuracy"])


def test_a_run_of_an_earlier_version_is_squashed(pictures: Path, tmp_path: Path) -> None:
    run = stridednet.train(pictures, settings=SETTINGS, out=tmp_path / "run").run
    file = pictures / "a" / "0.png"
    before = run.predict(file)
    lines = run.recipe_file.read_text().splitlines()
    earlier = [line for line in lines if not line.startswith("resize")]
    assert len(earlier) == len(lines) - 1
    run.recipe_file.write_text("\n".join(earlier))
    opened = Run.open(run.folder)
    assert opened.recipe.resize == "squash"
    assert opened.predict(file) == before


def test_a_classifier_takes_the_rule(pictures: Path) -> None:
    wide = np.stack([np.asarray(Image.open(file)) for file in sorted((pictures / "a").iterdir())])
    classes = np.arange(len(wide)) % 2
    settings = {key: value for key, value in SETTINGS.items() if key not in ("epochs", "image_size")}
    fitted = Classifier(epochs=1, image_size=SIZE, settings=settings | {"resize": "crop"}).fit(wide, classes)
    squares = np.stack([_cropped(image) for image in wide])
    assert np.allclose(fitted.predict_proba(wide), Predictor(fitted.model_).predict(squares), atol=1e-6)


def test_a_recipe_names_the_rules() -> None:
    assert Recipe().resize == "squash"
    with pytest.raises(stridednet.errors.RecipeError, match=r"'resize': input should be 'squash', 'crop' or 'pad'"):
        Recipe(resize="letterbox")


def test_random_crops_change_nothing_but_the_training(pictures: Path, tmp_path: Path) -> None:
    settings = SETTINGS | {"resize": "crop", "augmentation.scale": [0.25, 1.0], "augmentation.ratio": [0.75, 1.5]}
    run = stridednet.train(pictures, settings=settings, out=tmp_path / "run").run
    assert (run.recipe.source_size, run.recipe.augmentation.ratio) == (2 * SIZE, (0.75, 1.5))
    data = Folds(lambda _: None).of(run.recipe, Fold(0, 0, 2))
    for row in (0, 30):
        picture = np.asarray(Image.open(data.manifest.pictures[row].path))
        place = data.pictures.stored[row]
        assert np.array_equal(data.pictures.images[place], _cropped(picture))
        assert np.array_equal(data.pictures.sources[place], picture[:, 20:60])
    evaluation = run.evaluate()
    assert evaluation.scores.accuracy.value == run.report["report"]["accuracy"]
    for row in range(3):
        assert np.array_equal(evaluation.image(row), _expected(run, evaluation.file(row)))
    whole = stridednet.train(pictures, settings=settings | {"augmentation.scale": [1.0, 1.0]}, out=tmp_path / "other")
    assert whole.history[0].loss != run.history[0].loss
