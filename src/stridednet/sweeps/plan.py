"""A sweep plan: a TOML file that says what is varied around which base, and which claim that tests."""

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from stridednet.errors import InputError
from stridednet.limits import read_toml
from stridednet.models.own_model import check_named_by
from stridednet.recipe import Recipe, flat
from stridednet.storage import user_path
from stridednet.sweeps.claims import Expected
from stridednet.sweeps.design import DEFAULT_FOLDS, DEFAULT_RECIPE, SweepDesign, Until, design_sweep
from stridednet.sweeps.effect import MARGIN
from stridednet.sweeps.own_models import absolute, short_variant

_PLANS = Path(__file__).parent / "plans"


class SweepPlan(BaseModel):
    """The content of a sweep plan; `design` can override parts of it.

    ``expect`` maps variant names (``model.stem_kernel=7``) to the accuracy that the claim predicts, compared with the
    base's. Predictions are written down before anything is trained.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    claim: str = ""
    parameter: str = ""  # the Conv2D parameter that the claim is about
    recipe: str = DEFAULT_RECIPE
    seeds: int | None = Field(default=None, ge=1)
    folds: int = Field(default=DEFAULT_FOLDS, ge=2)
    margin: float = Field(default=MARGIN, gt=0, lt=1)
    one_at_a_time: bool = False
    base: dict[str, Any] = {}
    vary: dict[str, list[Any]]
    expect: dict[str, Expected] = {}

    @model_validator(mode="before")
    @classmethod
    def _dotted(cls, content: Any) -> Any:
        """Accept ``model.stem_kernel = 3`` without quotes in a table, which TOML reads as nested tables."""
        if not isinstance(content, Mapping):
            return content
        tables = {key: flat(content[key]) for key in ("base", "vary") if isinstance(content.get(key), Mapping)}
        return {**content, **tables}

    def design(
        self,
        dataset: str | os.PathLike[str] | None,
        *,
        seeds: int | None = None,
        folds: int | None = None,
        margin: float | None = None,
        until: Until | None = None,
        budget: float | None = None,
        recipe: str | os.PathLike[str] | Recipe | None = None,
        settings: Mapping[str, Any] | None = None,
        one_at_a_time: bool | None = None,
        trust: bool = False,
    ) -> SweepDesign:
        """Return the design of this plan on a data set; arguments that are not None override the plan.

        Args:
            dataset: A data set folder, an archive of one, or the name of a built-in data set; None for the recipe's.
            seeds: Number of repetitions.
            folds: Number of folds.
            margin: Differences in accuracy up to this size count as none.
            until: ``"decided"`` to repeat until each effect is certain; not part of a plan.
            budget: Seconds after which the sweep ends; not part of a plan.
            recipe: The base: a recipe, the name of a built-in one, or a TOML file.
            settings: Settings by dotted key, in addition to those of the plan's base.
            one_at_a_time: Vary one axis at a time around the base instead of all combinations.
            trust: Whether a recipe in a TOML file may name Python code as its model.

        Raises:
            InputError: Something in the plan or an argument is wrong, or there is no such data set.
        """
        return design_sweep(
            dataset,
            self.vary,
            seeds=self.seeds if seeds is None else seeds,
            folds=self.folds if folds is None else folds,
            margin=self.margin if margin is None else margin,
            until=until,
            budget=budget,
            recipe=self.recipe if recipe is None else recipe,
            settings=self.base | dict(settings or {}),
            one_at_a_time=self.one_at_a_time if one_at_a_time is None else one_at_a_time,
            claim=self.claim,
            expect=self.expect,
            trust=trust,
        )

    @classmethod
    def read(cls, plan: str | os.PathLike[str], *, trust: bool = False) -> Self:
        """Read a built-in plan by name, or a plan from a TOML file.

        A model in a file (``FILE.py:function``) is relative to the plan's folder.

        Args:
            plan: A name or a path.
            trust: Whether a plan in a file of yours may name such models, which are Python code. Built-in plans may.

        Raises:
            UntrustedError: The plan names Python code, and is not trusted.
            InputError: There is no such plan, it is not valid TOML, or something in it is wrong.
        """
        file = _file_of(plan)
        try:
            content = cls.model_validate(read_toml(file))
        except OSError as error:
            raise InputError(f"cannot read the sweep plan {file}: {error.strerror}") from None
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"])
            reason = first["msg"][0].lower() + first["msg"][1:]
            raise InputError(f"{file}: '{key}': {reason}. Received: {first['input']!r}") from None
        except ValueError as error:
            raise InputError(f"{file} is not a valid TOML file: {error}") from None
        for value in (*content.base.values(), *(value for axis in content.vary.values() for value in axis)):
            if isinstance(value, str):
                check_named_by(file, value, trust=trust or file.parent == _PLANS)
        return content.model_copy(
            update={
                "base": {key: absolute(value, file.parent) for key, value in content.base.items()},
                "vary": {key: [absolute(value, file.parent) for value in axis] for key, axis in content.vary.items()},
                "expect": {short_variant(name): expected for name, expected in content.expect.items()},
            }
        )


def builtin_plans() -> list[str]:
    """Return the names of the plans that come with the package."""
    return sorted(file.stem for file in _PLANS.glob("*.toml"))


def _file_of(plan: str | os.PathLike[str]) -> Path:
    name, known = os.fspath(plan), builtin_plans()
    if name in known:
        return _PLANS / f"{name}.toml"
    file = user_path(plan, "plan")
    if file.exists():
        return file
    near = difflib.get_close_matches(file.stem, known, n=3)
    advice = f"did you mean {' or '.join(near)}? Or else give" if near else "give"
    raise InputError(f"no sweep plan '{name}': {advice} a TOML file or one of {', '.join(known)}")
