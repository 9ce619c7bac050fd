"""Screening: many changes in short trainings, then few in longer ones (successive halving).

Jamieson and Talwalkar 2016, "Non-stochastic Best Arm Identification and Hyperparameter Optimization"
(arXiv:1502.07943). Each of three rounds has the same time. The first one measures all changes on one fold, the second
one the best third on another fold, and the last one the best three changes and their combinations on both.
"""

import itertools
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stridednet.errors import ModelError
from stridednet.models.catalogue import build_model
from stridednet.models.description import describe
from stridednet.recipe import Recipe
from stridednet.sweeps.axes import Variant
from stridednet.sweeps.trial import Outcome
from stridednet.tuning.changes import combined
from stridednet.tuning.ranking import Score, ordered
from stridednet.tuning.record import Record
from stridednet.tuning.times import FINALISTS, MOST_COST, ROUNDS, Clock, Times, first_round, round_epochs
from stridednet.tuning.trainings import SCREENING, Trainings

_BEST = 3


@dataclass(frozen=True)
class Round:
    """A round of the screening.

    Args:
        epochs: Number of epochs of its trainings.
        folds: Number of trainings of each candidate.
        scores: The candidates that could be trained, best first; the default among them.
        failures: The errors of the others, by name.
    """

    epochs: int
    folds: int
    scores: tuple[Score, ...]
    failures: Mapping[str, str]

    @property
    def ahead(self) -> tuple[str, ...]:
        """The names of the changes that are ahead of the default, best first."""
        names = [score.name for score in self.scores]
        return tuple(names[: names.index("base")])


@dataclass(frozen=True)
class Screened:
    """What the screening found.

    Args:
        rounds: Up to three.
        winner: The best candidate; None if none was ahead of the default.
        cost: Duration of its trainings, divided by that of the default's.
        combinations: The candidates of the last round that are several changes at once.
    """

    rounds: tuple[Round, ...]
    winner: Variant | None
    cost: float = 1.0
    combinations: tuple[Variant, ...] = ()


def screen(
    trainings: Trainings,
    base: Recipe,
    changes: Sequence[Variant],
    costs: Mapping[str, float],
    times: Times,
    record: Record,
    clock: Clock,
    end: float,
) -> Screened:
    """Choose a change, or several at once, by short trainings.

    Args:
        trainings: Runs them.
        base: The default recipe.
        changes: The changes, those that matter most first.
        costs: What each costs compared with the default.
        times: Durations of trainings.
        record: Keeps how many changes are tried, and for how long.
        clock: The time that was used.
        end: What the clock will say at the end of the screening.
    """
    by_name = {change.name: change for change in changes}
    known = {"base": 1.0, **costs}

    def decided() -> tuple[int, int]:
        seconds = (end - clock.spent) / ROUNDS
        return first_round(times, [costs[change.name] for change in changes], seconds)

    number, epochs = record.once("round 1", decided)
    rounds = [_run(trainings, base, "round 1", changes[:number], SCREENING[:1], epochs, 10)]

    best = [by_name[name] for name in rounds[0].ahead[: math.ceil(number / 3)]]
    if best:
        epochs = record.once("round 2", lambda: _longer(rounds[0], best, 1, times, (end - clock.spent) / 2, known))
        rounds.append(_run(trainings, base, "round 2", best, SCREENING[1:], epochs, 20))
        best = [by_name[name] for name in rounds[1].ahead[:_BEST]]
    if not best:
        return Screened(tuple(rounds), None)

    several = _combinations(best, base, costs)
    finalists = [*best, *several]
    by_name |= {change.name: change for change in finalists}
    known |= {change.name: _cost(change, costs) for change in several}
    epochs = record.once(
        "round 3", lambda: _longer(rounds[1], finalists, len(SCREENING), times, end - clock.spent, known)
    )
    rounds.append(_run(trainings, base, "round 3", finalists, SCREENING, epochs, 30))
    if not rounds[2].ahead:
        return Screened(tuple(rounds), None, combinations=several)
    winner = rounds[2].ahead[0]
    durations = {score.name: score.seconds for score in rounds[2].scores}
    return Screened(tuple(rounds), by_name[winner], measured_costs(durations, known)[winner], several)


