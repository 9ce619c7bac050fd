"""A recipe: every setting of a training as one frozen, validated object. TOML in, overrides, TOML out."""

import difflib
import math
import os
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import tomli_w
from pydantic import Field, ValidationError

from stridednet.errors import RecipeError
from stridednet.settings import (
    AugmentationSettings,
    ColorJitterSettings,
    DataSettings,
    MixingSettings,
    ModelSettings,
    OptimizerSettings,
    PositiveInt,
    Precision,
    Rate,
    Settings,
)

DEFAULT_RECIPE = "accurate"


class Recipe(Settings):
    """Every setting of a training. Its defaults are the `tutorial` recipe."""

    name: Annotated[str, Field(pattern=r"^[\w][\w.-]*$")] = "tutorial"  # part of the run directory's name
    image_size: Annotated[int, Field(ge=8, le=1024)] = 96
    batch_size: PositiveInt | Literal["auto"] = 32
    epochs: PositiveInt | Literal["auto"] = 50
    effort: Annotated[float, Field(gt=0)] = 600.0  # how long epochs = "auto" trains; see `Recipe.sized`
    validation_freq: PositiveInt = 1  # validate after every so many epochs, as in Keras' `fit`, and after the last
    label_smoothing: Rate = 0.0
    precision: Precision = "auto"
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    data: DataSettings = DataSettings()
    model: ModelSettings = ModelSettings()
    augmentation: AugmentationSettings = AugmentationSettings()
    color_jitter: ColorJitterSettings = ColorJitterSettings()
    mixing: MixingSettings = MixingSettings()
    optimizer: OptimizerSettings = OptimizerSettings()

    def replace(self, settings: Mapping[str, Any]) -> Self:
        """Return a copy in which dotted keys (``model.stem_kernel``) have new values.

        Raises:
            RecipeError: A key is unknown (the message names the nearest ones) or a value is not allowed.
        """
        nested = self.model_dump()
        for key, value in settings.items():
            _put(nested, key, value)
        return type(self).from_settings(nested)

    def value_of(self, key: str) -> Any:
        """Return the value of a setting by its dotted key."""
        return flat(self.model_dump())[key]

    def sized(self, images: int, classes: int) -> Self:
        """Return a copy in which batch size, epochs and learning rate fit the training images; ``auto`` is gone.

        The rule: about 52 steps an epoch, as the tutorial has, in batches of 16, 32, 64 or 128; the learning rate is
        meant for batches of 32 and grows with the root of the batch (Malladi et al. 2022, arXiv:2205.10287, for Adam);
        and ``effort * sqrt(images * classes)`` images are seen in all, so that a larger or harder set gets more, and
        each of its images is seen less often. Numbers that a recipe gives itself are kept, with its learning rate.

        Args:
            images: How many there are to train on.
            classes: How many there are to tell apart.
        """
        settings: dict[str, Any] = {}
        if self.batch_size == "auto":
            batch = 2 ** min(max(round(math.log2(max(images, 1) / 52)), 4), 7)
            settings["batch_size"] = batch
            settings["optimizer.learning_rate"] = self.optimizer.learning_rate * math.sqrt(batch / 32)
        if self.epochs == "auto":
            settings["epochs"] = max(1, round(self.effort * math.sqrt(images * classes) / max(images, 1)))
        return self.replace(settings)

    def to_toml(self) -> str:
        """Return the complete recipe as TOML; reading it back gives an equal recipe."""
        return tomli_w.dumps(self.model_dump())

    @classmethod
    def from_settings(cls, nested: Mapping[str, Any], where: str = "") -> Self:
        """Make a recipe of tables of settings, as TOML gives them; what is not set has its default.

        Args:
            nested: Settings, and tables of settings.
            where: Put in front of an error's message.

        Raises:
            RecipeError: A key is unknown (the message names the nearest ones) or a value is not allowed.
        """
        for key in flat(nested):
            if key not in SETTINGS:
                raise RecipeError(where + _unknown(key))
        try:
            return cls.model_validate(nested)
        except ValidationError as error:
            errors = error.errors()
            first = errors[0]
            key = _setting(first["loc"])
            # A setting that takes this or that has an error of each.
            reason = ", or ".join(_reason(other["msg"]) for other in errors if _setting(other["loc"]) == key)
            raise RecipeError(f"{where}setting '{key}': {reason}. Received: {first['input']!r}") from None


