"""Outcomes of a sweep in one compressed file that is kept in the repository, so that repetitions can be added later.

The first line says what was swept, and on which machines; each other line is an outcome, with what it measured on each
picture (`stridednet.sweeps.trial.Outcome.to_json`), and the number of its machine. To keep the file small, log losses
are rounded (`loss_codes`), and other numbers to five digits.
"""

import base64
import dataclasses
import hashlib
import json
import lzma
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from claim_times import Times
from loss_codes import decoded, encoded
from stridednet.data.fold_assignment import Fold
from stridednet.data.prepare import TrainingData
from stridednet.errors import InputError
from stridednet.models.own_model import source_of
from stridednet.recipe import Recipe, flat
from stridednet.settings import plain
from stridednet.storage import written_whole
from stridednet.sweeps.axes import Variant
from stridednet.sweeps.design import SweepDesign
from stridednet.sweeps.folds import Folds
from stridednet.sweeps.own_models import short
from stridednet.sweeps.picture_results import PictureResults
from stridednet.sweeps.schedule import Schedule
from stridednet.sweeps.trial import Outcome, Trial
from stridednet.sweeps.trial_store import TrialStore

Place = tuple[str, int, int]  # variant, repetition, fold

_NO_LOSSES = base64.b64encode(zlib.compress(b"")).decode("ascii")


@dataclass(frozen=True)
class Header:
    """What a sweep depends on, apart from the machine: accuracies of several machines can be mixed.

    Attributes:
        plan: Name of the built-in plan.
        data: Name of the data set.
        recipe: Hash of the variants' recipes, and of the code that they name.
        pictures: Hash of the pictures and their folds.
        variants: The settings of each variant, the base first.
        folds: Number of folds.
        sequential: Whether outcomes decided which repetitions followed, so that intervals have to allow for it.
    """

    plan: str
    data: str
    recipe: str
    pictures: str
    variants: tuple[Variant, ...]
    folds: int
    sequential: bool


@dataclass(frozen=True)
class Machine:
    """Where outcomes come from, and on which day the last one was added."""

    name: str
    date: str


@dataclass(frozen=True)
class Archived:
    """An outcome, and the machine that measured it. Times of different machines are not compared."""

    outcome: Outcome
    machine: int

    @property
    def place(self) -> Place:
        """What the outcome is about."""
        return place_of(self.outcome)


@dataclass(frozen=True)
class Archive:
    """The outcomes of a sweep, ordered by variant, repetition and fold; and its variants' times, if they were measured.

    Without `times`, they follow from the outcomes.
    """

    header: Header
    machines: tuple[Machine, ...]
    outcomes: tuple[Archived, ...]
    times: tuple[Times, ...] = ()

    def with_outcomes(self, header: Header, outcomes: Iterable[Outcome], machine: Machine) -> "Archive":
        """Return an archive that has further outcomes as well; those that it has keep their machine.

        Whoever adds repetitions has seen the results of the earlier ones, so the archive becomes sequential.
        """
        known = {one.place: one for one in self.outcomes}
        names_of_variants = {variant.name for variant in header.variants}
        usable = [outcome for outcome in outcomes if not outcome.error and outcome.variant in names_of_variants]
        new = [outcome for outcome in usable if place_of(outcome) not in known]
        if not new:
            return self
        names = [one.name for one in self.machines]
        number = names.index(machine.name) if machine.name in names else len(names)
        machines = (*self.machines[:number], machine, *self.machines[number + 1 :])
        repetitions = {one.outcome.repetition for one in self.outcomes}
        later = bool(repetitions) and any(outcome.repetition not in repetitions for outcome in new)
        header = dataclasses.replace(header, sequential=header.sequential or self.header.sequential or later)
        return Archive(
            header, machines, _ordered(header, [*known.values(), *(Archived(_short(one), number) for one in new)])
        )

    def write(self, path: Path) -> None:
        """Write the archive, in a form that depends on its content only."""
        fields = dataclasses.asdict(self.header)
        fields["variants"] = [[[key, _portable(value)] for key, value in one.settings] for one in self.header.variants]
        fields["machines"] = [dataclasses.asdict(machine) for machine in self.machines]
        fields["times"] = [dataclasses.asdict(one) for one in self.times]
        lines = [json.dumps(fields)]
        lines += map(_line, self.outcomes)
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as beside:
            beside.write_bytes(lzma.compress("".join(f"{line}\n" for line in lines).encode(), preset=9))

    @classmethod
    def read(cls, path: Path) -> "Archive":
        """Read the file that `write` writes.

        Raises:
            InputError: It is something else.
        """
        try:
            first, *lines = lzma.decompress(path.read_bytes()).decode().splitlines()
            fields = json.loads(first)
            machines = tuple(Machine(**machine) for machine in fields.pop("machines"))
            times = tuple(Times(**one) for one in fields.pop("times"))
            variants = tuple(Variant(tuple((key, value) for key, value in one)) for one in fields.pop("variants"))
            return cls(Header(**fields, variants=variants), machines, tuple(map(_archived, lines)), times)
        except (lzma.LZMAError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path} is not an archive of outcomes: {error}") from None


