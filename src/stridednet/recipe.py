"""A recipe: every setting of a training as one frozen, validated object, read from and written as TOML."""

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
from stridednet.limits import MAX_IMAGE_SIZE, read_toml
from stridednet.model_settings import (
    DEFAULT_MODEL,
    MODEL_SETTINGS,
    KerasApplicationSettings,
    ModelSettings,
    PretrainedSettings,
    StridedNetSettings,
    settings_of_model,
)
from stridednet.settings import (
    AugmentationSettings,
    ColorJitterSettings,
    DataSettings,
    MixingSettings,
    OptimizerSettings,
    PositiveInt,
    Precision,
    Rate,
    ResizeRule,
    Settings,
    plain,
)
from stridednet.storage import user_path

DEFAULT_RECIPE = "auto"  # its file also has what `stridednet.candidates` reads
PRETRAINED_RECIPE = "pretrained"  # the default for pretrained models
_MOST_EPOCHS = 100_000  # of which the history can be read again; see `limits.MAX_VALUES`
_MOST_VALIDATIONS = 25  # of a training
_TUNED_FROM = 100  # images per class
_MOST_TUNING = 6  # epochs
_IMAGES_OF_TUNING = 20_000
_LONGEST = 200  # characters of a value in a message


class Recipe(Settings):
    """Every setting of a training. The defaults are those of the `tutorial` recipe.

    Examples:
        >>> recipe = Recipe(epochs=5, model={"name": "vgg", "filters": [16, 32]})
        >>> recipe.model.filters, recipe.image_size
        ((16, 32), 96)
        >>> recipe.replace({"model.dropout": 0.1}).model.dropout
        0.1
    """

    name: Annotated[str, Field(pattern=r"^[\w][\w.-]*$")] = "tutorial"  # part of the run directory's name
    image_size: Annotated[int, Field(ge=8, le=MAX_IMAGE_SIZE)] = 96
    resize: ResizeRule = "squash"
    batch_size: PositiveInt | Literal["auto"] = 32
    epochs: Annotated[int, Field(ge=1, le=_MOST_EPOCHS)] | Literal["auto"] = 50
    effort: Annotated[float, Field(gt=0, le=10**6)] = (
        600.0  # length of a training with epochs = "auto"; see `Recipe.sized`
    )
    # Validate after every n epochs, as in Keras' `fit`, and after the last; auto: at most 25 times
    validation_freq: PositiveInt | Literal["auto"] = 1
    label_smoothing: Rate = 0.0
    class_weights: Literal["none", "auto"] = "none"  # weights of the classes in the loss; see `stridednet.data.balance`
    precision: Precision = "auto"
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    data: DataSettings = DataSettings()
    model: ModelSettings = StridedNetSettings()
    augmentation: AugmentationSettings = AugmentationSettings()
    color_jitter: ColorJitterSettings = ColorJitterSettings()
    mixing: MixingSettings = MixingSettings()
    optimizer: OptimizerSettings = OptimizerSettings()

    def __init__(self, **settings: Any) -> None:
        """Make a recipe; what is not set has its default.

        Args:
            **settings: Settings, and tables of settings as mappings or objects.

        Raises:
            RecipeError: A setting is unknown (the message suggests similar ones) or its value is not allowed.
        """
        _check_names(settings)
        try:
            super().__init__(**settings)
        except ValidationError as error:
            raise RecipeError(_why(error)) from None

    def replace(self, settings: Mapping[str, Any]) -> Self:
        """Return a copy in which dotted keys (``model.stem_kernel``) have new values.

        With a new ``model.name``, the settings that both models have are kept.

        Raises:
            RecipeError: A key is unknown (the message suggests similar ones) or a value is not allowed.
        """
        nested = self.model_dump()
        model = plain(settings.get("model.name", self.model.name))
        if model != self.model.name:
            _check_names({"model": {"name": model}})
            table = settings_of_model(model)
            fields = table.model_fields if table else {}
            nested["model"] = {key: value for key, value in nested["model"].items() if key in fields}
        for key, value in settings.items():
            _put(nested, key, value)
        return type(self)(**nested)

    @property
    def source_size(self) -> int:
        """Height and width of the pictures that random crops are taken from, in pixels.

        The smallest crop then has as many pixels as the model's images. It is at most twice their size, which is the
        most that a warp with linear interpolation can shrink without leaving out pixels.
        """
        smallest = math.sqrt(self.augmentation.scale[0])
        return min(math.ceil(self.image_size / smallest), 2 * self.image_size)

    def value_of(self, key: str) -> Any:
        """Return the value of a setting by its dotted key."""
        return flat(self.model_dump())[key]

    def sized(self, images: int, classes: int) -> Self:
        """Return a copy in which ``auto`` is replaced by numbers that fit the training images.

        The rule: about 52 steps per epoch, as in the tutorial, with a batch size of 16, 32, 64 or 128; the learning
        rate is meant for batches of 32 and is scaled with the square root of the batch size (Malladi et al. 2022,
        arXiv:2205.10287, for Adam); ``effort * sqrt(images * classes)`` images are seen in total, so that a larger or
        harder data set is trained longer, while each of its images is seen less often; the curve has at most 25 points,
        since each takes a pass over the val or test images. Numbers that are set in the recipe are kept, the learning
        rate included.

        A pretrained model is fine-tuned where there are at least 100 images per class, for 6 epochs after the first one
        and fewer if more than 20,000 images would be seen. `docs/pretrained.md` has the measurements.

        Args:
            images: Number of training images.
            classes: Number of classes.
        """
        settings: dict[str, Any] = {}
        if self.batch_size == "auto":
            batch = 2 ** min(max(round(math.log2(max(images, 1) / 52)), 4), 7)
            settings["batch_size"] = batch
            settings["optimizer.learning_rate"] = self.optimizer.learning_rate * math.sqrt(batch / 32)
        if self.epochs == "auto" and isinstance(self.model, PretrainedSettings):
            settings["epochs"] = 1 + _tuning_epochs(images, classes)
        elif self.epochs == "auto":
            epochs = round(self.effort * math.sqrt(images * classes) / max(images, 1))
            settings["epochs"] = min(max(1, epochs), _MOST_EPOCHS)
        if self.validation_freq == "auto":
            settings["validation_freq"] = math.ceil(settings.get("epochs", self.epochs) / _MOST_VALIDATIONS)
        return self.replace(settings)

    def to_toml(self) -> str:
        """Return the complete recipe as TOML; reading it back gives an equal recipe."""
        return tomli_w.dumps(self.model_dump())