def costs_of(base: Recipe, changes: Sequence[Variant], classes: int) -> tuple[dict[str, float], dict[str, str]]:
    """Return the multiply-adds of each change divided by the default's, and why others cannot be tried, by name.

    Args:
        base: The default recipe.
        changes: Single changes.
        classes: Number of classes.
    """
    whole = _multiply_adds(base, classes)
    costs, reasons = {}, {}
    for change in changes:
        try:
            recipe = change.recipe(base)
            adds = whole if recipe.model == base.model and not _sized(change) else _multiply_adds(recipe, classes)
        except ModelError as error:
            reasons[change.name] = str(error)
            continue
        cost = adds / whole if adds and whole else 1.0
        if cost > MOST_COST:
            reasons[change.name] = f"needs {cost:.1f} times as much computation as the default"
        else:
            costs[change.name] = cost
    return costs, reasons


def _combinations(best: Sequence[Variant], base: Recipe, costs: Mapping[str, float]) -> tuple[Variant, ...]:
    """Return all changes at once, and the best pairs, as far as they are possible: two combinations at most."""
    groups = [group for size in range(len(best), 1, -1) for group in itertools.combinations(best, size)]
    together = [combined(group, base) for group in groups]
    possible = [one for one in together if one is not None and _cost(one, costs) <= MOST_COST]
    return tuple(possible[: FINALISTS - len(best)])


def _sized(change: Variant) -> bool:
    return any(key == "image_size" for key, _ in change.settings)


def _multiply_adds(recipe: Recipe, classes: int) -> int:
    return describe(build_model(recipe.model, recipe.image_size, classes)).multiply_adds or 0


def _cost(change: Variant, costs: Mapping[str, float]) -> float:
    """Return what several changes cost together: the product of what each costs."""
    return math.prod(costs[Variant((pair,)).name] for pair in change.settings if Variant((pair,)).name in costs)


def measured_costs(seconds: Mapping[str, float], costs: Mapping[str, float]) -> dict[str, float]:
    """Return what candidates cost compared with the default, by their durations.

    One training may be much slower than the others because of other work on the machine. So the unit is a median, and
    a duration changes what follows from the multiply-adds by a factor of two at most.

    Args:
        seconds: Durations, by name.
        costs: Multiply-adds divided by the default's, by name.
    """
    unit = statistics.median(duration / costs[name] for name, duration in seconds.items())
    return {
        name: min(max(duration / unit, costs[name] / 2), costs[name] * 2) if unit else costs[name]
        for name, duration in seconds.items()
    }


def _longer(
    last: Round, candidates: Sequence[Variant], folds: int, times: Times, seconds: float, costs: Mapping[str, float]
) -> int:
    """Return the number of epochs of the next round, from the durations of the last one."""
    known = measured_costs({score.name: score.seconds for score in last.scores}, costs)
    expected = [known.get(name, costs[name]) for name in ("base", *(one.name for one in candidates))]
    return round_epochs(times, expected, folds, seconds, least=last.epochs)


def _run(
    trainings: Trainings,
    base: Recipe,
    title: str,
    changes: Sequence[Variant],
    folds: Sequence[int],
    epochs: int,
    first_seed: int,
) -> Round:
    variants = [Variant(), *changes]
    outcomes = trainings.run(
        f"{title}: {len(changes)} changes, {epochs} epochs", base, variants, folds, epochs=epochs, first_seed=first_seed
    )
    failures = {outcome.variant: outcome.error for outcome in outcomes if outcome.error}
    scores = [
        _score(variant.name, [outcome for outcome in outcomes if outcome.variant == variant.name])
        for variant in variants
        if variant.name not in failures
    ]
    return Round(epochs, len(folds), ordered(scores), failures)


def _score(name: str, outcomes: Sequence[Outcome]) -> Score:
    pictures = [outcome.val_images for outcome in outcomes]
    return Score(
        name,
        statistics.fmean([outcome.accuracy for outcome in outcomes], pictures),
        statistics.fmean([outcome.loss for outcome in outcomes], pictures),
        statistics.fmean(outcome.elapsed for outcome in outcomes),
    )
