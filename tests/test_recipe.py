import math
import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stridednet.errors import RecipeError
from stridednet.model_settings import VggSettings
from stridednet.recipe import Recipe, builtin_recipes, flat, hints_that_hold, load_recipe, parse_override
from stridednet.settings import REGULARIZERS, DataSettings, Term, parse_term


def test_tutorial_has_the_tutorials_numbers() -> None:
    recipe, chosen = load_recipe("tutorial")
    assert (recipe.image_size, recipe.batch_size, recipe.epochs) == (96, 32, 50)
    assert (recipe.data.test_size, recipe.data.split_seed) == (0.25, 42)
    assert (recipe.optimizer.name, recipe.optimizer.learning_rate, recipe.optimizer.decay) == ("adam", 1e-4, 1e-4)
    assert recipe.model.kernel_regularizer == "l2(0.0005)"
    assert recipe.augmentation.model_dump() == {
        "rotation_range": 20.0,
        "width_shift_range": 0.2,
        "height_shift_range": 0.2,
        "shear_range": 0.15,
        "zoom_range": 0.15,
        "horizontal_flip": True,
        "scale": (1.0, 1.0),
        "ratio": (1.0, 1.0),
        "trivial_augment": False,
    }
    assert recipe.resize == "squash"
    assert chosen == frozenset()


AUTO = {"batch_size": "auto", "epochs": "auto", "effort": 600.0, "optimizer.learning_rate": 2e-3}


@pytest.mark.parametrize("name", ["accurate", "auto", "fast", "many", "pretrained", "tutorial"])
def test_builtin_recipe_files_write_out_every_setting_but_the_users_own(name: str) -> None:
    assert builtin_recipes() == ["accurate", "auto", "fast", "many", "pretrained", "tutorial"]
    text = (Path(__file__).parents[1] / f"src/stridednet/recipes/{name}.toml").read_text()
    written = tomllib.loads(text)
    keys = {f"{key}.{inner}" if isinstance(value, dict) else key for key, value in written.items()
            for inner in (value if isinstance(value, dict) else [""])}  # fmt: skip
    assert set(flat(load_recipe(name)[0].model_dump())) - keys == {
        "data.dataset", "data.exclude", "data.group_copies", "data.labels", "data.labels_from", "data.skip_empty",
        "data.strict",
    }  # fmt: skip
    assert load_recipe(name)[0].name == name


def test_the_defaults_are_the_tutorials() -> None:
    assert load_recipe("tutorial")[0] == Recipe()


@pytest.mark.parametrize(
    ("images", "classes", "batch", "epochs", "rate"),
    [
        (1674, 4, 32, 29, 2e-3),  # 600 * sqrt(1674 * 4) / 1674 = 29.3
        (375, 2, 16, 44, 2e-3 / math.sqrt(2)),  # 375 / 52 = 7.2, but never below 16
        (3030, 101, 64, 110, 2e-3 * math.sqrt(2)),
        (100_000, 10, 128, 6, 4e-3),
    ],
)
def test_batch_epochs_and_rate_follow_the_size_of_the_data(
    images: int, classes: int, batch: int, epochs: int, rate: float
) -> None:
    sized = Recipe().replace(AUTO).sized(images, classes)
    assert (sized.batch_size, sized.epochs, sized.optimizer.learning_rate) == (batch, epochs, pytest.approx(rate))
    assert sized.sized(7, 7) == sized


@pytest.mark.parametrize(
    ("images", "classes", "epochs"),
    [(3030, 101, 1), (199, 2, 1), (200, 2, 7), (3068, 10, 7), (5000, 2, 5), (100_000, 10, 2)],
)
def test_a_pretrained_model_is_tuned_where_there_are_many_pictures_of_a_class(
    images: int, classes: int, epochs: int
) -> None:
    recipe = Recipe(model={"name": "efficientnet_lite0"}, epochs="auto")
    assert recipe.sized(images, classes).epochs == epochs
    assert recipe.replace({"epochs": 3}).sized(images, classes).epochs == 3


def test_what_a_recipe_says_itself_is_kept() -> None:
    sized = Recipe().replace(AUTO | {"batch_size": 8}).sized(1674, 4)
    assert (sized.batch_size, sized.epochs, sized.optimizer.learning_rate) == (8, 29, 2e-3)
    assert Recipe().sized(10, 2) == Recipe()


@pytest.mark.parametrize(("epochs", "freq"), [(1, 1), (25, 1), (26, 2), (139, 6)])
def test_a_curve_has_at_most_25_points(epochs: int, freq: int) -> None:
    assert Recipe().replace({"validation_freq": "auto", "epochs": epochs}).sized(100, 2).validation_freq == freq


def test_toml_round_trip(tmp_path: Path) -> None:
    recipe = Recipe().replace({"model.filters": [8, 16], "data.labels": ["b", "a ü"], "seed": 7})
    file = tmp_path / "mine.toml"
    file.write_text(recipe.to_toml())
    read, chosen = load_recipe(file)
    assert read == recipe
    assert chosen == set(flat(recipe.model_dump()))


