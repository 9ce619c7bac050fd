"""The settings of a training, table by table, with their allowed values. Their defaults are the tutorial's."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from stridednet.conv2d.initialization import Initializer
from stridednet.conv2d.window import Padding

ActivationName = Literal[
    "elu", "gelu", "hard_silu", "leaky_relu", "linear", "relu", "relu6", "selu", "sigmoid", "silu", "softplus", "tanh"
]

REGULARIZERS = ("none", "l1(x)", "l2(x)", "l1_l2(x, y)")
CONSTRAINTS = ("none", "max_norm(x)", "min_max_norm(x, y)", "non_neg", "unit_norm")


@dataclass(frozen=True)
class Term:
    """A name with numbers, as a recipe writes regularizers and constraints: ``l2(0.0005)``, ``none``."""

    name: str
    numbers: tuple[float, ...]


def parse_term(text: str, forms: Iterable[str]) -> Term:
    """Read ``name`` or ``name(number, ...)``.

    Args:
        text: What the recipe says.
        forms: The allowed forms, such as ``l1_l2(x, y)``.

    Raises:
        ValueError: The text has none of the forms.
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
    parse_term(text, REGULARIZERS)
    return text


def _checked_constraint(text: str) -> str:
    parse_term(text, CONSTRAINTS)
    return text


Regularizer = Annotated[str, AfterValidator(_checked_regularizer)]
Constraint = Annotated[str, AfterValidator(_checked_constraint)]
PositiveInt = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(ge=0, lt=1)]
Precision = Literal["auto", "bfloat16", "float32"]


class Settings(BaseModel):
    """A table of settings."""

    # Strict, so that `true` is no number and "5" no integer: a recipe means what it says.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class DataSettings(Settings):
    """Which pictures, and how they are divided."""

    dataset: str = "digits"
    labels: Annotated[tuple[str, ...], Field(strict=False)] = ()  # empty: all of them
    strict: bool = False  # a file that cannot be used is an error
    test_size: Annotated[float, Field(gt=0, lt=1)] = 0.25
    split_seed: Annotated[int, Field(ge=0, lt=2**32)] = 42
    train_per_class: Annotated[int, Field(ge=0)] = 0  # above 0: draw so many of each class instead of a share,
    test_per_class: Annotated[int, Field(ge=0)] = 0  # and test on up to so many of those left over; 0: on all


class ModelSettings(Settings):
    """The architecture and the arguments of its builder; the defaults are the tutorial's."""

    name: str = "stridednet"
    stem_filters: PositiveInt = 16
    stem_kernel: PositiveInt = 7
    stem_padding: Padding = "valid"
    filters: Annotated[tuple[PositiveInt, ...], Field(strict=False, min_length=1)] = (32, 64, 128)
    kernel_size: PositiveInt = 3
    downsample: Literal["strides", "max_pool"] = "strides"
    padding: Padding = "same"
    dilation_rate: PositiveInt = 1
    groups: PositiveInt = 1
    activation: ActivationName = "relu"
    use_bias: bool = True
    kernel_initializer: Initializer = "he_normal"
    bias_initializer: Initializer = "zeros"
    kernel_regularizer: Regularizer = "l2(0.0005)"
    bias_regularizer: Regularizer = "none"
    activity_regularizer: Regularizer = "none"
    kernel_constraint: Constraint = "none"
    bias_constraint: Constraint = "none"
    dropout: Rate = 0.25
    dense_units: PositiveInt = 512
    dense_dropout: Rate = 0.5
    pixel_range: Literal["0 to 1", "-2 to 2"] = "0 to 1"  # what 0 to 255 becomes inside the model
    batch_norm: bool = True
    norm_momentum: Rate = 0.99  # of batch normalisation's moving statistics; Keras' default


class AugmentationSettings(Settings):
    """Ranges of the random warp of training images, under the names of the old ``ImageDataGenerator``."""

    rotation_range: Annotated[float, Field(ge=0, le=180)] = 20.0
    width_shift_range: Annotated[float, Field(ge=0, le=1)] = 0.2
    height_shift_range: Annotated[float, Field(ge=0, le=1)] = 0.2
    shear_range: Annotated[float, Field(ge=0, lt=90)] = 0.15
    zoom_range: Rate = 0.15
    horizontal_flip: bool = True


class ColorJitterSettings(Settings):
    """Ranges of random factors on the colours of training images; see `stridednet.data.color.ColorJitter`."""

    brightness: Rate = 0.0
    contrast: Rate = 0.0
    saturation: Rate = 0.0


class MixingSettings(Settings):
    """How training images are mixed with one another; see `stridednet.data.mixing.Mixing`."""

    mixup: Annotated[float, Field(ge=0)] = 0.0


class OptimizerSettings(Settings):
    """The optimizer and its learning-rate schedule."""

    name: Literal["adam", "adamw"] = "adam"
    learning_rate: Annotated[float, Field(gt=0)] = 1e-4
    schedule: Literal["inverse_time", "one_cycle"] = "inverse_time"
    decay: Annotated[float, Field(ge=0)] = 1e-4  # of inverse_time
    warmup: Annotated[float, Field(gt=0, lt=1)] = 0.25  # of one_cycle: the share of the steps in which the rate rises
    weight_decay: Annotated[float, Field(ge=0)] = 0.0  # of adamw, on kernels only
    beta_2: Annotated[float, Field(gt=0, lt=1)] = 0.999
