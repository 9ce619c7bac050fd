import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import copy_digits
from stridednet.errors import FigureError, InputError, RecipeError
from stridednet.recipe import Recipe
from stridednet.sweeps.claims import verdict
from stridednet.sweeps.experiment import SweepResult, run_plan, sweep
from stridednet.sweeps.observer import SweepObserver
from stridednet.sweeps.plan import SweepPlan
from stridednet.sweeps.trial import Outcome, Trial, run_trial

SMALL = {
    "epochs": 2,
    "image_size": 20,
    "batch_size": 16,
    "precision": "float32",
    "model.filters": [8, 16],
    "model.dense_units": 32,
    "augmentation.horizontal_flip": False,
}
VARY = ["model.stem_kernel=3,7", "model.downsample=strides,max_pool"]


class Recorder(SweepObserver):
    """Keeps the outcomes."""

    def __init__(self) -> None:
        self.outcomes: list[tuple[Outcome, bool]] = []

    def on_outcome(self, outcome: Outcome, *, restored: bool) -> None:
        self.outcomes.append((outcome, restored))


class Keeping:
    """Runs the trials in this process, and keeps them."""

    def __init__(self) -> None:
        self.trials: list[Trial] = []

    def run(self, trials: Iterable[Trial]) -> Iterator[tuple[Trial, Outcome]]:
        for trial in trials:
            self.trials.append(trial)
            yield trial, run_trial(trial)


