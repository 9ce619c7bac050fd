"""The setting `class_weights` from the command line, in runs, when they are resumed, and in sweeps."""

import csv
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, recall_score
from sklearn.utils.class_weight import compute_class_weight

import stridednet
from conftest import SMALL, copy_digits
from stridednet import Observer, Result, Run, sweep
from stridednet.cli.main import main
from stridednet.data.decode import decode
from stridednet.errors import RecipeError
from stridednet.executor import trainer as trainer_module
from stridednet.recipe import Recipe, builtin_recipes, load_recipe
from test_pipeline import assert_same_result

SETTINGS = SMALL | {"epochs": 2, "model.filters": [8]}


class Messages(Observer):
    """Keeps the messages; can stop the training in an epoch."""

    def __init__(self, stop_in: int | None = None) -> None:
        self.texts: list[str] = []
        self._stop_in = stop_in

    def on_message(self, text: str) -> None:
        self.texts.append(text)

    def on_step(self, epoch: int, *_: object) -> None:
        if epoch == self._stop_in:
            raise KeyboardInterrupt

    def advice(self) -> list[str]:
        return [text for text in self.texts if "class_weights" in text]


@pytest.fixture(scope="module")
def uneven(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a data set with 40, 6 and 40 pictures of its classes."""
    folder = copy_digits(digits, tmp_path_factory.mktemp("uneven") / "uneven", "012", 40)
    for picture in sorted((folder / "1").iterdir())[6:]:
        picture.unlink()
    return folder


@pytest.fixture(scope="module")
def plain(uneven: Path) -> tuple[Result, Messages]:
    messages = Messages()
    return stridednet.train(uneven, "fast", SETTINGS, out=uneven.with_name("plain"), observer=messages), messages


@pytest.fixture(scope="module")
def weighted(uneven: Path) -> tuple[Result, Messages]:
    messages = Messages()
    settings = SETTINGS | {"class_weights": "auto"}
    return stridednet.train(uneven, "fast", settings, out=uneven.with_name("weighted"), observer=messages), messages


def _training_labels(run: Path) -> list[str]:
    with (run / "split.csv").open() as file:
        return [row["label"] for row in csv.DictReader(file) if row["subset"] == "train"]


def test_the_weights_of_a_run_are_those_of_scikit_learn(weighted: tuple[Result, Messages]) -> None:
    run = weighted[0].run.folder
    labels = _training_labels(run)
    report = json.loads((run / "report.json").read_text())
    expected = compute_class_weight("balanced", classes=np.array(["0", "1", "2"]), y=labels)
    assert report["training"]["class_weights"] == pytest.approx(expected.tolist())
    assert load_recipe(run / "recipe.toml")[0].class_weights == "auto"
    counts = Counter(labels)
    assert report["data"]["imbalance"] == round(counts["0"] / counts["1"], 2)


def test_weights_change_the_training_but_not_the_validation(
    plain: tuple[Result, Messages], weighted: tuple[Result, Messages]
) -> None:
    without, with_weights = plain[0], weighted[0]
    assert without.report["training"]["class_weights"] is None
    assert (without.run.folder / "split.csv").read_bytes() == (with_weights.run.folder / "split.csv").read_bytes()
    assert without.history[0].loss != with_weights.history[0].loss
    probabilities, truth = _predicted(with_weights.run)
    of_truth = np.clip(probabilities[np.arange(len(truth)), truth], 1e-7, 1)
    smooth = -(0.9 * np.log(of_truth) + 0.1 * np.log(np.clip(probabilities, 1e-7, 1)).mean(axis=1)).mean()
    assert with_weights.history[-1].val_loss == pytest.approx(smooth, rel=1e-4)


def _predicted(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """Return the probabilities of the test pictures, and their classes."""
    rows = [row for row in run.split if row.subset == "test"]
    folder = Path(run.recipe.data.dataset)
    images = np.stack([decode(folder / row.path, run.recipe.image_size) for row in rows])
    return run.predictor().predict(images), np.array([run.labels.index(row.label) for row in rows])


def test_a_resumed_run_has_the_same_weights(uneven: Path, weighted: tuple[Result, Messages], tmp_path: Path) -> None:
    settings = SETTINGS | {"class_weights": "auto"}
    with pytest.raises(KeyboardInterrupt):
        stridednet.train(uneven, "fast", settings, out=tmp_path / "run", observer=Messages(stop_in=2))
    resumed = stridednet.resume(tmp_path / "run")
    assert_same_result(weighted[0].run.folder, tmp_path / "run")
    assert resumed.report["training"]["class_weights"] == weighted[0].report["training"]["class_weights"]


def test_advice_is_given_once_and_not_to_who_follows_it(
    uneven: Path, plain: tuple[Result, Messages], weighted: tuple[Result, Messages], tmp_path: Path
) -> None:
    counts = Counter(_training_labels(plain[0].run.folder))
    assert plain[1].advice() == [
        f"imbalanced classes: {counts['0']} training images of '0', but only {counts['1']} images of '1'; the setting "
        "class_weights=auto gives all classes the same total weight in the loss"
    ]
    assert weighted[1].advice() == []
    with pytest.raises(KeyboardInterrupt):
        stridednet.train(uneven, "fast", SETTINGS, out=tmp_path / "run", observer=Messages(stop_in=1))
    again = Messages()
    stridednet.resume(tmp_path / "run", observer=again)
    assert again.advice() == []


def test_the_setting_is_in_every_recipe_and_in_files(tmp_path: Path) -> None:
    assert {load_recipe(name)[0].class_weights for name in builtin_recipes()} == {"none"}
    assert Recipe().class_weights == "none"
    file = tmp_path / "mine.toml"
    file.write_text('class_weights = "auto"\n')
    assert load_recipe(file)[0].class_weights == "auto"
    file.write_text(Recipe().replace({"class_weights": "auto"}).to_toml())
    assert load_recipe(file)[0] == Recipe(class_weights="auto", name="tutorial")
    file.write_text('class_weights = "balanced"\n')
    with pytest.raises(RecipeError, match=r"'class_weights': input should be 'none' or 'auto'. Received: 'bal"):
        load_recipe(file)


def _printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    options = [part for key, value in SETTINGS.items() for part in ("--set", f"{key}={json.dumps(value)}")]
    monkeypatch.setattr(sys, "argv", ["stridednet", "train", *map(str, arguments), "--recipe", "fast", *options])
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code
    return capsys.readouterr().out


def test_the_command_shows_macro_metrics_beside_the_accuracy(
    uneven: Path,
    plain: tuple[Result, Messages],
    weighted: tuple[Result, Messages],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("stridednet.threads.claim_process", lambda: None)  # this process has its own threads
    for given, result in (("none", plain[0]), ("auto", weighted[0])):
        out = tmp_path / given
        text = _printed(monkeypatch, capsys, uneven, "--set", f"class_weights={given}", "--out", out)
        assert text.count("imbalanced classes: ") == (given == "none")
        probabilities, truth = _predicted(Run.open(out))
        guess = probabilities.argmax(axis=1)
        assert (
            f"accuracy: {accuracy_score(truth, guess):.3f}\n"
            f"mean per-class accuracy (3 classes): {recall_score(truth, guess, average='macro'):.3f}\n"
            f"macro F1: {f1_score(truth, guess, average='macro', zero_division=0):.3f}\n"
        ) in text
        assert_same_result(out, result.run.folder)


def test_a_sweep_varies_the_setting(uneven: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    class Recorded(trainer_module.Trainer):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            seen.append(self.class_weights)

    monkeypatch.setattr("stridednet.training.setup.Trainer", Recorded)
    settings = SETTINGS | {"epochs": 1}
    result = sweep(uneven, ["class_weights=none,auto"], seeds=1, folds=2, settings=settings, out=tmp_path / "sweep")
    assert [outcome.variant for outcome in result.outcomes] == 2 * ["base", "class_weights=auto"]
    assert seen[0] is None
    assert seen[1].argmax() == 1
    assert result.outcomes[0].loss != result.outcomes[1].loss
