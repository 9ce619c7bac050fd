import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import stridednet
from stridednet.errors import ModelError, RecipeError
from stridednet.models.catalogue import build_model, check_model
from stridednet.models.own_model import absolute_name, call_builder
from stridednet.recipe import Recipe, builtin_recipes, load_recipe
from stridednet.run import Run

GOOD = """
import keras
from keras import layers
from stridednet.models.fire import fire_module

from sizes import FILTERS


def build(width, height, depth, classes):
    image = keras.Input((height, width, depth))
    x = layers.Rescaling(1 / 255)(image)
    x = layers.Conv2D(FILTERS, 3, strides=2, activation="relu")(x)
    x = layers.GlobalAveragePooling2D()(fire_module(x, 2, 4, 4))
    return keras.Model(image, layers.Dense(classes, activation="softmax")(x))
"""


@pytest.fixture
def net(tmp_path: Path) -> Path:
    file = tmp_path / "own net" / "my.net.py"
    file.parent.mkdir()
    (file.parent / "sizes.py").write_text("FILTERS = 8\n")
    file.write_text(GOOD)
    return file


def _settings(name: str, **settings: object) -> Recipe:
    return Recipe().replace({"model.name": name} | {f"model.{key}": value for key, value in settings.items()})


@pytest.mark.parametrize("recipe", builtin_recipes())
def test_it_is_built_with_every_builtin_recipe(recipe: str, net: Path) -> None:
    model = build_model(load_recipe(recipe)[0].replace({"model.name": f"{net}:build"}).model, 20, 3)
    assert (model.input_shape, model.output_shape) == ((None, 20, 20, 3), (None, 3))
    assert str(net.parent) not in sys.path


def test_it_has_no_settings(net: Path) -> None:
    with pytest.raises(RecipeError, match=r"my\.net\.py:build' does not have it; your function decides it"):
        _settings(f"{net}:build", dropout=0.25)


def test_a_changed_file_is_read_anew(net: Path) -> None:
    assert build_model(_settings(f"{net}:build").model, 20, 3).layers[-1].units == 3
    net.write_text("def build(*sizes): return 3\n")
    with pytest.raises(ModelError, match="has to return"):
        build_model(_settings(f"{net}:build").model, 20, 3)


def test_names_are_settled(monkeypatch: pytest.MonkeyPatch, net: Path) -> None:
    monkeypatch.chdir(net.parent)
    assert absolute_name("my.net.py:build") == f"{net}:build"


def _model(end: str, begin: str = "keras.Input((height, width, depth))") -> str:
    return (
        "import keras\nfrom keras import layers\n\ndef build(width, height, depth, classes):\n"
        f"    image = {begin}\n    x = layers.Flatten()(image)\n    return {end}\n"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def other(): ...", r"net\.py has no function 'build'$"),
        ("build = 3", r"net\.py has no function 'build'$"),
        ("x = 1\nbuild = = 3", r"net\.py:2: the file raises SyntaxError: invalid syntax"),
        ("import nowhere_at_all", r"net\.py:1: the file raises ModuleNotFoundError: No module named"),
        ("raise SystemExit(3)", r"net\.py:1: the file raises SystemExit: 3$"),
        ("def build(*sizes):\n    raise KeyError('odd\\nkey')", r"net\.py:2: build\(20, 20, 3, 4\) raises KeyError: "),
        ("def build(width): ...", r"net\.py: build\(20, 20, 3, 4\) raises TypeError: build\(\) takes 1 positional"),
        ("def build(*sizes): return 3", r"build has to return a keras\.Model\. Received: a int$"),
        (
            "import keras\ndef build(*sizes): return keras.Sequential([keras.layers.Flatten()])",
            r"returns a model without a graph of layers; start it with keras\.Input$",
        ),
        (
            _model("keras.Model(image, layers.Dense(classes + 1, activation='softmax')(x))"),
            r"build has to map \(None, 20, 20, 3\) to \(None, 4\)\. Received: a model with .*\(None, 5\)$",
        ),
        (
            _model("keras.Model(image, layers.Dense(classes, activation='softmax')(x))", "keras.Input((8, 8, 3))"),
            r"has to map \(None, 20, 20, 3\) .*\. Received: a model with \(None, 8, 8, 3\), \(None, 4\)$",
        ),
        (_model("keras.Model(image, [layers.Dense(classes)(x), x])"), r"Received: a model with .*, .*, .*$"),
        (_model("keras.Model(image, layers.Dense(classes)(x))"), r"build has to end with probabilities, such as Dense"),
        (
            _model("m") .replace("return m", "m = keras.Model(image, layers.Dense(classes, activation='softmax')(x)); "
                                 "m.compile(loss='categorical_crossentropy'); return m"),
            r"build returns a compiled model; remove compile\(\)",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_in_one_line(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(text)
    with pytest.raises(ModelError, match=message) as caught:
        build_model(_settings(f"{tmp_path / 'net.py'}:build").model, 20, 4)
    assert "\n" not in str(caught.value)


def test_a_missing_file() -> None:
    with pytest.raises(ModelError, match=r"there is no file gone\.py; your own model is written FILE\.py:function"):
        check_model(_settings("gone.py:build").model)


def test_it_trains_and_goes_on_from_another_folder(
    net: Path, few_digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"epochs": 2, "image_size": 20, "precision": "float32", "model.name": f"{net.name}:build"}
    monkeypatch.chdir(net.parent)
    result = stridednet.train(few_digits, settings=settings, out=tmp_path / "run")
    assert Run(tmp_path / "run").recipe.model.name == f"{net}:build"
    probabilities = keras.models.load_model(tmp_path / "run" / "model.keras").predict(
        np.zeros((1, 20, 20, 3)), verbose=0
    )
    assert probabilities.shape == (1, 3)
    (tmp_path / "run" / "report.json").unlink()
    monkeypatch.chdir(tmp_path)
    again = stridednet.resume(tmp_path / "run", trust=True)
    assert again.report["report"] == result.report["report"]
    assert again.report["model"]["name"] == f"{net}:build"


def test_a_wrong_model_is_told_before_pictures_are_read(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no file"):
        stridednet.train(tmp_path, settings={"model.name": "gone.py:build"}, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_only_training_needs_probabilities(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(_model("keras.Model(image, layers.Dense(classes)(x))"))
    model = call_builder(f"{tmp_path / 'net.py'}:build", 20, 4)
    assert model.output_shape == (None, 4)


def test_an_exception_in_the_models_own_layers_is_reported_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(
        "import keras\nfrom keras import layers\n\n"
        "class Odd(layers.Layer):\n"
        "    def compute_output_shape(self, shape):\n        return shape\n\n"
        "    def call(self, x):\n        raise KeyError('odd\\nkey')\n\n"
        "def build(width, height, depth, classes):\n"
        "    image = keras.Input((height, width, depth))\n    x = layers.Flatten()(Odd()(image))\n"
        "    return keras.Model(image, layers.Dense(classes, activation='softmax')(x))\n"
    )
    with pytest.raises(ModelError, match=r"net\.py(:\d+)?: .* raises KeyError: [^\n]*$"):
        build_model(_settings(f"{tmp_path / 'net.py'}:build").model, 20, 4)