@pytest.fixture(scope="module")
def pictures(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_digits(digits, tmp_path_factory.mktemp("sweep") / "pictures", "012", 40)


@pytest.fixture(scope="module")
def kept() -> Keeping:
    return Keeping()


@pytest.fixture(scope="module")
def finished(pictures: Path, kept: Keeping) -> SweepResult:
    out = pictures.with_name("finished")
    return sweep(pictures, VARY, seeds=1, folds=2, settings=SMALL, out=out, runner=kept)


def test_every_variant_has_every_fold_and_its_files(finished: SweepResult) -> None:
    names = [
        "base",
        "model.stem_kernel=3",
        "model.stem_kernel=3, model.downsample=max_pool",
        "model.downsample=max_pool",
    ]
    assert [(outcome.repetition, outcome.fold, outcome.variant) for outcome in finished.outcomes] == [
        (0, fold, name) for fold in (0, 1) for name in names
    ]
    assert sorted(path.name for path in finished.folder.iterdir()) == [
        "accuracy.png", "base.toml", "comparison.csv", "comparison.json", "costs.png", "curves.png", "report.md",
        "trials", "trials.csv",
    ]  # fmt: skip
    for name in ("accuracy", "costs", "curves"):
        with Image.open(finished.folder / f"{name}.png") as picture:
            assert picture.size[0] > 600
            assert np.asarray(picture.convert("L")).std() > 5
    with (finished.folder / "trials.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["accuracy"]) for row in rows] == pytest.approx(
        [outcome.accuracy for outcome in finished.outcomes], abs=1e-5
    )
    content = json.loads((finished.folder / "comparison.json").read_text())
    assert (content["claim"], content["verdicts"], dict(finished.verdicts)) == ("", {}, {})
    assert [row["variant"] for row in content["comparisons"]] == names
    page = (finished.folder / "report.md").read_text()
    assert all(sentence in page for sentence in finished.sentences)
    assert len(finished.sentences) == 3
    assert "## Claim" not in page


def test_a_curve_has_the_epochs_that_were_validated(pictures: Path, tmp_path: Path) -> None:
    settings = SMALL | {"epochs": 3}
    result = sweep(pictures, {"validation_freq": [1, 2]}, seeds=1, folds=2, settings=settings, out=tmp_path / "sweep")
    every, some = (outcome.curve for outcome in result.outcomes[:2])
    assert None not in every
    assert some == (None, *every[1:])
    assert result.outcomes[1].accuracy == some[-1]
    assert (
        sweep(pictures, {"validation_freq": [1, 2]}, seeds=1, folds=2, settings=settings, out=tmp_path / "sweep")
        == result
    )


def test_comparisons_are_paired_by_picture(finished: SweepResult, kept: Keeping) -> None:
    # A picture of the training images is measured once, so that the mean difference is that of the numbers of errors.
    right = {
        variant.variant.name: sum(
            int(outcome.pictures.correct.sum())
            for outcome in finished.outcomes
            if outcome.variant == variant.variant.name and outcome.pictures is not None
        )
        for variant in finished.comparisons
    }
    for comparison in finished.comparisons[1:]:
        found = comparison.difference
        assert found is not None
        assert found.mean == pytest.approx((right[comparison.variant.name] - right["base"]) / 90)
        assert (found.count, found.pictures) == (2, 90)
    rows = [outcome.pictures.rows for outcome in finished.outcomes if outcome.pictures and outcome.variant == "base"]
    split = kept.trials[0].data.split
    assert sorted(np.concatenate(rows)) == sorted([*split.train, *split.val])
    pooled = finished.comparisons[3]
    assert pooled.multiply_add_ratio > 1.5  # unstrided convolutions have four times the outputs
    assert pooled.parameter_ratio == 1


def test_a_fold_shares_its_pictures_and_first_weights(finished: SweepResult, kept: Keeping) -> None:
    from stridednet.models.catalogue import build_model

    assert len(finished.outcomes) == len(kept.trials)
    by_fold = [[trial for trial in kept.trials if trial.fold.number == number] for number in (0, 1)]
    for trials in by_fold:
        assert len({trial.data.hash for trial in trials}) == 1
        assert len({trial.recipe.seed for trial in trials}) == 1
    assert by_fold[0][0].data.hash != by_fold[1][0].data.hash
    assert by_fold[0][0].recipe.seed != by_fold[1][0].recipe.seed
    test = {tuple(trial.data.split.test) for trial in kept.trials}
    assert len(test) == 1
    for trial in kept.trials:  # test stays out
        split = trial.data.split
        assert (len(split.train), len(split.val), len(split.test)) == (45, 45, 30)  # 120 * 0.75 = 90, in two folds
        assert not set(split.test) & (set(split.train) | set(split.val))
    import keras

    def dense_weights(trial: Trial) -> np.ndarray:
        keras.utils.set_random_seed(trial.recipe.seed)
        model = build_model(trial.recipe.model, 20, 3)
        return keras.ops.convert_to_numpy(model.get_layer("probabilities").kernel)

    base, other, _, _ = by_fold[0]
    np.testing.assert_array_equal(dense_weights(base), dense_weights(other))
    assert abs(dense_weights(base) - dense_weights(by_fold[1][0])).max() > 0.01


def test_finished_trials_are_not_repeated_and_new_ones_are_added(finished: SweepResult, pictures: Path) -> None:
    observer, runner = Recorder(), Keeping()
    again = sweep(
        pictures, VARY, seeds=1, folds=2, settings=SMALL, out=finished.folder, observer=observer, runner=runner
    )
    assert not runner.trials
    assert all(restored for _, restored in observer.outcomes)
    assert again.outcomes == finished.outcomes
    more = sweep(pictures, VARY[:1], seeds=2, folds=2, settings=SMALL, out=finished.folder, runner=runner)
    assert [(trial.fold.repetition, trial.recipe.seed) for trial in runner.trials] == [(1, 2), (1, 2), (1, 3), (1, 3)]
    assert len(more.outcomes) == 8


def test_a_trial_of_a_sweep_around_another_base_is_named_anew(finished: SweepResult, pictures: Path) -> None:
    settings, runner = SMALL | {"model.stem_kernel": 3}, Keeping()
    turned = sweep(
        pictures, ["model.stem_kernel=7"], seeds=1, folds=2, settings=settings, out=finished.folder, runner=runner
    )
    assert not runner.trials
    assert [outcome.variant for outcome in turned.outcomes] == 2 * ["base", "model.stem_kernel=7"]
    found, mirrored = turned.comparisons[1].difference, finished.comparisons[1].difference
    assert found is not None
    assert mirrored is not None
    assert found.mean == pytest.approx(-mirrored.mean)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_sweep_that_is_continued_keeps_its_precision(pictures: Path, tmp_path: Path, precision: str) -> None:
    # Which one is faster is measured, and can be another one if the machine is busy.
    (tmp_path / "base.toml").write_text(Recipe().replace({"precision": precision}).to_toml())
    settings, runner = SMALL | {"epochs": 1, "precision": "auto"}, Keeping()
    sweep(pictures, ["model.stem_kernel=3"], seeds=1, folds=2, settings=settings, out=tmp_path, runner=runner)
    assert {trial.recipe.precision for trial in runner.trials} == {precision}


def test_a_plan_is_run_and_its_claim_judged(pictures: Path, tmp_path: Path) -> None:
    plan = SweepPlan(
        claim="Small networks are worse.",
        seeds=1,
        folds=2,
        base=SMALL | {"epochs": 1},
        vary={"model.filters": [[8, 16], [4]], "model.dense_units": [32, 8]},
        expect={"model.filters=[4]": "lower"},
    )
    result = run_plan(plan, pictures, settings={"epochs": 2}, out=tmp_path / "out")
    assert {len(outcome.curve) for outcome in result.outcomes} == {2}
    assert len(result.outcomes) == 2 * 4
    difference = next(row.difference for row in result.comparisons if row.variant.name == "model.filters=[4]")
    assert (result.claim, result.verdicts) == (plan.claim, {"model.filters=[4]": verdict("lower", difference)})
    content = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert (content["claim"], content["expect"], content["verdicts"]) == (plan.claim, plan.expect, result.verdicts)
    page = (tmp_path / "out" / "report.md").read_text()
    judged = f"- model.filters=[4]: accuracy expected to be lower: {result.verdicts['model.filters=[4]']}"
    assert f"## Claim\n\n{plan.claim}\n\n{judged}\n" in page


def test_an_expectation_of_the_base_itself_is_refused(tmp_path: Path) -> None:
    plan = SweepPlan(vary={"image_size": [28, 32]}, expect={"image_size=28": "lower"})
    with pytest.raises(InputError, match=r"'image_size=28' is not a variant .* variants are image_size=32"):
        run_plan(plan, "digits", out=tmp_path / "out")  # digits suggest 28
    assert not (tmp_path / "out").exists()


def test_a_trial_that_fails_is_a_row_that_says_why(pictures: Path, tmp_path: Path) -> None:
    result = sweep(
        pictures,
        ["model.stem_kernel=3,21"],
        seeds=1,
        folds=2,
        settings=SMALL | {"epochs": 1},
        out=tmp_path / "out",
    )
    failed = [outcome for outcome in result.outcomes if outcome.error]
    assert [outcome.variant for outcome in failed] == 2 * ["model.stem_kernel=21"]
    assert "cannot be built" in failed[0].error
    sentence = next(text for text in result.sentences if "21" in text)
    assert "could not be compared: StridedNet cannot be built" in sentence
    assert failed[0].error in (tmp_path / "out" / "report.md").read_text()
    assert len(list((tmp_path / "out" / "trials").iterdir())) == len(result.outcomes) - 2


def test_where_all_fail_there_is_still_a_report(pictures: Path, tmp_path: Path) -> None:
    settings = SMALL | {"epochs": 1, "model.stem_kernel": 23}
    result = sweep(pictures, ["model.stem_kernel=21"], seeds=1, folds=2, settings=settings, out=tmp_path / "out")
    assert all(outcome.error for outcome in result.outcomes)
    assert "Trials that failed" in (tmp_path / "out" / "report.md").read_text()


def test_a_figure_that_cannot_be_drawn_loses_nothing(
    finished: SweepResult, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_fonts(*_: object) -> None:
        raise RuntimeError("no fonts")

    monkeypatch.setattr("stridednet.sweeps.report.draw_costs", no_fonts)
    (finished.folder / "report.md").unlink()
    with pytest.raises(FigureError, match=r"^the sweep .* is finished, but costs\.png is missing: RuntimeError: no f"):
        sweep(pictures, VARY, seeds=1, folds=2, settings=SMALL, out=finished.folder, runner=Keeping())
    assert (finished.folder / "report.md").is_file()


def test_mistakes_are_told_before_anything_is_written(pictures: Path, tmp_path: Path) -> None:
    for vary, error, message in (
        (["model.stem_kernl=3"], RecipeError, "did you mean model.stem_kernel"),
        (["model.name=stridednet,vggg"], RecipeError, "choose vgg"),
        (["epochs=0"], RecipeError, "greater than or equal to 1"),
        ([], InputError, "needs at least one axis"),
    ):
        with pytest.raises(error, match=message):
            sweep(pictures, vary, out=tmp_path / "out")
    with pytest.raises(InputError, match="seeds must be at least 1"):
        sweep(pictures, VARY, seeds=0, out=tmp_path / "out")
    with pytest.raises(InputError, match="folds must be at least 2"):
        sweep(pictures, VARY, folds=1, out=tmp_path / "out")
    with pytest.raises(InputError, match="budget must be a positive number"):
        sweep(pictures, VARY, budget=0.0, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_trial_of_a_model_that_was_edited_is_another_trial(
    kept: Keeping, finished: SweepResult, tmp_path: Path
) -> None:
    assert finished.outcomes
    own = tmp_path / "own.py"
    recipe = kept.trials[0].recipe.replace({"model.name": f"{own}:build"})
    trial = replace(kept.trials[0], recipe=recipe)
    keys = set()
    for text in ("first = 1", "second = 2", "first = 1"):
        own.write_text(text)
        keys.add(trial.key)
    assert len(keys) == 2
