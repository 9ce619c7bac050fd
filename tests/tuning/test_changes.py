import pytest

from stridednet.candidates import load_candidates
from stridednet.recipe import Recipe, flat, load_recipe
from stridednet.sweeps.axes import Variant
from stridednet.tuning.changes import changes_of, combined


@pytest.fixture(scope="module")
def auto() -> Recipe:
    return load_recipe("auto")[0]


def test_each_change_differs_from_the_base_and_from_all_others(auto: Recipe) -> None:
    for kind in load_candidates().kinds:
        base = kind.of(auto)
        recipes = [change.recipe(base) for change in changes_of(base)]
        assert len(recipes) == 22
        assert len({base, *recipes}) == 23


def test_values_follow_the_base(auto: Recipe) -> None:
    names = [change.name for change in changes_of(auto)]
    assert names[:3] == ["augmentation.trivial_augment=false", "optimizer.learning_rate=0.004", "image_size=128"]
    assert "model.filters=(48, 96, 192)" in names
    assert "model.filters=(16, 32, 64)" in names
    assert "model.filters=(32, 64, 128, 256)" in names
    assert "image_size=64" in names
    other = changes_of(auto.replace({"image_size": 28, "label_smoothing": 0.0, "model.filters": [8]}))
    assert {"image_size=36", "image_size=20", "label_smoothing=0.1", "model.filters=(16,)"} <= {
        one.name for one in other
    }


def test_what_the_user_fixed_is_in_no_change(auto: Recipe) -> None:
    fixed = {"model.filters", "optimizer.learning_rate", "augmentation.zoom_range", "data.labels"}
    changes = changes_of(auto, fixed)
    assert len(changes) == 22 - 3 - 2 - 1
    assert not fixed & {key for change in changes for key, _ in change.settings}
    # A fixed model stays, while its settings may change.
    assert "model.name=vgg" not in [change.name for change in changes_of(auto, {"model.name"})]


def test_settings_that_a_model_does_not_have_are_left_out() -> None:
    pretrained = load_recipe("pretrained")[0]
    keys = {key for change in changes_of(pretrained) for key, _ in change.settings}
    assert keys
    assert keys <= flat(pretrained.model_dump()).keys()
    assert "model.name" not in keys


def test_changes_of_different_settings_are_combined(auto: Recipe) -> None:
    wide, narrow, flip, stem, vgg = (
        Variant((pair,))
        for pair in (
            ("model.filters", (48, 96, 192)),
            ("model.filters", (16, 32, 64)),
            ("augmentation.horizontal_flip", False),
            ("model.stem_kernel", 3),
            ("model.name", "vgg"),
        )
    )
    together = combined([wide, flip], auto)
    assert together is not None
    assert together.recipe(auto) == flip.recipe(wide.recipe(auto))
    assert combined([wide, narrow], auto) is None
    assert combined([stem, vgg], auto) is None  # vgg has no such setting