class RememberedFolds(Folds):
    """Folds that are divided once: plans and variants ask for the same ones again and again."""

    def __init__(self) -> None:
        super().__init__(_silent)
        self._divided: dict[tuple[Any, ...], TrainingData] = {}

    def of(self, recipe: Recipe, fold: Fold) -> TrainingData:
        place = (recipe.data, recipe.image_size, recipe.resize, recipe.source_size, fold)
        if place not in self._divided:
            self._divided[place] = super().of(recipe, fold)
        return self._divided[place]


def empty(header: Header) -> Archive:
    """Return an archive without outcomes."""
    return Archive(header, (), ())


def header_of(plan: str, data: str, design: SweepDesign, folds: Folds) -> Header:
    """Return the header of a sweep; it is the same wherever the data set and the package are stored."""
    parts = []
    for variant in design.variants:
        settings = flat(variant.recipe(design.base).model_dump())
        name = settings["model.name"]
        # Precisions differ between machines as well; what they do to accuracy is part of the variance of trainings.
        portable = settings | {"data.dataset": "", "precision": "", "model.name": short(name)}
        parts.append(json.dumps([portable, source_of(name)], sort_keys=True))
    recipe = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    pictures = folds.of(design.base, Fold(0, 0, design.folds)).hash[:16]
    variants = tuple(Variant(tuple((key, _portable(value)) for key, value in one.settings)) for one in design.variants)
    return Header(plan, data, recipe, pictures, variants, design.folds, design.sequential)


def check_same_sweep(archive: Archive, header: Header, path: Path) -> None:
    """Check that an archive's outcomes can be mixed with those of a sweep.

    Raises:
        InputError: They were measured with other recipes, other code, or other pictures.
    """
    old = archive.header
    for name, what in (("recipe", "recipes or code"), ("pictures", "pictures"), ("folds", "folds")):
        if getattr(old, name) != getattr(header, name):
            raise InputError(
                f"{path} was measured with other {what} than this sweep ({getattr(old, name)} instead of "
                f"{getattr(header, name)}); remove it to start again"
            )


def restore(archive: Archive, design: SweepDesign, folds: Folds, folder: Path) -> None:
    """Store the outcomes in a sweep's folder, so that the sweep does not repeat their trials."""
    if not archive.outcomes:
        return
    repetitions = 1 + max(one.outcome.repetition for one in archive.outcomes)
    every = dataclasses.replace(design, seeds=repetitions, until=None, budget=None)
    found = {one.place: one.outcome for one in archive.outcomes}
    store = TrialStore(folder)
    for trials in Schedule(every, folds, _silent).rounds():
        wanted = (trial for trial in trials if _place(trial) in found and store.restored(trial) is None)
        for _ in store.run(wanted, _FromArchive(found)):
            pass


