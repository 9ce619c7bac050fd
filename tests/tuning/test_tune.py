import json
import shutil
import time
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from conftest import Command, copy_digits
from stridednet.errors import DataError, InputError, RunError
from stridednet.recipe import Recipe
from stridednet.run import Run
from stridednet.sweeps.trial import Outcome
from stridednet.tuning.observer import TuneObserver
from stridednet.tuning.result import TuneResult
from stridednet.tuning.tune import tune
from warm import CAN_FORK, STRIDEDNET, start_warm

SMALL: dict[str, Any] = {
    "epochs": 4,
    "image_size": 16,
    "batch_size": 16,
    "precision": "float32",
    "model.name": "stridednet",
    "model.stem_filters": 4,
    "model.filters": [8],
    "model.dense_units": 16,
    "model.stem_whitening": False,
    "augmentation.trivial_augment": False,
    "augmentation.rotation_range": 5.0,
    "mixing.mixup": 0.0,
    "resize": "squash",
    "label_smoothing": 0.0,
    "model.dense_dropout": 0.1,
    "model.kernel_size": 3,
}
HOUR = 3600.0


class Recorder(TuneObserver):
    """Keeps what happens; ``stop`` interrupts after so many trainings."""

    def __init__(self, stop: int | None = None) -> None:
        self.messages: list[str] = []
        self.rounds: list[tuple[str, int]] = []
        self.outcomes: list[tuple[Outcome, bool]] = []
        self._stop = stop

    def on_message(self, text: str) -> None:
        self.messages.append(text)

    def on_round(self, title: str, trials: int) -> None:
        self.rounds.append((title, trials))

    def on_outcome(self, outcome: Outcome, *, restored: bool) -> None:
        self.outcomes.append((outcome, restored))
        if len(self.outcomes) == self._stop:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def pictures(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_digits(digits, tmp_path_factory.mktemp("tune") / "pictures", "012", 40)


@pytest.fixture(scope="module")
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture(scope="module")
def finished(pictures: Path, recorder: Recorder) -> TuneResult:
    return tune(pictures, budget=HOUR, settings=SMALL, out=pictures.with_name("tuning"), observer=recorder)


def content(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "tune.json").read_text())
    return found


def test_a_tuning_writes_its_files(finished: TuneResult) -> None:
    names = {path.name for path in finished.folder.iterdir()}
    expected = {"default", "gain.png", "progress.json", "recipe.toml", "report.md", "screening.png", "trials"}
    assert names - {"tuned"} == {*expected, "tune.json"}
    for name in ("screening", "gain"):
        with Image.open(finished.folder / f"{name}.png") as picture:
            assert np.asarray(picture.convert("L")).std() > 5
    found = content(finished.folder)
    assert found["sentence"] == finished.sentence
    assert f"{finished.sentence}." in (finished.folder / "report.md").read_text()
    assert Recipe(**tomllib.loads((finished.folder / "recipe.toml").read_text())) == finished.recipe
    unsized = {"epochs": 4, "validation_freq": "auto"}
    assert Run.open(finished.folder / "default").recipe.replace(unsized) == finished.base
    candidates = {one["name"]: one for one in found["candidates"]}
    assert next(iter(candidates)) == "base"
    assert all(one["rounds"] for one in candidates.values())
    assert {one.name for one in finished.tried} <= candidates.keys()


def test_the_screening_narrows_down(finished: TuneResult, recorder: Recorder) -> None:
    first = finished.screened.rounds[0]
    assert len(first.scores) + len(first.failures) == len(finished.tried) + 1
    assert first.epochs == 4  # an hour is enough for whole trainings
    titles = [title for title, _ in recorder.rounds]
    assert titles[:3] == ["pilot", "pilot", f"round 1: {len(finished.tried)} changes, 4 epochs"]
    assert any(message.startswith("budget 60 min: ") for message in recorder.messages)


