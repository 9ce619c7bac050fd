"""A sweep before anything is trained: its base recipe, variants and seeds, checked without importing Keras."""

import dataclasses
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from stridednet.errors import InputError
from stridednet.recipe import Recipe
from stridednet.resolve import resolve
from stridednet.sweeps.axes import Axis, Variant, parse_axes, variants
from stridednet.sweeps.claims import Expected, check_expected
from stridednet.sweeps.effect import MARGIN
from stridednet.sweeps.own_models import absolute, check_distinct, short_variant
from stridednet.sweeps.sequential import LOOKS

DEFAULT_RECIPE = "fast"
DEFAULT_SEEDS = 2
DEFAULT_FOLDS = 4

MOST_REPETITIONS = LOOKS[-1]  # of a sweep that stops by itself

Until = Literal["decided"]


@dataclass(frozen=True)
class SweepDesign:
    """What a sweep trains and measures, and what its claim expects of it; made by `design_sweep`."""

    base: Recipe
    messages: tuple[str, ...]  # what the user should know about the base
    axes: tuple[Axis, ...]
    variants: tuple[Variant, ...]  # the base first
    seeds: int  # repetitions, or the most of them; each measures every training picture once
    folds: int  # trainings of each variant in a repetition
    until: Until | None  # "decided": variants whose effect is certain take no part in further repetitions
    budget: float | None  # seconds; no trial is started that would probably end later
    margin: float  # differences in accuracy up to this size count as none
    one_at_a_time: bool
    claim: str
    expect: Mapping[str, Expected]  # by variant name

    @property
    def sequential(self) -> bool:
        """Whether the outcomes decide which trials follow."""
        return self.until is not None or self.budget is not None

    def around(self, base: Recipe) -> "SweepDesign":
        """Return the same design around another base recipe, whose variants and expectations are checked again.

        Raises:
            InputError: An expectation names a variant that this base does not have.
            RecipeError: A value is not allowed together with this base.
        """
        found = variants(base, self.axes, one_at_a_time=self.one_at_a_time)
        check_expected(self.expect, [variant.name for variant in found[1:]])
        return dataclasses.replace(self, base=base, variants=found)


def design_sweep(
    dataset: str | os.PathLike[str] | None,
    vary: Sequence[str] | Mapping[str, Sequence[Any]],
    *,
    seeds: int | None = None,
    folds: int = DEFAULT_FOLDS,
    margin: float = MARGIN,
    until: Until | None = None,
    budget: float | None = None,
    recipe: str | os.PathLike[str] | Recipe = DEFAULT_RECIPE,
    settings: Mapping[str, Any] | None = None,
    one_at_a_time: bool = False,
    claim: str = "",
    expect: Mapping[str, Expected] | None = None,
    trust: bool = False,
) -> SweepDesign:
    """Return a sweep's design after all checks that need no Keras.

    Args:
        dataset: A data set folder, an archive of one, or the name of a built-in data set; None for the recipe's.
        vary: Axes, each as ``KEY=V1,V2,...``, or a mapping from keys to values.
        seeds: Number of repetitions, each with other seeds and other folds; None for 2, or with ``until`` or
            ``budget`` for as many as they can take, at most 12.
        folds: Number of folds; in each repetition, every variant is trained once for each.
        margin: Differences in accuracy up to this size count as none.
        until: ``"decided"`` to repeat until each effect is certain, or certain to remain undecided; None for a fixed
            number of repetitions.
        budget: Seconds after which the sweep ends, if not all is decided earlier; None for no limit.
        recipe: The base: a recipe, the name of a built-in one, or a TOML file.
        settings: Settings by dotted key that override the base recipe's.
        one_at_a_time: Vary one axis at a time around the base instead of all combinations.
        claim: The statement that the sweep tests.
        expect: What the claim says about the accuracy of a variant, by variant name.
        trust: Whether a recipe in a TOML file may name Python code as its model.

    Raises:
        InputError: An argument, an axis, a setting or an expectation is wrong, or there is no such data set.
    """
    sequential = until is not None or budget is not None
    if seeds is None:
        seeds = MOST_REPETITIONS if sequential else DEFAULT_SEEDS
    if seeds < 1:
        raise InputError(f"seeds must be at least 1. Received: {seeds}")
    if folds < 2:
        raise InputError(f"folds must be at least 2. Received: {folds}")
    if sequential and not 2 <= seeds <= MOST_REPETITIONS:
        raise InputError(
            f"seeds must be between 2 and {MOST_REPETITIONS} if the outcomes decide when to stop. Received: {seeds}"
        )
    if budget is not None and not 0 < budget < math.inf:
        raise InputError(f"budget must be a positive number of seconds. Received: {budget}")
    if not 0 < margin < 1:
        raise InputError(f"margin must be a difference in accuracy between 0 and 1. Received: {margin}")
    axes = tuple(
        Axis(axis.key, tuple(absolute(value, Path.cwd()) for value in axis.values)) for axis in parse_axes(vary)
    )
    resolution = resolve(dataset, recipe, settings, trust=trust)
    base = resolution.recipe
    check_distinct([base.model.name, *(value for axis in axes for value in axis.values)])
    return SweepDesign(
        base=base,
        messages=resolution.messages,
        axes=axes,
        variants=(),
        seeds=seeds,
        folds=folds,
        until=until,
        budget=budget,
        margin=margin,
        one_at_a_time=one_at_a_time,
        claim=claim,
        expect={short_variant(name): expected for name, expected in (expect or {}).items()},
    ).around(base)
