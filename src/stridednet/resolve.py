"""Data set, recipe and settings -> the recipe that a training follows. Needs no Keras, and writes nothing."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stridednet.data.scan import check_dataset
from stridednet.data.sources import SOURCES
from stridednet.model_settings import is_own_model
from stridednet.models.own_model import absolute_name, check_file
from stridednet.recipe import DEFAULT_RECIPE, Recipe, flat, hints_that_hold, load_recipe


@dataclass(frozen=True)
class Resolution:
    """The recipe that will be followed, and what a user should know about how it came about.

    Batch size, number of epochs and precision may still be ``auto``: they depend on the data and on the device.
    """

    recipe: Recipe
    messages: tuple[str, ...] = ()


def resolve(
    dataset: str | os.PathLike[str] | None = None,
    recipe: str | os.PathLike[str] | Recipe = DEFAULT_RECIPE,
    settings: Mapping[str, Any] | None = None,
) -> Resolution:
    """Combine a recipe with the settings that override it and with the hints of the data set.

    Args:
        dataset: A folder of class folders, an archive of one, or the name of a data set; None for the recipe's.
        recipe: A recipe, the name of a built-in one, or a TOML file.
        settings: Settings by dotted key that override the recipe.

    Raises:
        RecipeError: The recipe does not exist, or a setting is unknown or not allowed.
        ModelError: The file of a user's own model does not exist.
        DataError: The data set does not exist.
    """
    source, chosen = _loaded(recipe)
    overrides = dict(settings or {})
    if dataset is not None:
        overrides["data.dataset"] = os.fspath(dataset)
    merged = source.replace(overrides)
    unused = sorted(key for key in chosen if key not in flat(merged.model_dump()))
    messages = [f"not used by the model '{merged.model.name}': {', '.join(unused)}"] if unused else []
    hints = _hints(merged, chosen | overrides.keys())
    if hints:
        text = ", ".join(f"{key}={str(value).lower()}" for key, value in hints.items())
        messages.append(f"defaults for {merged.data.dataset}: {text}")
    merged = merged.replace(hints)
    check_dataset(merged.data.dataset)
    # Absolute paths, so that recipe.toml means the same in any folder.
    if merged.data.dataset not in SOURCES:
        merged = merged.replace({"data.dataset": str(Path(merged.data.dataset).expanduser().resolve())})
    if is_own_model(merged.model.name):
        check_file(merged.model.name)
        merged = merged.replace({"model.name": absolute_name(merged.model.name)})
    return Resolution(merged, tuple(messages))


def _loaded(recipe: str | os.PathLike[str] | Recipe) -> tuple[Recipe, frozenset[str]]:
    """Return the recipe and the keys that the user chose in it."""
    if isinstance(recipe, Recipe):
        return recipe, frozenset(flat(recipe.model_dump(exclude_unset=True)))
    return load_recipe(recipe)


def _hints(recipe: Recipe, chosen: frozenset[str]) -> dict[str, Any]:
    source = SOURCES.get(recipe.data.dataset)
    return hints_that_hold(source.hints, chosen) if source else {}
