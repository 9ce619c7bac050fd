import os
import subprocess
import sys
from pathlib import Path

import pytest

import stridednet
from conftest import SMALL, copy_digits
from stridednet.errors import DataError, InputError, RecipeError
from stridednet.recipe import Recipe
from stridednet.resolve import resolve
from stridednet.run import Run
from stridednet.training.observer import Observer


class StopsAtTheStart(Observer):
    """Collects the messages before the first epoch, then interrupts the training."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def on_message(self, text: str) -> None:
        self.said.append(text)

    def on_start(self, *_: object) -> None:
        raise KeyboardInterrupt


def test_hints_of_a_built_in_data_set_are_overridden(tmp_path: Path) -> None:
    def recipe_of(name: str, **arguments: object) -> tuple[Recipe, list[str]]:
        observer = StopsAtTheStart()
        with pytest.raises(KeyboardInterrupt):
            stridednet.train(**{"recipe": "fast", "out": tmp_path / name, "observer": observer} | arguments)  # type: ignore[arg-type]
        return Run.unfinished(tmp_path / name).recipe, observer.said

    recipe, said = recipe_of("default")
    assert (recipe.data.dataset, recipe.image_size, recipe.augmentation.horizontal_flip) == ("digits", 28, False)
    assert said[0] == "defaults for digits: image_size=28, augmentation.horizontal_flip=false"
    recipe, said = recipe_of("set", settings={"image_size": 20})
    assert (recipe.image_size, recipe.augmentation.horizontal_flip) == (20, False)
    (tmp_path / "own.toml").write_text("image_size = 24\n[augmentation]\nhorizontal_flip = true\n")
    recipe, said = recipe_of("file", recipe=tmp_path / "own.toml")
    assert (recipe.image_size, recipe.augmentation.horizontal_flip) == (24, True)
    assert not said[0].startswith("defaults for")


def test_a_name_that_is_also_a_folder_or_a_file(digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = copy_digits(digits, tmp_path / "digits", "01", 4)
    (tmp_path / "fast").write_text("epochs = 3\n")
    shadowed = "'digits' is a built-in data set; to use the folder of this name, write ./digits"
    found = resolve("digits", "fast")
    assert found.recipe.data.dataset == "digits"
    assert found.messages[:2] == (
        "'fast' is a built-in recipe; to use the file of this name, write ./fast",
        shadowed,
    )
    assert shadowed in resolve(settings={"data.dataset": "digits"}).messages
    assert shadowed not in resolve().messages  # nobody mentioned digits
    for given in ("./digits", Path("digits"), folder, str(folder)):
        assert resolve(given).recipe.data.dataset == str(folder)
        assert resolve(given).messages == ()
    assert resolve("./digits", "./fast").recipe.epochs == 3


@pytest.mark.parametrize("dataset", ["", " ", 3, b"pets", "a\0b"])
def test_what_is_no_data_set(dataset: object) -> None:
    with pytest.raises(RecipeError, match=r"^setting 'data\.dataset': .*\. Received: "):
        resolve(dataset)  # type: ignore[arg-type]


@pytest.mark.parametrize("argument", ["out", "plot"])
def test_an_empty_path_is_refused(argument: str, few_digits: Path) -> None:
    with pytest.raises(InputError, match=rf"^{argument}: expected a path\. Received: ''$"):
        stridednet.train(few_digits, **{argument: ""})  # type: ignore[arg-type]


def test_invalid_input_leaves_no_files_behind(
    few_digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        stridednet.train("nowhere", settings=SMALL)
    with pytest.raises(DataError, match="no class '9'"):
        stridednet.train(few_digits, "tutorial", settings=SMALL | {"data.labels": ["0", "9"]})
    with pytest.raises(RecipeError, match="there is no model 'vggg'"):
        stridednet.train(few_digits, "tutorial", settings=SMALL | {"model.name": "vggg"})
    with pytest.raises(stridednet.StridedNetError, match=r"groups must divide"):
        stridednet.train(few_digits, "tutorial", settings=SMALL | {"model.groups": 3})
    assert list(tmp_path.iterdir()) == [few_digits]


@pytest.mark.parametrize("constraint", ["max_norm(1)", "unit_norm", "min_max_norm(0.5, 1)", "non_neg"])
def test_any_constraint_trains(few_digits: Path, tmp_path: Path, constraint: str) -> None:
    settings = SMALL | {"epochs": 1, "model.kernel_constraint": constraint, "model.bias_constraint": constraint}
    stridednet.train(few_digits, "tutorial", settings=settings, out=tmp_path / "run")


def test_channels_first_is_rejected(few_digits: Path, tmp_path: Path) -> None:
    import keras

    keras.config.set_image_data_format("channels_first")
    try:
        with pytest.raises(stridednet.StridedNetError, match="training needs channels last"):
            stridednet.train(few_digits, "tutorial", settings=SMALL, out=tmp_path / "run")
    finally:
        keras.config.set_image_data_format("channels_last")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("floatx", ["float16", "float64", "bfloat16"])
def test_another_type_of_variables_is_refused_in_one_line(few_digits: Path, tmp_path: Path, floatx: str) -> None:
    import keras

    keras.config.set_floatx(floatx)
    try:
        with pytest.raises(stridednet.StridedNetError, match=f"training needs float32 .* configured for {floatx}; set"):
            stridednet.train(few_digits, "tutorial", settings=SMALL, out=tmp_path / "run")
    finally:
        keras.config.set_floatx("float32")


def test_a_nan_or_infinite_loss_ends_the_training(few_digits: Path, tmp_path: Path) -> None:
    wild = SMALL | {"optimizer.learning_rate": 1e30, "model.activation": "linear"}
    with pytest.raises(stridednet.StridedNetError, match=r"the loss became (nan|inf) in epoch \d: set a lower"):
        stridednet.train(few_digits, "tutorial", settings=wild, out=tmp_path / "run")


def test_a_data_set_smaller_than_a_batch_trains(digits: Path, tmp_path: Path) -> None:
    pictures = copy_digits(digits, tmp_path / "tiny", "01", 4)
    result = stridednet.train(pictures, "tutorial", settings=SMALL | {"epochs": 1}, out=tmp_path / "run")
    assert (result.history[0].steps, result.history[0].images) == (1, 6)


def test_another_backend_is_rejected_in_one_line(few_digits: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("stridednet"), "train", few_digits],
        cwd=tmp_path,
        env=os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "error: training needs the PyTorch backend, but Keras uses jax; unset KERAS_BACKEND, or import stridednet "
        "before keras\n"
    )
