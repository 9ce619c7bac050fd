"""Short trainings of a tuning, each measured on a fold of the training pictures."""

import dataclasses
from collections.abc import Sequence

from stridednet.data.fold_assignment import Fold
from stridednet.errors import TrainingError
from stridednet.recipe import Recipe
from stridednet.sweeps.axes import Variant
from stridednet.sweeps.folds import Folds
from stridednet.sweeps.runner import Runner
from stridednet.sweeps.trial import Outcome, Trial
from stridednet.sweeps.trial_store import TrialStore
from stridednet.tuning.observer import TuneObserver
from stridednet.tuning.times import Clock

FOLDS = 4  # of one division of the training pictures, which all trainings share
SCREENING = (0, 1)  # changes are chosen on these folds
CONFIRMING = (2, 3)  # and measured again on these pictures, which had no part in the choice
_SEEDS = 1000  # for each seed of the user


class Trainings:
    """Run trainings, or take them from the store.

    Args:
        store: The finished trainings.
        runner: Runs the others.
        clock: Counts those of earlier calls.
        observer: Is notified of all.
    """

    def __init__(self, store: TrialStore, runner: Runner, clock: Clock, observer: TuneObserver) -> None:
        self._store, self._runner, self._clock, self._observer = store, runner, clock, observer
        self._folds = Folds(lambda _: None)

    def full_epochs(self, base: Recipe) -> int:
        """Return the number of epochs of a whole training without a fold."""
        data = self._folds.of(base, self._fold(base, 0))
        return int(base.sized(len(data.split.train), len(data.labels)).epochs)

    def run(
        self,
        title: str,
        base: Recipe,
        variants: Sequence[Variant],
        folds: Sequence[int],
        *,
        epochs: int,
        first_seed: int,
        repetition: int = 0,
    ) -> list[Outcome]:
        """Train variants of a recipe without each of some folds, and measure them on it.

        Args:
            title: What the round is called.
            base: The recipe.
            variants: The recipe itself first.
            folds: Numbers of folds.
            epochs: Number of epochs.
            first_seed: From 0 to 999; each fold has the next one, which its variants share.
            repetition: Of the outcomes, which are of the same folds with other seeds.

        Raises:
            TrainingError: A training of the base failed.
        """
        trials = [
            self._trial(base, variant, number, epochs, (base.seed * _SEEDS + first_seed + place) % 2**32)
            for place, number in enumerate(folds)
            for variant in variants
        ]
        outcomes: list[Outcome] = []

        def finished(trial: Trial, outcome: Outcome, *, restored: bool) -> None:
            if outcome.error and not trial.variant.settings:
                raise TrainingError(f"the default recipe could not be trained: {outcome.error}")
            outcomes.append(dataclasses.replace(outcome, repetition=repetition))
            if restored:
                self._clock.count(outcome)
            self._observer.on_outcome(outcome, restored=restored)

        self._observer.on_round(title, len(trials))
        try:
            waiting = []
            for trial in trials:
                known = self._store.restored(trial)
                if known is None:
                    waiting.append(trial)
                else:
                    finished(trial, known, restored=True)
            for trial, outcome in self._store.run(iter(waiting), self._runner):
                finished(trial, outcome, restored=False)
        finally:
            self._observer.on_end()
        return outcomes

    def _trial(self, base: Recipe, variant: Variant, number: int, epochs: int, seed: int) -> Trial:
        recipe, fold = variant.recipe(base), self._fold(base, number)
        data = self._folds.of(recipe, fold)
        sized = recipe.sized(len(data.split.train), len(data.labels))
        return Trial(variant, fold, sized.replace({"seed": seed, "epochs": epochs, "validation_freq": epochs}), data)

    @staticmethod
    def _fold(base: Recipe, number: int) -> Fold:
        return Fold(base.seed, number, FOLDS)
