"""The candidates among which the recipe `auto` chooses."""

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from importlib import resources
from typing import Any

from stridednet.recipe import DEFAULT_RECIPE, Recipe, flat


@dataclass(frozen=True)
class Candidate:
    """A kind of recipe.

    Args:
        name: Its name.
        settings: Settings by dotted key that differ from the recipe `auto`.
        handicap: By how much its accuracy in short trainings overstates that in whole ones, compared with the first
            kind.
        least_classes: It is a candidate for data sets with at least this number of classes.
    """

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    handicap: float = 0.0
    least_classes: int = 2

    def of(self, recipe: Recipe) -> Recipe:
        """Return a recipe with these settings."""
        return recipe.replace(self.settings)


@dataclass(frozen=True)
class Candidates:
    """What the recipe `auto` may become; the first kind is the recipe itself.

    Args:
        kinds: Kinds of recipes.
        image_sizes: Heights and widths of the images, in pixels, with their handicaps; the recipe's own is always a
            candidate, without one.
        share: The most that choosing may cost, as a share of the computation of the whole training.
        short: The name of the kind for trainings that are too short for a race, which strong augmentation needs to be
            long.
    """

    kinds: tuple[Candidate, ...]
    image_sizes: Mapping[int, float]
    share: float
    short: str = ""

    def open_to(self, recipe: Recipe, chosen: Collection[str]) -> "Candidates":
        """Return what is left to choose if a user has chosen some settings: a setting of the user holds for all kinds.

        Args:
            recipe: The recipe with the user's settings.
            chosen: Their dotted keys.
        """
        known = flat(recipe.model_dump())
        kinds: list[Candidate] = []
        for kind in self.kinds:
            settings = {key: value for key, value in kind.settings.items() if key in known and key not in chosen}
            if all(recipe.replace(settings) != other.of(recipe) for other in kinds):
                kinds.append(replace(kind, settings=settings))
        return replace(self, kinds=tuple(kinds), image_sizes={} if "image_size" in chosen else self.image_sizes)

    def without_handicaps(self) -> "Candidates":
        """Return the candidates without handicaps, which hold for trainings whose number of epochs is ``auto``."""
        kinds = tuple(replace(kind, handicap=0.0) for kind in self.kinds)
        return replace(self, kinds=kinds, image_sizes=dict.fromkeys(self.image_sizes, 0.0))

    @property
    def kind_if_short(self) -> Candidate:
        """The kind for trainings that are too short for a race."""
        return next((kind for kind in self.kinds if kind.name == self.short), self.kinds[0])

    def of_classes(self, classes: int) -> "Candidates":
        """Return the candidates for a data set with this number of classes."""
        return replace(self, kinds=tuple(kind for kind in self.kinds if kind.least_classes <= classes))

    @property
    def none(self) -> bool:
        """Whether there is nothing to choose."""
        return len(self.kinds) < 2 and not self.image_sizes


def load_candidates() -> Candidates:
    """Return the candidates of the recipe `auto`, which are in its file."""
    text = (resources.files("stridednet") / "recipes" / f"{DEFAULT_RECIPE}.toml").read_text(encoding="utf-8")
    race = tomllib.loads(text)["race"]
    kinds = tuple(Candidate(name, **kind) for name, kind in race["kinds"].items())
    sizes = {int(size): handicap for size, handicap in race["image_sizes"].items()}
    return Candidates(kinds, sizes, race["share"], race["short"])
