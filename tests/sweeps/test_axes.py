import numpy as np
import pytest

from stridednet.errors import InputError, RecipeError
from stridednet.recipe import Recipe
from stridednet.sweeps.axes import Axis, Variant, parse_axes, parse_axis, variants


@pytest.mark.parametrize(
    ("text", "key", "values"),
    [
        ("model.stem_kernel=3,5,7", "model.stem_kernel", (3, 5, 7)),
        ("model.downsample=strides, max_pool", "model.downsample", ("strides", "max_pool")),
        ("model.kernel_regularizer=none,l1_l2(0.1, 0.2),l2(0.3)", "model.kernel_regularizer",
         ("none", "l1_l2(0.1, 0.2)", "l2(0.3)")),
        ("model.filters=[16, 32],[32, 64, 128]", "model.filters", ([16, 32], [32, 64, 128])),
        ("model.use_bias=true,false", "model.use_bias", (True, False)),
    ],
)  # fmt: skip
def test_an_axis_is_read(text: str, key: str, values: tuple[object, ...]) -> None:
    assert parse_axis(text) == Axis(key, values)


@pytest.mark.parametrize("text", ["model.stem_kernel", "=3", "epochs=", "epochs=1,,2", "epochs=1,2,1"])
def test_what_is_not_an_axis_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"vary: (expected KEY=|a value appears twice)"):
        parse_axis(text)


def test_a_grid_has_the_base_first_and_each_combination_once() -> None:
    axes = [Axis("model.stem_kernel", (3, 7)), Axis("model.downsample", ("strides", "max_pool"))]
    assert [variant.name for variant in variants(Recipe(), axes)] == [  # the base has 7 and strides
        "base",
        "model.stem_kernel=3",
        "model.stem_kernel=3, model.downsample=max_pool",
        "model.downsample=max_pool",
    ]


def test_one_at_a_time_has_no_combinations() -> None:
    axes = [Axis("model.stem_kernel", (3, 5)), Axis("model.use_bias", (True, False))]
    assert [variant.name for variant in variants(Recipe(), axes, one_at_a_time=True)] == [
        "base",
        "model.stem_kernel=3",
        "model.stem_kernel=5",
        "model.use_bias=false",
    ]


def test_a_variant_is_the_base_with_its_settings() -> None:
    recipe = Variant((("model.stem_kernel", 3), ("epochs", 2))).recipe(Recipe())
    assert (recipe.model.stem_kernel, recipe.epochs) == (3, 2)
    assert recipe.replace({"model.stem_kernel": 7, "epochs": 50}) == Recipe()


def test_mistakes_are_found_before_anything_trains() -> None:
    with pytest.raises(RecipeError, match=r"did you mean model\.stem_kernel"):
        variants(Recipe(), [Axis("model.stem_kernl", (3,))])
    with pytest.raises(RecipeError, match="Received: 0"):
        variants(Recipe(), [Axis("model.stem_kernel", (3, 0))])
    with pytest.raises(InputError, match="needs at least one axis"):
        variants(Recipe(), [])
    with pytest.raises(InputError, match="twice"):
        variants(Recipe(), [Axis("epochs", (1,)), Axis("epochs", (2,))])
    with pytest.raises(InputError, match="seed cannot be an axis; seeds is how many"):
        variants(Recipe(), [Axis("seed", (1, 2))])


def test_values_of_numpy_are_those_of_python() -> None:
    given = {"model.stem_kernel": np.array([3, 5]), "model.use_bias": [np.bool_(True)]}
    axes = parse_axes(given)  # type: ignore[arg-type]
    assert axes == (Axis("model.stem_kernel", (3, 5)), Axis("model.use_bias", (True,)))
    assert [type(value) for axis in axes for value in axis.values] == [int, int, bool]
    assert Variant((("model.stem_kernel", axes[0].values[0]),)).name == "model.stem_kernel=3"