def test_a_partial_file_keeps_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "my quick.toml"
    file.write_text("epochs = 3\n[model]\nstem_kernel = 3\n")
    recipe, chosen = load_recipe(file)
    assert recipe == Recipe().replace({"name": "my-quick", "epochs": 3, "model.stem_kernel": 3})
    assert {"epochs", "model.stem_kernel"} <= chosen
    assert "image_size" not in chosen


@pytest.mark.parametrize(
    ("key", "near"),
    [("model.stem_kernal", "model.stem_kernel"), ("stem_kernel", "model.stem_kernel"), ("epoch", "epochs")],
)
def test_an_unknown_setting_names_the_nearest(key: str, near: str) -> None:
    with pytest.raises(RecipeError, match=f"unknown setting '{key}'; did you mean .*{near}"):
        Recipe().replace({key: 3})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("epochs", 0),
        ("epochs", True),
        ("epochs", "5"),
        ("batch_size", "all"),
        ("optimizer.name", "sgd"),
        ("seed", -1),
        ("image_size", 4),
        ("model.dropout", 1.0),
        ("model.downsample", "pooling"),
        ("model.kernel_regularizer", "l3(1)"),
        ("model.kernel_regularizer", "l2"),
        ("model.kernel_regularizer", "l2(x)"),
        ("model.kernel_constraint", "max_norm()"),
        ("model.filters", []),
        ("model.filters", [16, -1]),
        ("optimizer.learning_rate", 0),
    ],
)
def test_a_wrong_value_is_refused_in_one_line(key: str, value: object) -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe().replace({key: value})
    text = str(caught.value)
    assert text.startswith(f"setting '{key}")
    assert "Received: " in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("key", "value", "same"),
    [
        ("epochs", np.int64(3), 3),
        ("seed", np.uint8(7), 7),
        ("epochs", np.array(3), 3),
        ("optimizer.learning_rate", np.float64(1e-3), 1e-3),
        ("optimizer.learning_rate", np.float32(0.5), 0.5),
        ("optimizer.learning_rate", np.int32(1), 1.0),
        ("augmentation.horizontal_flip", np.bool_(False), False),
        ("model.filters", np.array([8, 16]), (8, 16)),
        ("model.filters", [np.int64(8), np.int32(16)], (8, 16)),
        ("model.filters", (np.int64(8),), (8,)),
        ("model.activation", np.str_("elu"), "elu"),
        ("data.labels", np.array(["a", "b"]), ("a", "b")),
        ("data.dataset", Path("pets") / "all", str(Path("pets") / "all")),
        ("model.name", Path("net.py:build"), "net.py:build"),
    ],
)
def test_numbers_of_numpy_and_paths_are_accepted(key: str, value: object, same: object) -> None:
    recipe = Recipe().replace({key: value})
    found = recipe.value_of(key)
    assert found == same
    assert type(found) is type(same)
    *tables, last = key.split(".")
    nested = {tables[0]: {last: value}} if tables else {last: value}
    assert Recipe(**nested) == recipe
    tomllib.loads(recipe.to_toml())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("epochs", np.float64(3)),
        ("epochs", np.bool_(True)),
        ("epochs", np.int64(0)),
        ("epochs", np.array([3])),
        ("epochs", np.str_("3")),
        ("optimizer.learning_rate", np.bool_(True)),
        ("optimizer.learning_rate", np.float32(0)),
        ("augmentation.horizontal_flip", np.int64(1)),
        ("model.filters", np.array([0.5])),
        ("model.filters", np.array(8)),
        ("data.dataset", np.int64(3)),
        ("precision", Path("float16")),
    ],
)
def test_they_are_refused_with_the_message_for_the_plain_value(key: str, value: object) -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe().replace({key: value})
    with pytest.raises(RecipeError) as plainly:
        Recipe().replace({key: str(value) if isinstance(value, Path) else value.tolist()})  # type: ignore[attr-defined]
    assert str(caught.value) == str(plainly.value)
    assert "np." not in str(caught.value)


@pytest.mark.parametrize("name", ["", "  ", "a\0b"])
def test_a_data_set_needs_a_name(name: str) -> None:
    with pytest.raises(RecipeError, match=r"^setting 'data.dataset': should be a folder, an archive of one, or the"):
        Recipe(data={"dataset": name})


def test_a_table_is_a_table() -> None:
    for value in ("vgg", 3, None):
        with pytest.raises(RecipeError, match=rf"^setting 'model': should be a table .*\. Received: {value!r}$"):
            Recipe(model=value)
    with pytest.raises(RecipeError, match=r"^setting 'data': .*\. Received: 5$"):
        Recipe(data=5)


def test_a_file_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("epochs = 3\n", encoding="utf-8-sig")
    assert load_recipe(tmp_path / "mine.toml")[0].epochs == 3


def test_files_that_are_no_recipe(tmp_path: Path) -> None:
    with pytest.raises(
        RecipeError,
        match="there is no recipe 'fats'; use a TOML file or one of accurate, auto, fast, many, pretrained, tutorial",
    ):
        load_recipe("fats")
    broken = tmp_path / "broken.toml"
    broken.write_text("epochs = = 3")
    with pytest.raises(RecipeError, match=r"broken\.toml is not a valid TOML file"):
        load_recipe(broken)
    broken.write_text("[model]\nkernel = 3")
    with pytest.raises(RecipeError, match=r"broken\.toml: unknown setting 'model\.kernel'"):
        load_recipe(broken)