def _tuning_epochs(images: int, classes: int) -> int:
    """Return for how many epochs the last blocks of a pretrained model are trained."""
    if images < _TUNED_FROM * classes:
        return 0
    return min(_MOST_TUNING, max(1, round(_IMAGES_OF_TUNING / images)))


def flat(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested tables of settings as one table with dotted keys."""
    found: dict[str, Any] = {}
    for key, value in nested.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[prefix + key] = value
    return found


def _check_names(nested: Mapping[str, Any]) -> None:
    """Raise a `RecipeError` for a model or a setting that does not exist; similar ones are suggested."""
    model = nested.get("model", {})
    if not isinstance(model, (Mapping, Settings)):
        raise RecipeError(f"setting 'model': should be a table of settings, such as model.name. Received: {model!r}")
    name = model.get("name", DEFAULT_MODEL) if isinstance(model, Mapping) else getattr(model, "name", None)
    name = plain(name)
    if not isinstance(name, str):
        raise RecipeError(f"setting 'model.name': should be a string. Received: {name!r}")
    table = settings_of_model(name)
    if table is None:
        near = difflib.get_close_matches(name, MODEL_SETTINGS) or sorted(MODEL_SETTINGS)
        raise RecipeError(
            f"setting 'model.name': there is no model '{name}'; choose {' or '.join(near)}, or your own as "
            "FILE.py:function"
        )
    for key in flat(nested):
        first, _, field = key.partition(".")
        if key not in SETTINGS and key not in _TABLES:
            raise RecipeError(_unknown(key))
        if first == "model" and field and field not in table.model_fields:
            raise RecipeError(_not_taken(name, field, table))


def _not_taken(model: str, field: str, table: type[Settings]) -> str:
    takes = ", ".join(sorted(set(table.model_fields) - {"name"}))
    reason = f"it has {takes}" if takes else "your function decides it"
    return f"setting 'model.{field}': the model '{model}' does not have it; {reason}"


def _why(error: ValidationError) -> str:
    """Return the reason of a validation error, in one line."""
    errors = error.errors()
    first = errors[0]
    key = _setting(first["loc"])
    # A setting with alternative types has an error for each.
    reason = ", or ".join(_reason(other["msg"]) for other in errors if _setting(other["loc"]) == key)
    return f"setting '{key}': {reason}. Received: {_short(first['input'])}"


def _short(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:  # Python does not print integers of more than 4,300 digits
        return "a number that is too long to print"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} and so on"


def _setting(place: Sequence[int | str]) -> str:
    """Return the key of a validation error, without what pydantic adds: a model's name, and the type that it tried."""
    parts = [str(part) for part in place]
    if parts[0] == "model":
        parts[1:2] = []
    keys = [".".join(parts[:length]) for length in range(1, len(parts) + 1)]
    return next((key for key in keys if key in SETTINGS), keys[-1])


def _reason(message: str) -> str:
    text = message.removeprefix("Value error, ")
    return text[0].lower() + text[1:]


# All keys, those of every model included.
_MODEL_TABLES: tuple[type[Settings], ...] = (*MODEL_SETTINGS.values(), KerasApplicationSettings)
_TABLES = {name for name, value in Recipe() if isinstance(value, Settings)}
SETTINGS: tuple[str, ...] = tuple(
    dict.fromkeys(
        [
            *(key for key in flat(Recipe().model_dump())),
            *(f"model.{field}" for table in _MODEL_TABLES for field in table.model_fields),
        ]
    )
)


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
    """Read a recipe by name, or from a TOML file that sets some or all of the keys.

    Returns:
        The recipe, and the dotted keys that the user chose: all those in the user's file, none for a built-in recipe.
        They take precedence over the hints of a data set.

    Raises:
        RecipeError: The recipe or file does not exist, is not valid TOML, or a setting in it is wrong.

    Examples:
        >>> recipe, chosen = load_recipe("fast")
        >>> recipe.image_size, recipe.optimizer.name
        (48, 'adamw')
    """
    name = os.fspath(source)
    if name in builtin_recipes():
        text = (resources.files("stridednet") / "recipes" / f"{name}.toml").read_text(encoding="utf-8")
        nested = tomllib.loads(text)
        nested.pop("race", None)  # see `stridednet.candidates`
        return Recipe(**nested), frozenset()
    path = user_path(source, "recipe") if name else Path()
    if not path.is_file():
        raise RecipeError(f"there is no recipe '{name}'; use a TOML file or one of {', '.join(builtin_recipes())}")
    try:
        nested = read_toml(path)
    except OSError as error:
        raise RecipeError(f"cannot read the recipe {path}: {error.strerror}") from None
    except ValueError as error:
        raise RecipeError(f"{path} is not a valid TOML file: {error}") from None
    nested.setdefault("name", re.sub(r"[^\w.-]", "-", path.stem))
    try:
        return Recipe(**nested), frozenset(flat(nested))
    except RecipeError as error:
        raise RecipeError(f"{path}: {error}") from None


def parse_override(text: str) -> tuple[str, Any]:
    """Read ``KEY=VALUE``; the value is TOML or, if that fails, plain text.

    >>> parse_override("model.filters=[16, 32]")
    ('model.filters', [16, 32])
    >>> parse_override("model.kernel_regularizer=l2(0.001)")
    ('model.kernel_regularizer', 'l2(0.001)')
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise RecipeError(f"a setting is written KEY=VALUE, for example model.stem_kernel=5. Received: {text!r}")
    try:
        return key.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key.strip(), value.strip()


def hints_that_hold(hints: Mapping[str, Any], chosen: Iterable[str]) -> dict[str, Any]:
    """Return the hints of a data set for settings that the user did not choose."""
    said = set(chosen)
    return {key: value for key, value in hints.items() if key not in said}
