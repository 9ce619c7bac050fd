"""Sweeps that stop by themselves: what they train, and that an interruption changes nothing."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest

from conftest import copy_digits
from stridednet.sweeps.budget import Budget
from stridednet.sweeps.experiment import SweepResult, sweep
from stridednet.sweeps.observer import SweepObserver
from stridednet.sweeps.picture_results import PictureResults
from stridednet.sweeps.trial import Outcome, Trial

SETTINGS = {"epochs": 1, "image_size": 20, "precision": "float32", "model.filters": [8], "model.dense_units": 8}
VARY = {"model.stem_kernel": [3, 5], "model.use_bias": [False]}
# The share of wrong answers beside the base's, which are one in ten.
WORSE = {"base": 0.0, "model.stem_kernel=3": 0.2, "model.stem_kernel=5": 0.0, "model.use_bias=false": 0.004}


class Given:
    """Gives trials outcomes with known effects instead of training, and can be interrupted."""

    def __init__(self, interrupted_after: int | None = None) -> None:
        self.trials: list[Trial] = []
        self._left = interrupted_after

    def run(self, trials: Iterable[Trial]) -> Iterator[tuple[Trial, Outcome]]:
        for trial in trials:
            if self._left is not None and len(self.trials) == self._left:
                raise KeyboardInterrupt
            self.trials.append(trial)
            yield trial, _outcome(trial)


def _outcome(trial: Trial) -> Outcome:
    rows = np.sort(trial.data.split.val)
    drawn = np.random.default_rng([trial.fold.repetition, trial.fold.number]).random(len(rows))
    correct = (drawn > 0.1) & (drawn < 1 - WORSE[trial.variant.name])
    results = PictureResults(rows.astype(np.int32), correct, np.where(correct, 0.1, 2.0).astype(np.float16))
    place = (trial.variant.name, trial.fold.repetition, trial.fold.number)
    return Outcome(*place, accuracy=float(correct.mean()), elapsed=1.0, pictures=results)


class Lines(SweepObserver):
    """Keeps the messages."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def on_message(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture(scope="module")
def pictures(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_digits(digits, tmp_path_factory.mktemp("schedule") / "pictures", "0123456789", 100)


def run(pictures: Path, out: Path, runner: Given, observer: SweepObserver | None = None) -> SweepResult:
    return sweep(
        pictures, VARY, one_at_a_time=True, folds=2, until="decided", settings=SETTINGS, out=out, runner=runner,
        observer=observer,
    )  # fmt: skip


def test_what_is_decided_takes_no_part_in_further_repetitions(pictures: Path, tmp_path: Path) -> None:
    runner, observer = Given(), Lines()
    result = run(pictures, tmp_path / "sweep", runner, observer)
    effects = {comparison.variant.name: comparison.effect for comparison in result.comparisons[1:]}
    assert effects["model.stem_kernel=3"] == "lower"
    assert effects["model.stem_kernel=5"] == "same"
    trained = {name: sum(trial.variant.name == name for trial in runner.trials) for name in WORSE}
    assert trained["model.stem_kernel=3"] == trained["model.stem_kernel=5"] == 2 * 2  # the first look is after two
    assert trained["base"] >= trained["model.use_bias=false"] >= 4
    assert "model.stem_kernel=3: lower; 4 trials" in observer.lines
    assert "model.stem_kernel=5: same within 1 point; 4 trials" in observer.lines


def test_an_interrupted_sweep_that_is_continued_decides_the_same(pictures: Path, tmp_path: Path) -> None:
    whole = run(pictures, tmp_path / "whole", Given())
    for number in (3, 11):
        with pytest.raises(KeyboardInterrupt):
            run(pictures, tmp_path / "parts", Given(number))
    continued = run(pictures, tmp_path / "parts", Given())
    assert continued.comparisons == whole.comparisons
    assert continued.outcomes == whole.outcomes


def test_where_only_more_pictures_would_decide_the_sweep_ends(digits: Path, tmp_path: Path) -> None:
    few = copy_digits(digits, tmp_path / "few", "0123456789", 10)  # 75 to train on and measure
    runner, observer = Given(), Lines()
    run(few, tmp_path / "sweep", runner, observer)
    assert "model.use_bias=false: further repetitions would not decide; 4 trials" in observer.lines
    assert max(trial.fold.repetition for trial in runner.trials) == 1


def test_a_variant_that_cannot_be_trained_does_not_fail_again_and_again(pictures: Path, tmp_path: Path) -> None:
    result = sweep(
        pictures, {"model.stem_kernel": [21]}, folds=2, until="decided", settings=SETTINGS, out=tmp_path / "sweep"
    )
    assert [outcome.variant for outcome in result.outcomes if outcome.error] == 4 * ["model.stem_kernel=21"]


def test_a_budget_lets_through_what_ends_in_time(pictures: Path, tmp_path: Path) -> None:
    clock = Budget(100.0, jobs=1)
    trial = _trial(pictures, tmp_path)
    assert len(list(clock.affordable([trial]))) == 1  # nothing is known about its time yet
    clock.count(Outcome("base", 0, 0, elapsed=30.0), restored=True)
    clock.count(Outcome("base", 0, 1, elapsed=50.0), restored=True)
    # 80 of 100 seconds are spent by an earlier call, and a trial takes 40.
    assert list(clock.affordable([trial])) == []
    assert clock.over
    # 100 seconds, two variants of 40 seconds, two folds.
    assert clock.repetitions(["base", "another"], 2) == pytest.approx(100 / 160)


def _trial(pictures: Path, folder: Path) -> Trial:
    runner = Given(1)
    with pytest.raises(KeyboardInterrupt):
        run(pictures, folder / "sweep", runner)
    return runner.trials[0]


def test_a_sweep_with_a_budget_says_what_it_can_resolve(pictures: Path, tmp_path: Path) -> None:
    observer = Lines()
    sweep(
        pictures, VARY, one_at_a_time=True, folds=2, budget=33.0, settings=SETTINGS, out=tmp_path / "sweep",
        runner=Given(), observer=observer,
    )  # fmt: skip
    # Each trial says that it took a second; the clock says that none did.
    assert any(line.startswith("the budget is enough for about 4 repetitions, which can") for line in observer.lines)
