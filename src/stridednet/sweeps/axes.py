"""Axes of a sweep (a setting and its values), and the variants of a base recipe that they make."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stridednet.errors import InputError
from stridednet.recipe import Recipe, parse_override
from stridednet.settings import plain
from stridednet.sweeps.own_models import short


@dataclass(frozen=True)
class Axis:
    """A setting, by its dotted key, and the values to try."""

    key: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Variant:
    """The settings in which a variant differs from the base recipe; none for the base itself."""

    settings: tuple[tuple[str, Any], ...] = ()

    @property
    def name(self) -> str:
        """The name in tables and plans, such as ``model.stem_kernel=3``."""
        return ", ".join(f"{key}={text_of(value)}" for key, value in self.settings) or "base"

    def recipe(self, base: Recipe) -> Recipe:
        """Return the base recipe with these settings.

        Raises:
            RecipeError: A key is unknown or a value is not allowed.
        """
        return base.replace(dict(self.settings))


def parse_axis(text: str) -> Axis:
    """Read ``KEY=V1,V2,...``; commas within brackets do not separate values.

    >>> parse_axis("model.stem_kernel=3,5,7")
    Axis(key='model.stem_kernel', values=(3, 5, 7))
    >>> parse_axis("model.kernel_regularizer=none,l1_l2(0.001, 0.01)").values
    ('none', 'l1_l2(0.001, 0.01)')

    Raises:
        InputError: The text has another form, or a value appears twice.
    """
    key, equals, listed = text.partition("=")
    parts = [part.strip() for part in _split_at_commas(listed)]
    if not equals or not key.strip() or not all(parts):
        raise InputError(f"vary: expected KEY=V1,V2,..., such as model.stem_kernel=3,5,7. Received: {text!r}")
    values = tuple(parse_override(f"{key}={part}")[1] for part in parts)
    if len(set(map(repr, values))) < len(values):
        raise InputError(f"vary: a value appears twice. Received: {text!r}")
    return Axis(key.strip(), values)


def parse_axes(vary: Sequence[str] | Mapping[str, Sequence[Any]]) -> tuple[Axis, ...]:
    """Read axes, either ``["model.stem_kernel=3,5"]`` or ``{"model.stem_kernel": [3, 5]}``.

    Raises:
        InputError: An axis has another form or no values, or a value appears twice.
    """
    if not isinstance(vary, Mapping):
        return tuple(map(parse_axis, vary))
    axes = []
    for key, given in vary.items():
        values = list(map(plain, given))
        if not values or len(set(map(repr, values))) < len(values):
            raise InputError(f"vary: {key} needs at least one value, and none twice. Received: {values}")
        axes.append(Axis(key, tuple(values)))
    return tuple(axes)


def variants(base: Recipe, axes: Sequence[Axis], *, one_at_a_time: bool = False) -> tuple[Variant, ...]:
    """Return the variants to train: the base first, then all combinations of the axes' values.

    A combination that equals the base is not repeated. Every recipe is validated here, before anything is trained.

    Args:
        base: The base recipe.
        axes: At least one.
        one_at_a_time: Vary one axis at a time, with the base's values of the others, instead of all combinations.

    Raises:
        InputError: There is no axis, two have the same key, or one is a seed.
        RecipeError: A key is unknown (the message names the nearest ones) or a value is not allowed.
    """
    if not axes:
        raise InputError("vary: a sweep needs at least one axis, such as model.stem_kernel=3,5,7")
    keys = [axis.key for axis in axes]
    for key in keys:
        if keys.count(key) > 1:
            raise InputError(f"vary: {key} appears twice; list all its values in one axis")
        if key == "seed" or key == "data.split_seed":
            raise InputError(f"vary: {key} cannot be an axis; seeds is how many seeds each variant is trained with")
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
    """Return a value as it is written on the command line.

    A model's file (``FILE.py:function``) is written without its folder.

    >>> text_of(True), text_of([16, 32]), text_of("same"), text_of("nets/mine.py:build")
    ('true', '[16, 32]', 'same', 'mine.py:build')
    """
    return str(value).lower() if isinstance(value, bool) else short(str(value))


def _split_at_commas(text: str) -> list[str]:
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "([") - (letter in ")]")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts
