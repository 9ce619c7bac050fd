"""Training and prediction times of a sweep's variants, relative to the base, from short trainings in turn.

The trials of a sweep can be hours apart, on a machine that does other work as well. Here, the base and all variants
take turns in one process, and each round gives a ratio.
"""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass

from stridednet.data.fold_assignment import Fold
from stridednet.sweeps.axes import Variant
from stridednet.sweeps.design import SweepDesign
from stridednet.sweeps.folds import Folds
from stridednet.sweeps.trial import Outcome, Trial, run_trial


@dataclass(frozen=True)
class Times:
    """The times of a variant divided by the base's: medians over the rounds.

    Attributes:
        variant: Its name.
        training: Ratio of training times, without validation.
        prediction: Ratio of prediction times.
        rounds: Number of rounds.
        machine: Name of the machine.
    """

    variant: str
    training: float
    prediction: float
    rounds: int
    machine: str


def times_of(design: SweepDesign, folds: Folds, rounds: int, machine: str) -> tuple[Times, ...]:
    """Train every variant for one epoch in each round, after a round that is not counted.

    Args:
        design: The sweep.
        folds: Its data.
        rounds: Number of rounds that count.
        machine: Name of the machine.
    """
    counted = [_round(design, folds) for _ in range(rounds + 1)][1:]
    return tuple(_ratios(variant.name, counted, machine) for variant in design.variants[1:])


def _round(design: SweepDesign, folds: Folds) -> dict[str, Outcome]:
    return {variant.name: _trained(variant, design, folds) for variant in design.variants}


def _trained(variant: Variant, design: SweepDesign, folds: Folds) -> Outcome:
    recipe = variant.recipe(design.base).replace({"epochs": 1})
    fold = Fold(0, 0, design.folds)
    data = folds.of(recipe, fold)
    return run_trial(Trial(variant, fold, recipe.sized(len(data.split.train), len(data.labels)), data))


def _ratios(name: str, rounds: list[dict[str, Outcome]], machine: str) -> Times:
    pairs = [(one[name], one["base"]) for one in rounds]
    training = statistics.median(own.seconds / base.seconds for own, base in pairs)
    prediction = statistics.median(own.predict_ms / base.predict_ms for own, base in pairs)
    return Times(name, round(training, 3), round(prediction, 3), len(rounds), machine)


def merged(old: tuple[Times, ...], new: tuple[Times, ...]) -> tuple[Times, ...]:
    """Return the new times, and those of other variants."""
    found: Mapping[str, Times] = {one.variant: one for one in (*old, *new)}
    return tuple(found.values())