def flat(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return tables of settings as one table, by dotted keys."""
    found: dict[str, Any] = {}
    for key, value in nested.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[prefix + key] = value
    return found


def _setting(place: Sequence[int | str]) -> str:
    """Return the key of a validation error, without the kind of value that pydantic tried behind it."""
    parts = [str(part) for part in place]
    keys = [".".join(parts[:length]) for length in range(1, len(parts) + 1)]
    return next((key for key in keys if key in SETTINGS), keys[-1])


def _reason(message: str) -> str:
    text = message.removeprefix("Value error, ")
    return text[0].lower() + text[1:]


SETTINGS: tuple[str, ...] = tuple(flat(Recipe().model_dump()))


def _put(nested: dict[str, Any], key: str, value: Any) -> None:
    if key not in SETTINGS:
        raise RecipeError(_unknown(key))
    *tables, last = key.split(".")
    for table in tables:
        nested = nested[table]
    nested[last] = value


def _unknown(key: str) -> str:
    last_parts = {setting: setting.rpartition(".")[2] for setting in SETTINGS}
    near = difflib.get_close_matches(key, SETTINGS, n=3, cutoff=0.75)
    wanted = key.rpartition(".")[2]
    near += [
        setting
        for setting, last in last_parts.items()
        if setting not in near and difflib.SequenceMatcher(None, wanted, last).ratio() > 0.8
    ]
    advice = f"did you mean {' or '.join(near[:3])}?" if near else f"known settings: {', '.join(SETTINGS)}"
    return f"unknown setting '{key}'; {advice}"


def builtin_recipes() -> list[str]:
    """Return the names of the recipes that come with the package."""
    folder = resources.files("stridednet") / "recipes"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_recipe(source: str | os.PathLike[str] = DEFAULT_RECIPE) -> tuple[Recipe, frozenset[str]]:
    """Read a recipe by name, or from a TOML file that sets some of the keys or all.

    Returns:
        The recipe, and the dotted keys that the user chose: those in a file of theirs, none for a built-in recipe. The
        hints of a named data set give way to them.

    Raises:
        RecipeError: There is no such recipe or file, it is no TOML, or a setting in it is wrong.
    """
    name = os.fspath(source)
    if name in builtin_recipes():
        text = (resources.files("stridednet") / "recipes" / f"{name}.toml").read_text(encoding="utf-8")
        return Recipe.from_settings(tomllib.loads(text)), frozenset()
    path = Path(source)
    if not path.is_file():
        raise RecipeError(f"no recipe '{name}': give a TOML file or one of {', '.join(builtin_recipes())}")
    try:
        nested = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} is no TOML file: {error}") from None
    nested.setdefault("name", re.sub(r"[^\w.-]", "-", path.stem))
    return Recipe.from_settings(nested, where=f"{path}: "), frozenset(flat(nested))


def parse_override(text: str) -> tuple[str, Any]:
    """Read ``KEY=VALUE`` from the command line; the value is TOML, or else plain text.

    >>> parse_override("model.filters=[16, 32]")
    ('model.filters', [16, 32])
    >>> parse_override("model.kernel_regularizer=l2(0.001)")
    ('model.kernel_regularizer', 'l2(0.001)')
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise RecipeError(f"--set wants KEY=VALUE, for instance model.stem_kernel=5. Received: {text!r}")
    try:
        return key.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key.strip(), value.strip()


def hints_that_hold(hints: Mapping[str, Any], chosen: Iterable[str]) -> dict[str, Any]:
    """Return the hints of a data set on which the user said nothing."""
    said = set(chosen)
    return {key: value for key, value in hints.items() if key not in said}
