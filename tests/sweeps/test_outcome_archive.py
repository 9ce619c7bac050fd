"""`benchmarks/outcome_archive.py` and what makes measured.toml from it, with tiny real sweeps."""

import dataclasses
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import PROJECT
from stridednet.errors import InputError
from stridednet.sweeps.plan import SweepPlan

sys.path.insert(0, str(PROJECT / "benchmarks"))  # programs, not a package

from loss_codes import decoded, encoded
from measure_claims import DataSet, measure
from measured_file import claim_of, ratio
from outcome_archive import Archive, Machine

TINY = {"epochs": 1, "data.train_per_class": 8, "model.filters": [8], "model.dense_units": 16}
VARIANT = "model.downsample=strides"


def _digits(**more: Any) -> DataSet:
    return DataSet("four classes", "digits", TINY | more, ("strides",))


def _measure(folder: Path, data: DataSet | None = None, *, seeds: int = 1, sweep: str = "a", **more: Any) -> Archive:
    return measure(
        "strides", data or _digits(), folder=folder / sweep, archives=folder / "archives", seeds=seeds, folds=2, **more
    )


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Archive]:
    folder = tmp_path_factory.mktemp("measured")
    return folder, _measure(folder)


@pytest.fixture
def archives(once: tuple[Path, Archive], tmp_path: Path) -> Path:
    """Return a folder with a copy of the archive."""
    (tmp_path / "archives" / "four").mkdir(parents=True)
    content = (once[0] / "archives" / "four" / "strides.jsonl.xz").read_bytes()
    (tmp_path / "archives" / "four" / "strides.jsonl.xz").write_bytes(content)
    return tmp_path


def test_an_archive_holds_every_outcome(once: tuple[Path, Archive]) -> None:
    folder, archive = once
    path = folder / "archives" / "four" / "strides.jsonl.xz"
    places = [one.place for one in archive.outcomes]
    assert places == [("base", 0, 0), ("base", 0, 1), (VARIANT, 0, 0), (VARIANT, 0, 1)]
    assert Archive.read(path) == archive
    assert path.stat().st_size < 4000
    before = path.read_bytes()
    archive.write(path)
    assert path.read_bytes() == before


def test_finished_repetitions_are_not_trained_again(archives: Path) -> None:
    before = Archive.read(archives / "archives" / "four" / "strides.jsonl.xz")
    after = _measure(archives, seeds=2, sweep="elsewhere")  # another folder, which has no trials
    assert len(after.outcomes) == 8
    kept = [one for one in after.outcomes if one.outcome.repetition == 0]
    assert kept == list(before.outcomes)  # times included, which another training would change
    assert after.header.sequential  # whoever added the second repetition knew the first one
    assert not before.header.sequential


def test_outcomes_can_be_collected_from_a_sweeps_folder(once: tuple[Path, Archive], tmp_path: Path) -> None:
    folder, archive = once
    collected = measure(
        "strides",
        _digits(),
        folder=folder / "a",
        archives=tmp_path / "archives",
        seeds=1,
        folds=2,
        collect=True,
    )
    assert collected == archive


@pytest.mark.parametrize(
    ("changed", "what"), [({"optimizer.learning_rate": 0.1}, "recipes or code"), ({"data.split_seed": 1}, "recipes")]
)
def test_outcomes_of_another_sweep_are_not_mixed(archives: Path, changed: dict[str, Any], what: str) -> None:
    with pytest.raises(InputError, match=rf"strides.jsonl.xz was measured with other {what}") as caught:
        _measure(archives, _digits(**changed))
    assert "\n" not in str(caught.value)


def test_rounded_losses_are_close_and_stay_what_they_are() -> None:
    losses = np.geomspace(0.0011, 16.1, 500).astype(np.float16)
    rounded = decoded(encoded(losses))
    assert np.abs(np.log(rounded.astype(float) / losses.astype(float))).max() < 0.055
    assert encoded(rounded) == encoded(losses)
    assert decoded(encoded(np.array([0.0, 1e-4], np.float16))).tolist() == [0.0, 0.0]


def test_what_is_not_an_archive_is_an_error_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "strides.jsonl.xz"
    file.write_bytes(b"no archive")
    with pytest.raises(InputError, match="is not an archive of outcomes"):
        Archive.read(file)


def test_times_are_compared_within_a_machine_only(once: tuple[Path, Archive]) -> None:
    _, archive = once
    times = {("base", 0): 1.0, (VARIANT, 0): 3.0, ("base", 1): 10.0, (VARIANT, 1): 100.0}
    timed = [
        dataclasses.replace(
            one, outcome=dataclasses.replace(one.outcome, seconds=times[one.outcome.variant, one.outcome.fold])
        )
        for one in archive.outcomes
    ]
    one_machine = dataclasses.replace(archive, outcomes=tuple(timed))
    assert ratio(one_machine, VARIANT, lambda outcome: outcome.seconds) == 6.5  # the median of 3 and 10
    # The second fold of the variant was trained on another machine than that of the base.
    moved = [dataclasses.replace(one, machine=1) if one.place == (VARIANT, 0, 1) else one for one in timed]
    two = dataclasses.replace(archive, machines=(*archive.machines, Machine("b", "2026-12-01")), outcomes=tuple(moved))
    assert ratio(two, VARIANT, lambda outcome: outcome.seconds) == 3.0


def test_times_that_were_measured_in_turn_replace_those_of_the_trials(archives: Path) -> None:
    archive = _measure(archives, rounds=2)
    assert len(archive.outcomes) == 4
    (times,) = archive.times
    assert (times.variant, times.rounds) == (VARIANT, 2)
    assert times.training > 0
    (sweep,) = claim_of("strides", SweepPlan.read("strides"), archives / "archives").sweeps
    assert (sweep.measurements[0].time_ratio, sweep.measurements[0].predict_ratio) == (times.training, times.prediction)


def test_measured_numbers_are_those_of_the_outcomes(once: tuple[Path, Archive]) -> None:
    folder, archive = once
    claim = claim_of("strides", SweepPlan.read("strides"), folder / "archives")
    (sweep,) = claim.sweeps
    (row,) = sweep.measurements
    accuracies = {
        name: [one.outcome.accuracy for one in archive.outcomes if one.outcome.variant == name]
        for name in ("base", VARIANT)
    }
    pictures = [one.outcome.val_images for one in archive.outcomes if one.outcome.variant == VARIANT]
    total = sum(pictures)
    difference = sum(
        (own - base) * count / total
        for own, base, count in zip(accuracies[VARIANT], accuracies["base"], pictures, strict=True)
    )
    assert row.difference == pytest.approx(difference, abs=1e-5)
    assert (row.pictures, row.trials, row.data, row.expected) == (total, 2, "four classes", "not lower")
    assert sweep.base_accuracy == pytest.approx(sum(accuracies["base"]) / 2, abs=1e-4)
    assert claim_of("bias", SweepPlan.read("bias"), folder / "archives").sweeps == ()
