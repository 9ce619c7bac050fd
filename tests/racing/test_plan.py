import pytest

from stridednet.candidates import Candidate, Candidates
from stridednet.racing.plan import plan_race
from stridednet.recipe import Recipe

RECIPE = Recipe(epochs=48, image_size=96)
KINDS = (Candidate("one"), Candidate("two", {"mixing.mixup": 0.4}))
BOTH = Candidates(KINDS, {64: 0.0, 96: 0.0, 128: 0.0}, 0.25)


def test_trainings_share_the_budget_equally() -> None:
    plan = plan_race(RECIPE, BOTH, images=1000, classes=4, fold=700)
    assert plan is not None
    assert plan.sizes == (96, 64, 128)
    assert plan.trainings == (64, 64, 96, 128)  # the third training with 64 pixels is that of the winner
    # A quarter of the whole is a third of the training after it: 16 epochs of 1,000 images, in four parts.
    assert plan.pixels == pytest.approx(4 * 1000 * 96**2)
    assert [plan.epochs(size) for size in (64, 96, 128)] == [12, 5, 3]  # 12.9, 5.7, 3.2


def test_the_whole_race_costs_at_most_its_share() -> None:
    for epochs in (9, 17, 40, 200):
        recipe = RECIPE.replace({"epochs": epochs})
        plan = plan_race(recipe, BOTH, images=900, classes=3, fold=630)
        if plan is not None:
            spent = sum(plan.epochs(size) * 630 * size**2 for size in plan.trainings)
            assert spent <= (spent + epochs * 900 * 96**2) / 4


def test_sizes_and_then_kinds_are_left_out_if_the_training_is_short() -> None:
    found = {}
    for epochs in range(1, 60):
        plan = plan_race(RECIPE.replace({"epochs": epochs}), BOTH, images=1000, classes=4, fold=700)
        found[epochs] = None if plan is None else (len(plan.kinds), plan.sizes)
    order = list(dict.fromkeys(found.values()))
    assert order == [None, (2, ()), (2, (96, 64)), (2, (96, 64, 128))]
    # Two trainings of two epochs with 64 pixels: 4 * 0.7 * (64 / 96)**2 / (1/3) is 3.7 epochs.
    assert (found[3], found[4]) == (None, (2, ()))


def test_larger_images_do_not_race_if_they_would_have_to_be_decoded_slowly() -> None:
    plan = plan_race(RECIPE, BOTH, images=1000, classes=4, fold=700, largest=96)
    assert plan is not None
    assert plan.sizes == (96, 64)


def test_only_sizes_or_only_kinds() -> None:
    sizes = plan_race(RECIPE, Candidates(KINDS[:1], {64: 0.0, 128: 0.0}, 0.25), 1000, 4, 700)
    assert sizes is not None
    assert (sizes.kinds, sizes.trainings) == ((), (96, 64, 128))
    small = RECIPE.replace({"image_size": 32})
    kinds = plan_race(small, Candidates(KINDS, {}, 0.25), 1000, 4, 700)
    assert kinds is not None
    assert kinds.trainings == (32, 32)
    assert plan_race(RECIPE, Candidates(KINDS[:1], {}, 0.25), 1000, 4, 700) is None
