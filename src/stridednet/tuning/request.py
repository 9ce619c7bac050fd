"""What a user asks a tuning for, checked without importing Keras."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stridednet.errors import InputError
from stridednet.recipe import Recipe
from stridednet.resolve import Resolution, resolve


@dataclass(frozen=True)
class Request:
    """A tuning before anything is trained; made by `make_request`.

    Args:
        resolution: The default recipe, and what is left to choose in it by a race.
        budget: Seconds.
        fixed: Dotted keys of the settings that are not changed.
    """

    resolution: Resolution
    budget: float
    fixed: frozenset[str]

    @property
    def recipe(self) -> Recipe:
        """The default recipe before the race."""
        return self.resolution.recipe

    def content(self) -> dict[str, Any]:
        """Return the request as JSON can contain it, to recognize it when the same call is repeated."""
        return {"recipe": self.recipe.to_toml(), "budget": self.budget, "fixed": sorted(self.fixed)}


def make_request(
    dataset: str | os.PathLike[str] | None, budget: float, settings: Mapping[str, Any] | None = None
) -> Request:
    """Return a checked request; arguments as for `stridednet.tune`.

    Raises:
        InputError: An argument or a setting is wrong, or there is no such data set.
    """
    if not 0 < budget < math.inf:
        raise InputError(f"budget must be a positive number of seconds. Received: {budget}")
    return Request(resolve(dataset, settings=settings), budget, frozenset(settings or {}))
