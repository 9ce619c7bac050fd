"""The settings of a training in tables, with their allowed values; those of models are in `model_settings.py`.

Defaults are the tutorial's.
"""

import math
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from stridednet.storage import path_text

ActivationName = Literal[
    "elu", "gelu", "hard_silu", "leaky_relu", "linear", "relu", "relu6", "selu", "sigmoid", "silu", "softplus", "tanh"
]

REGULARIZERS = ("none", "l1(x)", "l2(x)", "l1_l2(x, y)")
CONSTRAINTS = ("none", "max_norm(x)", "min_max_norm(x, y)", "non_neg", "unit_norm")


@dataclass(frozen=True)
class Term:
    """A name with numbers, as recipes write regularizers and constraints: ``l2(0.0005)``, ``none``."""

    name: str
    numbers: tuple[float, ...]


def parse_term(text: str, forms: Iterable[str]) -> Term:
    """Read ``name`` or ``name(number, ...)``.

    Args:
        text: The value in the recipe.
        forms: The allowed forms, such as ``l1_l2(x, y)``.

    Raises:
        ValueError: The text does not have any of the forms.
    """
    match = re.fullmatch(r"\s*(\w+)\s*(?:\(([^()]*)\))?\s*", text)
    for form in forms:
        name, _, letters = form.partition("(")
        if match is None or match[1] != name:
            continue
        try:
            numbers = tuple(float(part) for part in match[2].split(",")) if match[2] else ()
        except ValueError:
            break
        if len(numbers) == (letters.count(",") + 1 if letters else 0):
            return Term(name, numbers)
    raise ValueError(f"should be one of {', '.join(forms)}, with numbers for letters")


def _checked_regularizer(text: str) -> str:
    return _checked_term(text, REGULARIZERS)


def _checked_constraint(text: str) -> str:
    return _checked_term(text, CONSTRAINTS)


def _checked_term(text: str, forms: Iterable[str]) -> str:
    if not all(0 <= number < math.inf for number in parse_term(text, forms).numbers):
        raise ValueError("the numbers should be finite and at least 0")
    return text


Regularizer = Annotated[str, AfterValidator(_checked_regularizer)]
Constraint = Annotated[str, AfterValidator(_checked_constraint)]
PositiveInt = Annotated[int, Field(ge=1, le=10**6)]
Size = Annotated[int, Field(ge=1, le=65_536)]  # of a layer: filters, units, kernels
Rate = Annotated[float, Field(ge=0, lt=1)]
Factor = Annotated[float, Field(ge=0, le=10**6)]
ConcretePrecision = Literal["bfloat16", "float32"]
Precision = Literal["auto", "bfloat16", "float32"]
ResizeRule = Literal["squash", "crop", "pad"]  # see `stridednet.data.decode.resize`


def plain(value: Any) -> Any:
    """Return a value without the types of other libraries: NumPy's numbers and arrays, and paths.

    >>> import numpy as np
    >>> plain(np.int64(3)), plain([np.float64(0.5), np.bool_(True)]), plain(np.array([8, 16])), plain(Path("a"))
    (3, [0.5, True], [8, 16], 'a')
    """
    if hasattr(value, "dtype") and hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    return type(value)(map(plain, value)) if type(value) in (list, tuple) else value


class Settings(BaseModel):
    """A table of settings."""

    # Strict, so that `true` is not accepted as a number, nor "5" as an integer.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, settings: Any) -> Any:
        return plain(settings)


def _checked_dataset(text: str) -> str:
    if not text.strip() or "\0" in text:
        raise ValueError("should be a folder, an archive of one, or the name of a built-in data set")
    return path_text(Path(text)) if _has_escaped_bytes(text) else text


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def _has_escaped_bytes(text: str) -> bool:
    """Return whether a text has bytes that are not valid UTF-8, as Python represents them in file names (PEP 383)."""
    return any("\udc80" <= character <= "\udcff" for character in text)


class DataSettings(Settings):
    """The data set and how it is split."""

    # A path that is not valid UTF-8 is a URI, since a TOML file cannot contain it; see `stridednet.storage.path_text`.
    dataset: Annotated[str, AfterValidator(_checked_dataset)] = "digits"
    labels: Annotated[
        tuple[Annotated[str, AfterValidator(_printable)], ...], Field(strict=False)
    ] = ()  # empty: all classes
    labels_from: str = ""  # "name", a CSV file, or CSV:FILES,LABELS; empty: the names of folders
    exclude: Annotated[tuple[str, ...], Field(strict=False)] = ()  # patterns of files and folders to ignore
    skip_empty: bool = False  # whether classes without training pictures are left out instead of being an error
    strict: bool = False  # whether a file that cannot be used is an error
    test_size: Annotated[float, Field(gt=0, lt=1)] = 0.25
    group_copies: bool = True  # whether copies of a picture are kept in the same subset of a split that is drawn
    split_seed: Annotated[int, Field(ge=0, lt=2**32)] = 42
    train_per_class: Annotated[int, Field(ge=0)] = 0  # above 0: draw this number per class instead of a share,
    test_per_class: Annotated[int, Field(ge=0)] = 0  # and test on at most this number of the others; 0: all of them


def _ascending(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise ValueError("should be two numbers of which the first one is not larger than the second one")
    return pair


class AugmentationSettings(Settings):
    """Ranges of the random warps of training images.

    They are named as in Keras' former ``ImageDataGenerator``, and as in torchvision's ``RandomResizedCrop``.
    """

    rotation_range: Annotated[float, Field(ge=0, le=180)] = 20.0
    width_shift_range: Annotated[float, Field(ge=0, le=1)] = 0.2
    height_shift_range: Annotated[float, Field(ge=0, le=1)] = 0.2
    shear_range: Annotated[float, Field(ge=0, lt=90)] = 0.15
    zoom_range: Rate = 0.15
    horizontal_flip: bool = True
    # Of random crops: their area as a fraction of the image's, and width divided by height. (1, 1) and (1, 1): none.
    scale: Annotated[
        tuple[Annotated[float, Field(gt=0, le=1)], Annotated[float, Field(gt=0, le=1)]],
        Field(strict=False),
        AfterValidator(_ascending),
    ] = (1.0, 1.0)
    ratio: Annotated[
        tuple[Annotated[float, Field(ge=0.1, le=10)], Annotated[float, Field(ge=0.1, le=10)]],
        Field(strict=False),
        AfterValidator(_ascending),
    ] = (1.0, 1.0)
    trivial_augment: bool = False  # one random operation on each image; see `stridednet.data.trivial_augment`


class ColorJitterSettings(Settings):
    """Ranges of random factors on the colors of training images; see `stridednet.data.color.ColorJitter`."""

    brightness: Rate = 0.0
    contrast: Rate = 0.0
    saturation: Rate = 0.0


class MixingSettings(Settings):
    """How training images are mixed with each other; see `stridednet.data.mixing.Mixing`."""

    mixup: Factor = 0.0


class OptimizerSettings(Settings):
    """The optimizer and its learning-rate schedule."""

    name: Literal["adam", "adamw"] = "adam"
    learning_rate: Annotated[float, Field(gt=0, le=1e38)] = 1e-4  # as far as float32 goes
    schedule: Literal["inverse_time", "one_cycle"] = "inverse_time"
    decay: Factor = 1e-4  # of inverse_time
    warmup: Annotated[float, Field(gt=0, lt=1)] = 0.25  # of one_cycle: share of the steps in which the rate rises
    weight_decay: Factor = 0.0  # of adamw, on kernels only
    beta_2: Annotated[float, Field(gt=0, lt=1)] = 0.999
