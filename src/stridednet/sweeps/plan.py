"""A sweep as a file: what is varied around which base, and the claim that it puts to the test."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from stridednet.errors import InputError
from stridednet.recipe import flat

Expected = Literal["higher", "lower", "same", "not lower"]


class SweepPlan(BaseModel):
    """What a sweep file says; the command line may say otherwise.

    ``expect`` gives, for a variant by its name (``model.stem_kernel=7``), what the claim says of its accuracy beside
    the base's. It is written down before anything is trained.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    claim: str = ""
    parameter: str = ""  # of Conv2D, that the claim is about
    recipe: str = "fast"
    seeds: int = Field(default=5, ge=1)
    one_at_a_time: bool = False
    base: dict[str, Any] = {}
    vary: dict[str, list[Any]]
    expect: dict[str, Expected] = {}

    @model_validator(mode="before")
    @classmethod
    def _dotted(cls, content: Any) -> Any:
        """Let ``model.stem_kernel = 3`` stand in a table without quotes, where TOML makes tables of it."""
        if not isinstance(content, Mapping):
            return content
        tables = {key: flat(content[key]) for key in ("base", "vary") if isinstance(content.get(key), Mapping)}
        return {**content, **tables}

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Self:
        """Read a sweep file.

        Raises:
            InputError: There is no such file, it is no TOML, or something in it is wrong.
        """
        file = Path(path)
        try:
            return cls.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
        except OSError as error:
            raise InputError(f"the sweep file {file} cannot be read: {error.strerror}") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{file} is no TOML file: {error}") from None
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"])
            reason = first["msg"][0].lower() + first["msg"][1:]
            raise InputError(f"{file}: '{key}': {reason}. Received: {first['input']!r}") from None
