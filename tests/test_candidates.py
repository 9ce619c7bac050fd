import pytest

from stridednet.candidates import load_candidates
from stridednet.recipe import Recipe, load_recipe
from stridednet.resolve import resolve


def test_the_first_kind_is_the_recipe_itself_and_the_second_one_is_accurate() -> None:
    auto, _ = load_recipe("auto")
    first, second, third = load_candidates().kinds
    assert first.of(auto) == auto
    accurate, _ = load_recipe("accurate")
    assert second.of(auto) == accurate.replace({"name": "auto", "effort": auto.effort})
    assert third.of(auto).mixing.mixup > 0
    assert first.handicap == 0
    assert [len(load_candidates().of_classes(count).kinds) for count in (2, 49, 50)] == [2, 2, 3]


def test_settings_of_the_user_hold_for_all_kinds() -> None:
    settings = {"augmentation.trivial_augment": False, "mixing.mixup": 0.1}
    resolution = resolve("digits", "auto", settings)
    assert resolution.candidates is not None
    for kind in resolution.candidates.kinds:
        recipe = kind.of(resolution.recipe)
        assert not recipe.augmentation.trivial_augment
        assert recipe.mixing.mixup == 0.1
    assert resolution.candidates.image_sizes == {}  # the data set's own hint is kept


def test_kinds_that_no_longer_differ_race_only_once() -> None:
    settings = {"augmentation.trivial_augment": False, "model.stem_whitening": False}
    auto, _ = load_recipe("auto")
    kinds = load_candidates().open_to(auto.replace(settings), settings.keys()).kinds
    assert [kind.name for kind in kinds] == ["strong", "mixed"]


@pytest.mark.parametrize("recipe", ["fast", "accurate", "many", "tutorial", Recipe(), load_recipe("auto")[0]])
def test_only_the_name_of_the_default_recipe_means_a_race(recipe: str | Recipe) -> None:
    assert resolve("digits", recipe).candidates is None


def test_other_models_take_the_settings_that_they_have() -> None:
    resolution = resolve("digits", "auto", {"model.name": "vgg"})
    assert resolution.candidates is not None
    gentle = resolution.candidates.kinds[1].of(resolution.recipe)
    assert (gentle.model.name, gentle.augmentation.trivial_augment) == ("vgg", False)


def test_nothing_is_left_to_choose_if_the_user_chose_everything() -> None:
    candidates = load_candidates()
    settings = {key for kind in candidates.kinds for key in kind.settings}
    chosen = {key: load_recipe("auto")[0].value_of(key) for key in settings} | {"image_size": 32}
    assert resolve("digits", "auto", chosen).candidates is None
