"""Axes: settings of a recipe and the values that they take; a grid of them, or one at a time around the base."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stridednet.errors import InputError
from stridednet.recipe import Recipe, parse_override
from stridednet.sweeps.own_models import short


@dataclass(frozen=True)
class Axis:
    """A setting by its dotted key, and the values to try."""

    key: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Variant:
    """What is changed of the base recipe; nothing for the base itself."""

    settings: tuple[tuple[str, Any], ...] = ()

    @property
    def name(self) -> str:
        """How tables and folders call it: ``model.stem_kernel=3``."""
        return ", ".join(f"{key}={text_of(value)}" for key, value in self.settings) or "base"

    def recipe(self, base: Recipe) -> Recipe:
        """Return the base recipe with these settings.

        Raises:
            RecipeError: A key is unknown or a value is not allowed.
        """
        return base.replace(dict(self.settings))


def parse_axis(text: str) -> Axis:
    """Read ``KEY=V1,V2,...``; a comma inside brackets does not divide.

    >>> parse_axis("model.stem_kernel=3,5,7")
    Axis(key='model.stem_kernel', values=(3, 5, 7))
    >>> parse_axis("model.kernel_regularizer=none,l1_l2(0.001, 0.01)").values
    ('none', 'l1_l2(0.001, 0.01)')

    Raises:
        InputError: It is written otherwise, or names a value twice.
    """
    key, equals, listed = text.partition("=")
    parts = [part.strip() for part in _divided(listed)]
    if not equals or not key.strip() or not all(parts):
        raise InputError(f"--vary wants KEY=V1,V2,..., such as model.stem_kernel=3,5,7. Received: {text!r}")
    values = tuple(parse_override(f"{key}={part}")[1] for part in parts)
    if len(set(map(repr, values))) < len(values):
        raise InputError(f"--vary names a value twice. Received: {text!r}")
    return Axis(key.strip(), values)


def parse_axes(vary: Sequence[str] | Mapping[str, Sequence[Any]]) -> tuple[Axis, ...]:
    """Read axes as the command line has them, ``["model.stem_kernel=3,5"]``, or as ``{"model.stem_kernel": [3, 5]}``.

    Raises:
        InputError: One of them is written otherwise, has no value, or has one twice.
    """
    if not isinstance(vary, Mapping):
        return tuple(map(parse_axis, vary))
    for key, values in vary.items():
        if not values or len(set(map(repr, values))) < len(values):
            raise InputError(f"{key} needs one value or more, each once. Received: {list(values)}")
    return tuple(Axis(key, tuple(values)) for key, values in vary.items())


def variants(base: Recipe, axes: Sequence[Axis], *, one_at_a_time: bool = False) -> tuple[Variant, ...]:
    """Return what to train: the base first, then every combination, or every value of one axis with the base's others.

    A combination that equals the base is the base. Each recipe is checked here, before anything trains.

    Args:
        base: What is varied.
        axes: Settings and values; at least one.
        one_at_a_time: No combinations.

    Raises:
        InputError: There is no axis, or two have the same key.
        RecipeError: A key is unknown (the message names the nearest ones) or a value is not allowed.
    """
    if not axes:
        raise InputError("a sweep needs an axis: --vary KEY=V1,V2,..., such as --vary model.stem_kernel=3,5,7")
    keys = [axis.key for axis in axes]
    for key in keys:
        if keys.count(key) > 1:
            raise InputError(f"--vary {key} is given twice; list all its values in one")
        if key == "seed" or key == "data.split_seed":
            raise InputError(f"{key} cannot be an axis: a sweep repeats everything with several seeds; see --seeds")
    found = {base: Variant()}
    combinations: list[tuple[tuple[str, Any], ...]]
    if one_at_a_time:
        combinations = [((axis.key, value),) for axis in axes for value in axis.values]
    else:
        combinations = [
            tuple(zip(keys, values, strict=True)) for values in itertools.product(*(axis.values for axis in axes))
        ]
    for settings in combinations:
        recipe = Variant(settings).recipe(base)
        changed = tuple((key, value) for key, value in settings if Variant(((key, value),)).recipe(base) != base)
        found.setdefault(recipe, Variant(changed))
    return tuple(found.values())


def text_of(value: Any) -> str:
    """Write a value as the command line takes it.

    A model's file (``FILE.py:function``) is written without its folder.

    >>> text_of(True), text_of([16, 32]), text_of("same"), text_of("nets/mine.py:build")
    ('true', '[16, 32]', 'same', 'mine.py:build')
    """
    return str(value).lower() if isinstance(value, bool) else short(str(value))


def _divided(text: str) -> list[str]:
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "([") - (letter in ")]")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts
