"""The outcomes of finished trials in a sweep's folder, so that no training is repeated."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

from stridednet.storage import written_whole
from stridednet.sweeps.runner import Runner
from stridednet.sweeps.trial import Outcome, Trial


class TrialStore:
    """Keep each outcome in a file of its own, named by what it depends on.

    Args:
        folder: The sweep's folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "trials"

    def restored(self, trial: Trial) -> Outcome | None:
        """Return the outcome of an earlier call; None if there is none."""
        file = self._file(trial)
        if not file.is_file():
            return None
        # A sweep around another base may have trained the same recipe under another variant's name.
        outcome = Outcome.from_json(file.read_text(encoding="utf-8"))
        return dataclasses.replace(
            outcome, variant=trial.variant.name, repetition=trial.fold.repetition, fold=trial.fold.number
        )

    def run(self, trials: Iterator[Trial], runner: Runner) -> Iterator[tuple[Trial, Outcome]]:
        """Run trials; each outcome is on disk before it is yielded, but those of failed trials, which are repeated."""
        for trial, outcome in runner.run(trials):
            if not outcome.error:
                with written_whole(self._file(trial)) as beside:
                    beside.write_text(outcome.to_json(), encoding="utf-8")
            yield trial, outcome

    def _file(self, trial: Trial) -> Path:
        return self._folder / f"{trial.key}.json"