def test_a_recipe_from_python_is_checked_as_a_file_is() -> None:
    recipe = Recipe(epochs=3, model={"name": "vgg", "filters": [8]}, data=DataSettings(labels=["a", "b"]))
    assert (recipe.epochs, recipe.image_size, recipe.data.labels) == (3, 96, ("a", "b"))
    assert isinstance(recipe.model, VggSettings)
    assert recipe.model.filters == (8,)
    assert Recipe(model=VggSettings(filters=(8,))).model == recipe.model
    with pytest.raises(RecipeError, match=r"^unknown setting 'epoch'; did you mean epochs\?$"):
        Recipe(epoch=3)
    with pytest.raises(RecipeError, match=r"^unknown setting 'model.stem_kernal'; did you mean model.stem_kernel"):
        Recipe(model={"stem_kernal": 3})
    with pytest.raises(RecipeError, match=r"^setting 'epochs': .*\. Received: 0$"):
        Recipe(epochs=0)
    with pytest.raises(RecipeError, match=r"^setting 'model.filters': .*\. Received: -1$"):
        Recipe(model={"name": "vgg", "filters": [-1]})
    with pytest.raises(RecipeError, match=r"^setting 'model.name': should be a string\. Received: 3$"):
        Recipe(model={"name": 3})


def test_another_model_keeps_the_settings_that_both_have() -> None:
    recipe = Recipe(model={"stem_kernel": 5, "dropout": 0.1, "dense_units": 64}).replace({"model.name": "vgg"})
    assert recipe.model == VggSettings(dropout=0.1, dense_units=64)
    assert recipe.replace({"model.name": "fire"}).model.model_dump()["stem_kernel"] == 7
    assert recipe.replace({"model.name": "net.py:build"}).model.model_dump() == {"name": "net.py:build"}
    with pytest.raises(RecipeError, match=r"^setting 'model\.stem_kernel': the model 'vgg' does not have it; it has"):
        recipe.replace({"model.stem_kernel": 7})


def test_a_recipe_is_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Recipe().epochs = 3  # type: ignore[misc]


def test_overrides() -> None:
    assert parse_override("epochs=3") == ("epochs", 3)
    assert parse_override("model.dropout=0.1") == ("model.dropout", 0.1)
    assert parse_override("model.use_bias=false") == ("model.use_bias", False)
    assert parse_override("data.dataset=a=b") == ("data.dataset", "a=b")
    for wrong in ("epochs", "=3"):
        with pytest.raises(RecipeError, match="is written KEY=VALUE"):
            parse_override(wrong)


def test_hints_give_way_to_what_the_user_said() -> None:
    assert hints_that_hold({"image_size": 28, "seed": 1}, {"image_size"}) == {"seed": 1}


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_terms_read_any_number(x: float, y: float) -> None:
    assert parse_term(f"l1_l2({x}, {y})", REGULARIZERS) == Term("l1_l2", (x, y))
    assert parse_term("none", REGULARIZERS) == Term("none", ())


def test_spellings_that_keras_accepts_are_accepted() -> None:
    recipe = Recipe().replace({"model.padding": "SAME", "model.kernel_initializer": "HeNormal"})
    assert recipe == Recipe().replace({"model.padding": "same", "model.kernel_initializer": "he_normal"})
    assert recipe.model.kernel_initializer == "he_normal"


@pytest.mark.parametrize(
    ("size", "scale", "expected"),
    [
        (96, [1, 1], 96),
        (96, [0.25, 1.0], 192),
        (96, [0.5, 1.0], 136),  # 96 / sqrt(0.5) = 135.8
        (64, [0.08, 1.0], 128),  # 226 would be needed; at most twice the size
    ],
)
def test_crops_are_taken_from_larger_pictures(size: int, scale: list[float], expected: int) -> None:
    recipe = Recipe().replace({"image_size": size, "augmentation.scale": scale})
    assert recipe.source_size == expected
    assert recipe.augmentation.scale == tuple(scale)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("scale", [0.5, 0.2], "should be two numbers of which the first one is not larger than the second one"),
        ("scale", [0.0, 1.0], "greater than 0"),
        ("scale", [0.5, 1.5], "less than or equal to 1"),
        ("scale", [True, 1.0], "valid number"),
        ("scale", 0.5, "valid tuple"),
        ("scale", [0.2, 0.5, 1.0], "at most 2 items"),
        ("ratio", [1.5, 0.5], "should be two numbers of which the first one is not larger than the second one"),
        ("ratio", [0.01, 1], "greater than or equal to 0.1"),
    ],
)
def test_ranges_of_crops_that_are_not_allowed(key: str, value: object, message: str) -> None:
    with pytest.raises(RecipeError, match=f"^setting 'augmentation.{key}.*{message}"):
        Recipe().replace({f"augmentation.{key}": value})
