"""Races on real digits, with small images and networks."""

import json
from pathlib import Path

import numpy as np
import pytest

import stridednet
from conftest import SMALL, copy_digits
from stridednet.candidates import Candidate, Candidates
from stridednet.data.prepare import TrainingData, prepare
from stridednet.errors import DataError
from stridednet.executor.backend import Backend
from stridednet.racing.entrant import Entrant
from stridednet.racing.pictures import fold_of_train, resized
from stridednet.racing.race import run_race
from stridednet.racing.result import Heat, RaceResult
from stridednet.recipe import Recipe, load_recipe
from stridednet.training.observer import Observer, Workload

BACKEND = Backend.choose("float32")
USELESS = Candidate("useless", {"optimizer.learning_rate": 1e-30})
KINDS = (USELESS, Candidate("useful"))


@pytest.fixture(scope="module")
def folder(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_digits(digits, tmp_path_factory.mktemp("race") / "digits", "0147", 60)


@pytest.fixture(scope="module")
def recipe(folder: Path) -> Recipe:
    return Recipe(name="auto").replace(SMALL | {"epochs": 40, "data.dataset": str(folder)})


@pytest.fixture(scope="module")
def data(recipe: Recipe) -> TrainingData:
    return prepare(recipe.data, recipe.image_size, lambda _: None)


def _race(recipe: Recipe, data: TrainingData, candidates: Candidates, observer: Observer | None = None) -> RaceResult:
    return run_race(recipe, candidates, data, BACKEND, observer or Observer())


def test_the_fold_has_training_pictures_only_and_is_stratified(data: TrainingData) -> None:
    fold = fold_of_train(data, seed=0)
    assert len(fold.split.test) == 0
    assert sorted([*fold.split.train, *fold.split.val]) == sorted(data.split.train)
    assert len(fold.split.val) == 54
    assert data.targets[fold.split.val].sum(axis=0).max() <= 15
    assert not np.array_equal(fold.split.val, fold_of_train(data, seed=1).split.val)


@pytest.mark.parametrize("size", [12, 32])
def test_pictures_of_another_size_are_the_same_pictures(data: TrainingData, recipe: Recipe, size: int) -> None:
    fold = fold_of_train(data, seed=0)
    other = resized(fold, recipe.replace({"image_size": size}))
    whole = prepare(recipe.data, size, lambda _: None)
    for subset in ("train", "val"):
        rows = fold.split.rows(subset)
        ours = np.concatenate([batch.images for batch in other.batches(subset)]).astype(int)
        theirs = whole.pictures.images[whole.pictures.stored[rows]].astype(int)
        assert ours.shape == theirs.shape
        # Those that are made of the recipe's images are slightly less sharp; the larger ones are decoded.
        assert np.abs(ours - theirs).mean() < (12 if size < recipe.image_size else 1e-9)


def test_a_file_that_vanishes_before_it_is_decoded_again_is_named(digits: Path, tmp_path: Path, recipe: Recipe) -> None:
    folder = copy_digits(digits, tmp_path / "digits", "01", 12)
    own = recipe.replace({"data.dataset": str(folder)})
    fold = fold_of_train(prepare(own.data, own.image_size, lambda _: None), seed=0)
    file = fold.manifest.pictures[3].path
    file.write_bytes(b"")
    with pytest.raises(DataError, match=rf"{file.name} could be decoded a moment ago, and cannot any more"):
        resized(fold, own.replace({"image_size": 32}))


def test_a_kind_and_a_size_that_are_clearly_better_are_chosen(recipe: Recipe) -> None:
    class Steps(Observer):
        epochs = 0
        last = 0
        ended = False

        def on_start(self, workload: Workload) -> None:
            self.epochs = workload.epochs

        def on_step(self, epoch: int, *_: object) -> None:
            self.last = epoch

        def on_end(self) -> None:
            self.ended = True

    steps = Steps()
    tiny = recipe.replace({"image_size": 8, "model.filters": [8]})
    result = _race(tiny, _sized(tiny), Candidates(KINDS, {20: 0.0}, 0.9), steps)
    kinds, sizes = result.heats
    assert [one.kind for one in kinds.entrants] == ["useless", "useful"]
    assert (result.kind, result.recipe.optimizer.learning_rate) == ("useful", 0.002)
    assert kinds.winner.accuracy > 0.6 > kinds.entrants[0].accuracy
    assert [one.image_size for one in sizes.entrants] == [8, 20]
    assert sizes.entrants[0].correct is kinds.winner.correct
    size = result.recipe.image_size
    assert size == sizes.winner.image_size
    # Half the side is a quarter of the computation, so that a training with `auto` sees four times as many images.
    assert result.recipe == tiny.replace({"image_size": size, "effort": 600 * (8 / size) ** 2})
    assert (steps.last, steps.ended) == (steps.epochs, True)
    measured = result.to_dict()
    assert (measured["kind"], measured["train"], measured["held_out"]) == ("useful", 126, 54)
    assert result.message().startswith(f"recipe: useful, {measured['image_size']}x")
    assert f"accuracy on 54 training pictures held out: useless {kinds.entrants[0].accuracy:.3f}" in result.message()
    again = _race(tiny, _sized(tiny), Candidates(KINDS, {20: 0.0}, 0.9))
    assert [one.correct.tolist() for one in again.heats[0].entrants] == [one.correct.tolist() for one in kinds.entrants]


def _sized(recipe: Recipe) -> TrainingData:
    return prepare(recipe.data, recipe.image_size, lambda _: None)


def test_without_time_or_pictures_there_is_no_race(
    data: TrainingData, recipe: Recipe, digits: Path, tmp_path: Path
) -> None:
    result = _race(recipe.replace({"epochs": 3}), data, Candidates(KINDS, {}, 0.25, short="useful"))
    assert (result.kind, result.recipe.epochs, result.heats) == ("useful", 3, ())
    few = recipe.replace({"data.dataset": str(copy_digits(digits, tmp_path / "few", "01", 40))})
    result = _race(few, _sized(few), Candidates(KINDS, {}, 0.25, short="useful"))
    assert (result.kind, result.recipe, result.heats) == ("useless", USELESS.of(few), ())
    assert result.message() == "recipe: useless, 20x20; not compared with others: too few pictures or epochs"


def test_an_image_size_for_which_the_model_cannot_be_built_ends_the_race(data: TrainingData, recipe: Recipe) -> None:
    result = _race(recipe.replace({"model.stem_kernel": 15}), data, Candidates(KINDS[1:], {12: 0.0}, 0.25))
    assert (result.kind, result.recipe.image_size, result.heats) == ("useful", 20, ())
    assert "StridedNet cannot be built for images of 12x12 pixels" in result.message()


def test_handicaps_hold_only_for_trainings_of_automatic_length(data: TrainingData, recipe: Recipe) -> None:
    hopeless = Candidates((USELESS, Candidate("useful", handicap=1.0)), {}, 0.9)
    assert _race(recipe.replace({"epochs": 20}), data, hopeless).kind == "useful"
    assert _race(recipe.replace({"epochs": "auto", "effort": 140.0}), data, hopeless).kind == "useless"


def _entrant(name: str, correct: int, shift: int = 0, handicap: float = 0.0) -> Entrant:
    """Return an entrant that classified pictures ``shift`` to ``shift + correct`` of 400 correctly."""
    return Entrant(name, 64, 5, 1000, 1.0, np.roll(np.arange(400) < correct, shift), handicap)


def test_the_first_is_kept_unless_another_one_is_ahead_by_more_than_chance_and_its_handicap() -> None:
    first = _entrant("first", 300)
    better = _entrant("better", 316)
    assert (better.lead(first), better.chance(first)) == (pytest.approx(0.04), pytest.approx(0.01))
    assert Heat.judged("kind", [first, better]).winner is better
    assert Heat.judged("kind", [first, _entrant("handicapped", 316, handicap=0.035)]).winner is first
    # As far ahead, but on other pictures: wrong on 50 that the first one knows, and correct on 66 that it does not.
    noisy = _entrant("noisy", 316, shift=50)
    assert noisy.chance(first) == pytest.approx(116**0.5 / 400)
    assert Heat.judged("kind", [first, _entrant("noisy", 308, shift=50)]).winner is first
    best = _entrant("best", 330, handicap=0.03)  # 302 after the handicap of 12 pictures
    assert Heat.judged("kind", [first, best, better]).winner is best
    assert Heat.judged("kind", [first, _entrant("best", 330, handicap=0.06), better]).winner is better


def test_train_writes_what_was_measured_and_a_run_repeats_without_a_race(folder: Path, tmp_path: Path) -> None:
    said: list[str] = []

    class Listener(Observer):
        def on_message(self, text: str) -> None:
            said.append(text)

    settings = {key: value for key, value in SMALL.items() if key != "model.name"} | {"epochs": 20}
    result = stridednet.train(folder, settings=settings, out=tmp_path / "run", observer=Listener())
    found = json.loads((result.run.folder / "race.json").read_text())
    assert found["held_out"] == 54
    (heat,) = found["heats"]
    assert [one["kind"] for one in heat["trainings"]] == ["strong", "gentle"]
    assert sum(text.startswith(f"recipe: {found['kind']}, 20x20") for text in said) == 1
    recipe, _ = load_recipe(result.run.folder / "recipe.toml")
    assert (recipe.name, recipe.epochs) == ("auto", 20)
    again = stridednet.train(folder, result.run.folder / "recipe.toml", out=tmp_path / "again")
    assert not (again.run.folder / "race.json").exists()
    assert [row.val_loss for row in again.history] == [row.val_loss for row in result.history]