def outcomes_in(folder: Path, design: SweepDesign, folds: Folds, package: Path | None = None) -> list[Outcome]:
    """Return the outcomes of a sweep that are in its folder; those of other sweeps may be there too.

    Args:
        folder: The sweep's folder.
        design: The sweep, with the greatest number of repetitions to look for.
        folds: The data of its trials.
        package: The folder of the package that trained them, if it was another copy; models in a plan's folder are
            named by their path.
    """
    store = TrialStore(folder)
    every = dataclasses.replace(design, until=None, budget=None)
    trials = (trial for each in Schedule(every, folds, _silent).rounds() for trial in each)
    found = (store.restored(_trained_with(trial, package)) for trial in trials)
    return [outcome for outcome in found if outcome is not None]


def _trained_with(trial: Trial, package: Path | None) -> Trial:
    name = trial.recipe.model.name
    if package is None or not source_of(name):
        return trial
    other = f"{package / 'sweeps' / 'plans' / short(name)}"
    if source_of(other) != source_of(name):
        raise InputError(f"{other} has other code than {name}")
    return dataclasses.replace(trial, recipe=trial.recipe.replace({"model.name": other}))


class _FromArchive:
    """A runner that looks trials up."""

    def __init__(self, found: Mapping[Place, Outcome]) -> None:
        self._found = found

    def run(self, trials: Iterable[Trial]) -> Iterator[tuple[Trial, Outcome]]:
        for trial in trials:
            yield trial, self._found[_place(trial)]


def place_of(outcome: Outcome) -> Place:
    """Return what an outcome is about."""
    return outcome.variant, outcome.repetition, outcome.fold


def _place(trial: Trial) -> Place:
    return trial.variant.name, trial.fold.repetition, trial.fold.number


def _ordered(header: Header, outcomes: Sequence[Archived]) -> tuple[Archived, ...]:
    # Outcomes of a variant side by side are alike, and compress better.
    names = [variant.name for variant in header.variants]
    return tuple(sorted(outcomes, key=lambda one: (names.index(one.place[0]), *one.place[1:])))


def _short(outcome: Outcome) -> Outcome:
    """Return an outcome with the precision that the archive keeps."""
    pictures = outcome.pictures
    return dataclasses.replace(
        outcome,
        accuracy=round(outcome.accuracy, 5),
        loss=round(outcome.loss, 5),
        curve=tuple(None if value is None else round(value, 5) for value in outcome.curve),
        pictures=pictures and dataclasses.replace(pictures, losses=decoded(encoded(pictures.losses))),
    )


def _line(one: Archived) -> str:
    fields = json.loads(one.outcome.to_json())
    if one.outcome.pictures is not None:
        # The rows of a fold are the same text for all variants, and are compressed well.
        rows, correct, _ = fields.pop("pictures").split(" ")
        fields |= {"rows": rows, "correct": correct, "losses": encoded(one.outcome.pictures.losses)}
    return json.dumps({"machine": one.machine, **fields})


def _archived(line: str) -> Archived:
    fields = json.loads(line)
    machine, rows, correct, losses = (fields.pop(name) for name in ("machine", "rows", "correct", "losses"))
    # The losses of this text are replaced.
    known = PictureResults.from_text(f"{rows} {correct} {_NO_LOSSES}")
    outcome = Outcome.from_json(json.dumps({**fields, "pictures": None}))
    return Archived(dataclasses.replace(outcome, pictures=dataclasses.replace(known, losses=decoded(losses))), machine)


def _portable(value: Any) -> Any:
    """Return a setting's value without the folder of a file that it names."""
    return short(value) if isinstance(value, str) else plain(list(value) if isinstance(value, tuple) else value)


def _silent(_: str) -> None:
    pass
