"""Data set, recipe and settings -> the recipe that a training follows. Needs no Keras, and writes nothing."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stridednet.candidates import Candidates, load_candidates
from stridednet.data.scan import check_dataset
from stridednet.data.sources import SOURCES
from stridednet.errors import DataError
from stridednet.model_settings import is_own_model, is_pretrained
from stridednet.models.own_model import absolute_name, check_file, check_named_by
from stridednet.recipe import (
    DEFAULT_RECIPE,
    PRETRAINED_RECIPE,
    Recipe,
    builtin_recipes,
    flat,
    hints_that_hold,
    load_recipe,
)
from stridednet.settings import plain
from stridednet.storage import path_text, user_path


@dataclass(frozen=True)
class Resolution:
    """The recipe that will be followed, and what a user should know about how it came about.

    Batch size, number of epochs and precision may still be ``auto``: they depend on the data and on the device.
    """

    recipe: Recipe
    messages: tuple[str, ...] = ()
    candidates: Candidates | None = None  # what is left to choose by a race; None for nothing


def resolve(
    dataset: str | os.PathLike[str] | None = None,
    recipe: str | os.PathLike[str] | Recipe = DEFAULT_RECIPE,
    settings: Mapping[str, Any] | None = None,
    *,
    trust: bool = False,
) -> Resolution:
    """Combine a recipe with the settings that override it and with the hints of the data set.

    Args:
        dataset: A folder of class folders, an archive of one, or the name of a data set; None for the recipe's.
        recipe: A recipe, the name of a built-in one, or a TOML file.
        settings: Settings by dotted key that override the recipe.
        trust: Whether a recipe in a TOML file may name Python code as its model, ``FILE.py:function``.

    Raises:
        UntrustedError: The recipe names Python code, and is not trusted.
        RecipeError: The recipe does not exist, or a setting is unknown or not allowed.
        ModelError: The file of a user's own model does not exist.
        DataError: The data set does not exist.
    """
    overrides = dict(settings or {})
    messages = []
    model = plain(overrides.get("model.name"))
    if recipe == DEFAULT_RECIPE and isinstance(model, str) and is_pretrained(model):
        recipe = PRETRAINED_RECIPE
        messages.append(f"recipe '{recipe}', which is the default for a pretrained model")
    source, chosen = _loaded(recipe)
    if dataset is not None:
        overrides["data.dataset"] = dataset
    if not isinstance(recipe, Recipe) and "model.name" not in overrides:
        check_named_by(recipe, source.model.name, trust=trust)
    merged = source.replace(overrides)
    if isinstance(overrides.get("data.dataset"), os.PathLike):  # a path is never the name of a built-in data set
        merged = merged.replace({"data.dataset": str(user_path(merged.data.dataset, "dataset").absolute())})
    if isinstance(recipe, str) and recipe in builtin_recipes() and Path(recipe).is_file():
        messages.append(f"'{recipe}' is a built-in recipe; to use the file of this name, write ./{recipe}")
    name = merged.data.dataset
    if (dataset is not None or "data.dataset" in chosen | overrides.keys()) and _is_shadowed(name):
        messages.append(f"'{name}' is a built-in data set; to use the folder of this name, write ./{name}")
    unused = sorted(key for key in chosen if key not in flat(merged.model_dump()))
    if unused:
        messages.append(f"not used by the model '{merged.model.name}': {', '.join(unused)}")
    hints = _hints(merged, chosen | overrides.keys())
    if hints:
        text = ", ".join(f"{key}={str(value).lower()}" for key, value in hints.items())
        messages.append(f"defaults for {merged.data.dataset}: {text}")
    merged = merged.replace(hints)
    check_dataset(merged.data.dataset)
    # Absolute paths, so that recipe.toml means the same in any folder.
    merged = merged.replace({"data.dataset": _absolute(merged.data.dataset)})
    if is_own_model(merged.model.name):
        check_file(merged.model.name)
        merged = merged.replace({"model.name": absolute_name(merged.model.name)})
    return Resolution(merged, tuple(messages), _candidates(recipe, merged, {*overrides, *hints}))


def moved(recipe: Recipe, dataset: str | os.PathLike[str] | None) -> Recipe:
    """Return the recipe of an earlier training, with the new path of its data set.

    Args:
        recipe: A resolved recipe.
        dataset: The new path; None if the data set was not moved.

    Raises:
        DataError: There is no data set at this path.
    """
    if dataset is not None:
        renamed = recipe.replace({"data.dataset": dataset})
        check_dataset(renamed.data.dataset)
        return recipe.replace({"data.dataset": _absolute(renamed.data.dataset)})
    try:
        check_dataset(recipe.data.dataset)
    except DataError as error:
        raise DataError(f"{error}; if the data set was moved, give its new path as `dataset`") from None
    return recipe


def _absolute(dataset: str) -> str:
    """Return the name of a built-in data set unchanged, and a path as an absolute path."""
    return dataset if dataset in SOURCES else path_text(user_path(dataset, "dataset").resolve())


def _is_shadowed(name: str) -> bool:
    return name in SOURCES and Path(name).exists()


def _candidates(recipe: str | os.PathLike[str] | Recipe, merged: Recipe, chosen: set[str]) -> Candidates | None:
    """Return what a race is to choose, if the recipe is the built-in one that has it."""
    if recipe != DEFAULT_RECIPE or is_own_model(merged.model.name):
        return None
    candidates = load_candidates().open_to(merged, chosen)
    return None if candidates.none else candidates


def _loaded(recipe: str | os.PathLike[str] | Recipe) -> tuple[Recipe, frozenset[str]]:
    """Return the recipe and the keys that the user chose in it."""
    if isinstance(recipe, Recipe):
        return recipe, frozenset(flat(recipe.model_dump(exclude_unset=True)))
    return load_recipe(recipe)


def _hints(recipe: Recipe, chosen: frozenset[str]) -> dict[str, Any]:
    source = SOURCES.get(recipe.data.dataset)
    if is_pretrained(recipe.model.name):
        chosen |= {"image_size"}  # its weights are for larger pictures than a network that starts from scratch needs
    return hints_that_hold(source.hints, chosen) if source else {}
