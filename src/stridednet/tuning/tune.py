"""`tune`: screen changes of the default recipe, confirm the best one, train both, and compare them on test."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from stridednet.data.archive import dataset_name
from stridednet.data.prepare import TrainingData, prepare
from stridednet.data.scan import results_inside
from stridednet.environment import check_keras
from stridednet.errors import DataError, FigureError, InputError, RunError
from stridednet.executor.backend import Backend
from stridednet.lock import locked
from stridednet.models.catalogue import check_model
from stridednet.models.own_model import source_of
from stridednet.racing.race import run_race
from stridednet.recipe import Recipe
from stridednet.storage import check_writable, user_path
from stridednet.sweeps.axes import Variant
from stridednet.sweeps.comparison import compare
from stridednet.sweeps.side_by_side import runner_of
from stridednet.sweeps.trial import Outcome
from stridednet.sweeps.trial_store import TrialStore
from stridednet.tuning.changes import changes_of
from stridednet.tuning.decision import adopted, promised
from stridednet.tuning.finals import compared_on_test, final_run
from stridednet.tuning.observer import TuneObserver
from stridednet.tuning.record import BEGUN, Record, chosen_folder
from stridednet.tuning.report import write_report
from stridednet.tuning.request import Request, make_request
from stridednet.tuning.result import Confirmed, TuneResult
from stridednet.tuning.screening import Screened, costs_of, screen
from stridednet.tuning.times import Clock, Times, confirmation, duration_text, screening
from stridednet.tuning.trainings import CONFIRMING, FOLDS, SCREENING, Trainings

_PILOT_EPOCHS = 3


def tune(
    dataset: str | os.PathLike[str] | None = None,
    *,
    budget: float,
    settings: Mapping[str, Any] | None = None,
    out: str | os.PathLike[str] | None = None,
    observer: TuneObserver | None = None,
    jobs: int = 1,
) -> TuneResult:
    """Find out which settings of the default recipe are worth changing for some pictures.

    Changes are screened by short trainings on a part of the training pictures. The best one is compared with the
    default on other training pictures, and adopted only if it is certainly better. At the end, both are trained on all
    training pictures and compared on test, which is not used before.

    Args:
        dataset: A data set folder, an archive of one, or the name of a built-in data set; None for ``digits``.
        budget: Seconds that all of this may take.
        settings: Settings by dotted key that stay as they are: they are changed in the default, and not tried.
        out: The tuning's folder; None for one in ``runs/tune``. The same call continues an interrupted tuning.
        observer: Is notified of messages and progress.
        jobs: Number of trainings that run at once, but for the last two, each in a process of its own with its share
            of the cores.

    Returns:
        The changed recipe, or the default, with what was measured. The same is in the tuning's folder.

    Raises:
        InputError: An argument, a setting or the data set is wrong, or the budget is too small; the message then says
            which one is enough.
        StorageError: The disk is full or not writable; the same call continues once that is fixed.
        RunError: Another process is writing to the folder, or the data set has changed since the tuning began.
        TrainingError: The default recipe cannot be trained.
        FigureError: The tuning is finished, but for a figure.

    Examples:
        >>> import tempfile
        >>> from stridednet.tuning.tune import tune
        >>> tiny = {"epochs": 1, "data.train_per_class": 12, "model.filters": [8], "model.dense_units": 16}
        >>> result = tune("digits", budget=3600, settings=tiny, out=tempfile.mkdtemp())
        >>> result.recipe.image_size, result.default_run.folder.name
        (28, 'default')
    """
    return run_tuning(make_request(dataset, budget, settings), out=out, observer=observer, jobs=jobs)


def run_tuning(
    request: Request,
    *,
    out: str | os.PathLike[str] | None = None,
    observer: TuneObserver | None = None,
    jobs: int = 1,
) -> TuneResult:
    """Do what a request asks for; arguments and errors as in `tune`."""
    observer, clock = observer or TuneObserver(), Clock(jobs)
    for message in request.resolution.messages:
        observer.on_message(message)
    check_keras()
    check_model(request.recipe.model)
    backend = Backend.choose(request.recipe.precision)
    if backend.problem:
        observer.on_message(backend.problem)
    content = {**request.content(), "model": source_of(request.recipe.model.name)}
    given = None if out is None else user_path(out, "out")
    folder = chosen_folder(given, dataset_name(request.recipe.data.dataset), content)
    check_writable(folder, "choose another folder with `out`")
    warning = results_inside(request.recipe.data.dataset, folder)
    if warning:
        observer.on_message(warning)
    with runner_of(jobs) as runner, locked(folder, "tuning"):
        record = Record(folder, content)
        trainings = Trainings(TrialStore(folder), runner, clock, observer)
        return _Tuning(request, backend, folder, record, trainings, clock, observer).finish()


@dataclass(frozen=True)
class _Tuning:
    request: Request
    backend: Backend
    folder: Path
    record: Record
    trainings: Trainings
    clock: Clock
    observer: TuneObserver

    def finish(self) -> TuneResult:
        """Do what no earlier call has done.

        Raises:
            FigureError: A figure could not be drawn; everything else is finished.
        """
        recipe = self.request.recipe.replace({"precision": self.backend.precision})
        data = self._data(recipe)
        times = self._times(recipe, data)
        self._check_budget(times, data)
        base = self._default(recipe, data)
        if base != recipe:
            times = self._times(base, data)
        changes = changes_of(base, self.request.fixed)
        costs, left_out = costs_of(base, changes, len(data.labels))
        possible = [change for change in changes if change.name in costs]
        screened = self._screened(base, possible, costs, times)
        confirmed = None if screened.winner is None else self._confirmed(base, screened, times)
        better = screened.winner is not None and confirmed is not None and confirmed.promise is not None
        chosen = base
        if screened.winner is not None and better:
            chosen = screened.winner.recipe(base).replace({"name": "tuned"})
        default_run, problems = final_run(self.folder / "default", base, self.observer.training())
        tuned_run = None
        if better:
            tuned_run, more = final_run(self.folder / "tuned", chosen, self.observer.training())
            problems += more
        test = None if tuned_run is None else compared_on_test(tuned_run, default_run)
        tried = {score.name for score in screened.rounds[0].scores} | screened.rounds[0].failures.keys()
        result = TuneResult(
            folder=self.folder,
            base=base,
            recipe=chosen,
            tried=tuple(change for change in possible if change.name in tried),
            left_out=left_out,
            screened=screened,
            confirmed=confirmed,
            default_run=default_run,
            tuned_run=tuned_run,
            test=test,
            seconds=self.record.once("seconds", lambda: self.clock.spent),
        )
        problems += write_report(result, self.request.budget, self.backend.device.type)
        if problems:
            raise FigureError(f"the tuning {self.folder} is finished, but {'; '.join(problems)}", result)
        return result

    def _data(self, recipe: Recipe) -> TrainingData:
        data = prepare(
            recipe.data,
            recipe.image_size,
            self.observer.on_message,
            "changes are measured on train, and test is used once, at the end",
            rule=recipe.resize,
            source_size=recipe.source_size,
        )
        dataset = recipe.data.dataset
        if self.record.once("data", lambda: data.hash) != data.hash:
            raise RunError(
                f"the data set {dataset} has changed since the tuning {self.folder} began; name another `out`"
            )
        if not len(data.split.test):
            raise DataError(f"{dataset} has no test subset, on which the result could be measured; add one")
        classes = data.targets[data.split.train].argmax(axis=1)
        if np.bincount(classes).max() < FOLDS:
            raise DataError(f"{dataset}: no class has {FOLDS} training pictures, one for each fold; add pictures")
        return data

    def _times(self, base: Recipe, data: TrainingData) -> Times:
        """Return how long trainings take, from two short ones; the first one also loads and compiles code."""
        epochs, pilot, only = self.trainings.full_epochs(base), SCREENING[:1], [Variant()]
        self.trainings.run("pilot", base, only, pilot, epochs=1, first_seed=0)
        (outcome,) = self.trainings.run("pilot", base, only, pilot, epochs=min(_PILOT_EPOCHS, epochs), first_seed=1)
        final = int(base.sized(len(data.split.train), len(data.labels)).epochs)
        return Times.measured(outcome, epochs, final, len(data.split.train), len(data.split.test))

    def _check_budget(self, times: Times, data: TrainingData) -> None:
        """Say what the budget is used for.

        Raises:
            InputError: It is too small.
        """
        budget, race = self.request.budget, self.request.resolution.candidates is not None
        least = self.record.once(
            "least budget", lambda: self.clock.spent + times.least_budget(len(SCREENING), race=race)
        )
        if budget < least:
            enough = 60 * -(-least // 60) if least > 60 else 10 * -(-least // 10)
            raise InputError(
                f"budget: {duration_text(budget)} is too short for these pictures, of which one training takes about "
                f"{duration_text(times.final)}; {duration_text(enough)} are enough, or set a lower effort"
            )
        self.record.once(BEGUN, lambda: True)
        train, test = len(data.split.train), len(data.split.test)
        self.observer.on_message(
            f"budget {duration_text(budget)}: changes are screened by short trainings, the best one is confirmed with "
            f"trainings of up to {times.epochs} epochs, and it and the default are trained on all {train:,} pictures "
            f"(about {duration_text(times.final)} each) and tested on {test:,}"
        )

    def _default(self, recipe: Recipe, data: TrainingData) -> Recipe:
        """Return the recipe that `stridednet.train` would follow."""
        candidates = self.request.resolution.candidates
        if candidates is None:
            return recipe
        restored = self.record.known("race")

        def race() -> dict[str, Any]:
            began = self.clock.spent
            found = run_race(recipe, candidates, data, self.backend, self.observer.training())
            seconds = self.clock.spent - began
            return {"recipe": found.recipe.to_toml(), "message": found.message(), "seconds": seconds, **found.to_dict()}

        known = self.record.once("race", race)
        if restored:
            self.clock.add_earlier(known["seconds"])
        self.observer.on_message(known["message"])
        return Recipe(**tomllib.loads(known["recipe"]))

    def _screened(self, base: Recipe, changes: list[Variant], costs: Mapping[str, float], times: Times) -> Screened:
        if not changes:
            raise InputError("settings: nothing is left to try; let some settings of the network open")
        left = self.request.budget - self.clock.spent - times.finals()
        end = self.clock.spent + screening(times, left, len(CONFIRMING))
        return screen(self.trainings, base, changes, costs, times, self.record, self.clock, end)

    def _confirmed(self, base: Recipe, screened: Screened, times: Times) -> Confirmed | None:
        """Measure the winner of the screening on the other folds, as long and as often as the budget allows.

        Returns:
            What was measured; None if a training failed.
        """
        winner = screened.winner
        assert winner is not None  # noqa: S101  -- for the type checker
        end = self.request.budget - times.finals(screened.cost)

        def decided() -> tuple[int, int]:
            return confirmation(times, screened.cost, len(CONFIRMING), end - self.clock.spent)

        epochs, repeats = self.record.once("confirmation", decided)
        outcomes: list[Outcome] = []
        variants, longest = [Variant(), winner], 0.0
        for repeat in range(repeats):
            began = self.clock.spent
            in_time = began + longest <= end
            if repeat and not self.record.once(f"repeat {repeat}", partial(bool, in_time)):
                break
            outcomes += self.trainings.run(
                f"confirmation: {winner.name}, {epochs} epochs",
                base,
                variants,
                CONFIRMING,
                epochs=epochs,
                first_seed=100 + repeat * len(CONFIRMING),
                repetition=repeat,
            )
            longest = max(longest, self.clock.spent - began)
        compared = compare(variants, outcomes)[1]
        if compared.failures or compared.difference is None or compared.loss_difference is None:
            self.observer.on_message(f"{winner.name} is not adopted, since a training failed")
            return None
        promise = promised(compared.difference) if adopted(compared.difference) else None
        return Confirmed(epochs, times.epochs, compared.difference, compared.loss_difference, promise)