def test_the_winner_is_measured_again_on_pictures_that_did_not_choose_it(recorder: Recorder) -> None:
    def rows(folds: set[int]) -> set[int]:
        return {
            int(row)
            for outcome, _ in recorder.outcomes
            if outcome.fold in folds and outcome.pictures is not None
            for row in outcome.pictures.rows
        }

    assert not rows({0, 1}) & rows({2, 3})
    test = {int(row) for row in rows({0, 1, 2, 3})}
    assert len(test) <= 90  # 120 pictures, of which 30 are for test


def test_fixed_settings_stay_in_all_candidates(finished: TuneResult) -> None:
    tried = {key for one in finished.tried for key, _ in one.settings}
    assert tried
    assert not tried & SMALL.keys()
    assert finished.recipe.value_of("model.filters") == (8,)


def test_nothing_is_repeated(finished: TuneResult, pictures: Path) -> None:
    observer = Recorder()
    again = tune(pictures, budget=HOUR, settings=SMALL, out=finished.folder, observer=observer)
    assert all(restored for _, restored in observer.outcomes)
    assert (again.sentence, again.screened, again.confirmed) == (
        finished.sentence,
        finished.screened,
        finished.confirmed,
    )


@pytest.mark.parametrize("stop", [1, 9, 20])
def test_an_interrupted_tuning_continues(finished: TuneResult, pictures: Path, tmp_path: Path, stop: int) -> None:
    out = tmp_path / "tuning"
    with pytest.raises(KeyboardInterrupt):
        tune(pictures, budget=HOUR, settings=SMALL, out=out, observer=Recorder(stop))
    assert not (out / "tune.json").exists()
    if stop == 20:  # also without what was finished before; the same trainings give the same numbers
        shutil.copytree(finished.folder / "trials", out / "trials", dirs_exist_ok=True)
    observer = Recorder()
    result = tune(pictures, budget=HOUR, settings=SMALL, out=out, observer=observer)
    assert sum(restored for _, restored in observer.outcomes) >= stop
    assert result.sentence == finished.sentence

    def without_times(found: TuneResult) -> list[list[tuple[str, float, float]]]:
        return [[(one.name, one.accuracy, one.loss) for one in each.scores] for each in found.screened.rounds]

    assert without_times(result) == without_times(finished)


