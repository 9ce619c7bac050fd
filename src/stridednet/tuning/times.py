"""How long trainings take, and how the budget is divided; all that is decided before a round is decided here."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from stridednet.sweeps.trial import Outcome

LEAST_EPOCHS = 2  # of any training: after fewer, networks have hardly learned anything
LEAST_CHANGES = 4  # that a tuning tries; fewer are not worth it
ROUNDS = 3  # of the screening
FINALISTS = 5  # the best three changes, and two combinations of them
MOST_REPEATS = 4  # of the confirmation: more average out little, since the pictures stay the same
MOST_COST = 2.5  # times as much computation as the default; changes that need more are not tried
_COST = 1.4  # of a change that is not known yet
_REPORT = 8.0  # seconds for the files of a run
_LEAST_SHARE = 0.5  # of a whole training, in the confirmation: what shorter ones promise does not hold for it
_RACE = 1 / 3  # the most that choosing the default may cost, as a share of its training
_SLACK = 1.1  # times vary


class Clock:
    """Count the seconds that a tuning has used, those of earlier calls included.

    Args:
        jobs: Number of trainings that run at once.
    """

    def __init__(self, jobs: int) -> None:
        self._jobs, self._started, self._earlier = jobs, time.perf_counter(), 0.0

    def add_earlier(self, seconds: float) -> None:
        """Count what an earlier call has used."""
        self._earlier += seconds

    def count(self, outcome: Outcome) -> None:
        """Count a training of an earlier call."""
        self._earlier += outcome.elapsed / self._jobs

    @property
    def spent(self) -> float:
        """Seconds until now."""
        return time.perf_counter() - self._started + self._earlier


@dataclass(frozen=True)
class Times:
    """Durations of trainings with the default recipe, in seconds.

    Args:
        overhead: Of a training in a round, however short.
        epoch: Of an epoch in a round.
        epochs: Number of epochs of a whole training in a round.
        final: Of the training on all training pictures, with its report.
    """

    overhead: float
    epoch: float
    epochs: int
    final: float

    @classmethod
    def measured(cls, pilot: Outcome, epochs: int, final_epochs: int, images: int, tested: int) -> "Times":
        """Return the durations that follow from a short training.

        Args:
            pilot: Its outcome.
            epochs: Number of epochs of a whole training in a round.
            final_epochs: Number of epochs of the training on all training pictures.
            images: Number of these.
            tested: Number of pictures that are classified after each of its epochs.
        """
        overhead, epoch = pilot.elapsed - pilot.seconds, pilot.seconds / len(pilot.curve)
        of_all = epoch * images / pilot.train_images + pilot.predict_ms / 1000 * tested
        return cls(overhead, epoch, epochs, overhead + _REPORT + final_epochs * of_all)

    def training(self, epochs: int, cost: float = 1.0) -> float:
        """Return the duration of a training in a round, of a change that costs so many times as much."""
        return self.overhead + cost * self.epoch * epochs

    @property
    def least_epochs(self) -> int:
        """The fewest epochs of a training in a round."""
        return min(LEAST_EPOCHS, self.epochs)

    @property
    def least_epochs_confirmed(self) -> int:
        """The fewest epochs of a training in the confirmation."""
        return max(self.least_epochs, math.ceil(_LEAST_SHARE * self.epochs))

    def finals(self, cost: float = _COST) -> float:
        """Return the duration of both trainings on all training pictures, that of a change and the default's."""
        return _SLACK * self.final * (1 + cost)

    def least_budget(self, folds: int, *, race: bool) -> float:
        """Return the shortest budget that is enough for a tuning.

        Args:
            folds: Number of folds of the screening, and of the confirmation.
            race: Whether the default recipe is chosen first.
        """
        change = self.training(self.least_epochs, _COST)
        rounds = (LEAST_CHANGES + 1) + 3 + folds * (FINALISTS + 1)
        confirmed = self.least_epochs_confirmed
        confirmation = folds * (self.training(confirmed) + self.training(confirmed, _COST))
        first = _RACE * self.final if race else 0.0
        return first + max(3 * _SLACK * rounds * change, 1.5 * confirmation) + self.finals() + self.training(4)


def screening(times: Times, seconds: float, folds: int) -> float:
    """Return how much of the time for screening and confirmation is for the screening.

    It is half, or less if the confirmation needs more than the other half for whole trainings, but at least a third.

    Args:
        times: Durations of trainings.
        seconds: What both may take.
        folds: Number of folds of the confirmation.
    """
    whole = folds * (times.training(times.epochs) + times.training(times.epochs, _COST))
    return max(seconds / 3, min(seconds / 2, seconds - whole))


def first_round(times: Times, costs: Sequence[float], seconds: float) -> tuple[int, int]:
    """Return how many changes are tried at first, and for how many epochs: as many changes as possible.

    Args:
        times: Durations of trainings.
        costs: What each change costs compared with the default, those that matter most first.
        seconds: What the round may take.
    """
    least = min(LEAST_CHANGES, len(costs))
    for number in range(len(costs), least - 1, -1):
        epochs = (seconds - (number + 1) * times.overhead) / (times.epoch * (1 + sum(costs[:number])))
        if epochs >= times.least_epochs:
            return number, min(int(epochs), times.epochs)
    return least, times.least_epochs


def round_epochs(times: Times, costs: Sequence[float], folds: int, seconds: float, *, least: int) -> int:
    """Return the number of epochs of a later round.

    Args:
        times: Durations of trainings.
        costs: What each of its candidates costs compared with the default, which is one of them.
        folds: Number of trainings of each.
        seconds: What the round may take.
        least: The fewest epochs.
    """
    epochs = (seconds / folds - len(costs) * times.overhead) / (times.epoch * sum(costs))
    return min(max(int(epochs), least), times.epochs)


def confirmation(times: Times, cost: float, folds: int, seconds: float) -> tuple[int, int]:
    """Return the number of epochs of a training in the confirmation, and how often it is repeated with other seeds.

    Whole trainings if the budget lasts, since short ones favor other settings; only then repetitions.

    Args:
        times: Durations of trainings.
        cost: What the change costs compared with the default.
        folds: Number of folds.
        seconds: What the confirmation may take.
    """
    pair = folds * (times.training(times.epochs) + times.training(times.epochs, cost))
    if seconds >= pair:
        return times.epochs, min(int(seconds / pair), MOST_REPEATS)
    return round_epochs(times, (1.0, cost), folds, seconds, least=times.least_epochs_confirmed), 1


def duration_text(seconds: float) -> str:
    """Return a duration in words.

    >>> duration_text(42.4), duration_text(124), duration_text(7384)
    ('42 s', '2 min 4 s', '123 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if rest and minutes < 100 else f"{minutes} min"