@pytest.mark.skipif(not CAN_FORK, reason="needs forked processes and their signals")
def test_a_killed_command_continues_in_the_middle_of_the_final_training(
    warm_command: Command, finished: TuneResult, pictures: Path, tmp_path: Path
) -> None:
    out, output = tmp_path / "tuning", tmp_path / "output"
    arguments = ["tune", pictures, "--budget", "1h", *_options(), "--out", out]
    shutil.copytree(finished.folder / "trials", out / "trials")
    shutil.copy(finished.folder / "progress.json", out)
    process = start_warm(STRIDEDNET, arguments, tmp_path, output, output)
    while not (out / "default" / "recipe.toml").is_file() and process.is_alive():
        time.sleep(0.01)
    process.kill()
    process.join()
    assert not (out / "tune.json").exists()
    done = warm_command(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"\n{finished.sentence}\n" in done.stdout


def test_a_change_that_is_certainly_better_is_adopted(tmp_path: Path) -> None:
    # Pictures that are bright on the left or on the right: whoever learns from mirrored ones cannot tell them apart.
    random = np.random.default_rng(0)
    for label in ("left", "right"):
        (tmp_path / "pictures" / label).mkdir(parents=True)
        for number in range(60):
            image = random.integers(0, 100, (16, 16, 3))
            image[:, slice(0, 8) if label == "left" else slice(8, 16)] += 100
            Image.fromarray(image.astype(np.uint8)).save(tmp_path / "pictures" / label / f"{number}.png")
    out = tmp_path / "tuning"
    result = tune(tmp_path / "pictures", budget=HOUR, settings=SMALL, out=out)
    found = content(out)
    assert found["adopted"]
    assert found["changes"]["augmentation.horizontal_flip"] is False
    assert result.tuned_run is not None
    assert result.test is not None
    assert result.tuned_run.recipe.augmentation.horizontal_flip is False
    assert result.default_run.recipe.augmentation.horizontal_flip is True
    # On test, the comparison is that of what the two runs say.
    assert result.test.pictures == 30
    accuracies = [run.report["report"]["accuracy"] for run in (result.tuned_run, result.default_run)]
    assert result.test.difference == pytest.approx(accuracies[0] - accuracies[1])
    assert result.test.difference > 0.2
    promise = found["confirmation"]["promised"]
    assert promise[1] < result.test.difference < promise[2]
    assert "augmentation.horizontal_flip: false instead of true" in result.sentence
    assert f"On 30 test pictures: accuracy {accuracies[0]:.3f} instead of {accuracies[1]:.3f}" in result.sentence


def test_too_small_a_budget_says_which_one_is_enough(pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"budget: 1 s is too short .* (s|min) are enough, or set a lower effort"):
        tune(pictures, budget=1, settings=SMALL, out=tmp_path / "tuning")
    assert not (tmp_path / "tuning" / "default").exists()
    # With a larger budget, the folder can be used, and the pilot is not repeated.
    observer = Recorder(3)
    with pytest.raises(KeyboardInterrupt):
        tune(pictures, budget=HOUR, settings=SMALL, out=tmp_path / "tuning", observer=observer)
    assert [restored for _, restored in observer.outcomes] == [True, True, False]


def test_a_folder_with_another_tuning_is_refused(finished: TuneResult, pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has a tuning with another budget"):
        tune(pictures, budget=HOUR + 1, settings=SMALL, out=finished.folder)
    (tmp_path / "some.txt").write_text("mine")
    with pytest.raises(InputError, match="is not empty; name a new folder"):
        tune(pictures, budget=HOUR, settings=SMALL, out=tmp_path)


def test_changed_pictures_are_noticed(digits: Path, tmp_path: Path) -> None:
    pictures = copy_digits(digits, tmp_path / "pictures", "012", 12)
    with pytest.raises(KeyboardInterrupt):
        tune(pictures, budget=HOUR, settings=SMALL, out=tmp_path / "tuning", observer=Recorder(1))
    next((pictures / "0").iterdir()).unlink()
    with pytest.raises(RunError, match="has changed since the tuning"):
        tune(pictures, budget=HOUR, settings=SMALL, out=tmp_path / "tuning")


def test_too_few_pictures_are_one_line(digits: Path, tmp_path: Path) -> None:
    pictures = copy_digits(digits, tmp_path / "pictures", "012", 4)
    with pytest.raises(DataError, match="no class has 4 training pictures"):
        tune(pictures, budget=HOUR, settings=SMALL, out=tmp_path / "tuning")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--budget", "soon"], "a duration is written as 90s, 20m or 1.5h. Received: 'soon'"),
        (["--set", "model.stem_kernl=3"], "unknown setting 'model.stem_kernl'; did you mean model.stem_kernel"),
        (["--jobs", "1000"], "jobs must be between 1 and"),
        (["--labels", "7,8"], "has no class"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(
    warm_command: Command, pictures: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    done = warm_command("tune", pictures, *arguments)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert message in done.stderr
    assert not [path for path in (tmp_path / "runs").rglob("*") if path.is_file()]


def test_the_command_says_what_it_found(warm_command: Command, finished: TuneResult, pictures: Path) -> None:
    settings = _options()
    done = warm_command("tune", pictures, "--budget", "1h", *settings, "--out", finished.folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"\n{finished.sentence}\n" in done.stdout
    as_json = warm_command("tune", pictures, "--budget", "1h", *settings, "--out", finished.folder, "--json")
    assert json.loads(as_json.stdout)["sentence"] == finished.sentence


def _options() -> list[str]:
    return [part for key, value in SMALL.items() for part in ("--set", f"{key}={_toml(value)}")]


def _toml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
