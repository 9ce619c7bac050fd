"""The settings of each architecture: one table each, so that a setting which a model lacks is refused.

Defaults are the tutorial's. `models/catalogue.py` has the builders that take these settings.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag

from stridednet.conv2d import initialization, window
from stridednet.settings import ActivationName, Constraint, Factor, Rate, Regularizer, Settings, Size
from stridednet.storage import path_text

# In any spelling that Keras accepts.
Initializer = Annotated[initialization.Initializer, BeforeValidator(initialization.standard_initializer)]
Padding = Annotated[window.Padding, BeforeValidator(window.standard_padding)]
Filters = Annotated[tuple[Size, ...], Field(strict=False, min_length=1, max_length=100)]


class NetworkSettings(Settings):
    """What all built-in architectures have in common."""

    name: str
    stem_filters: Size = 16
    stem_whitening: bool = False  # whether the first layer begins as `stridednet.models.whitening` describes
    filters: Filters = (32, 64, 128)
    activation: ActivationName = "relu"
    kernel_initializer: Initializer = "he_normal"
    kernel_regularizer: Regularizer = "l2(0.0005)"
    batch_norm: bool = True
    norm_momentum: Rate = 0.99  # of batch normalization's moving statistics; Keras' default
    dropout: Rate = 0.25
    dense_dropout: Rate = 0.5
    pixel_range: Literal["0 to 1", "-2 to 2"] = "0 to 1"  # what the model rescales 0 to 255 to


class _StridedLayers(NetworkSettings):
    stem_kernel: Size = 7
    stem_padding: Padding = "valid"
    kernel_size: Size = 3
    padding: Padding = "same"
    dilation_rate: Size = 1
    groups: Size = 1
    use_bias: bool = True
    bias_initializer: Initializer = "zeros"
    bias_regularizer: Regularizer = "none"
    activity_regularizer: Regularizer = "none"
    kernel_constraint: Constraint = "none"
    bias_constraint: Constraint = "none"
    dense_units: Size = 512


class StridedNetSettings(_StridedLayers):
    """The tutorial's network; see `stridednet.StridedNet.build`."""

    name: Literal["stridednet"] = "stridednet"
    downsample: Literal["strides", "max_pool"] = "strides"


class PooledStridedNetSettings(_StridedLayers):
    """The tutorial's network with max pooling instead of strides."""

    name: Literal["stridednet_pooled"] = "stridednet_pooled"


class VggSettings(NetworkSettings):
    """See `stridednet.models.build_vgg`."""

    name: Literal["vgg"] = "vgg"
    dense_units: Size = 512


class _WithStemKernel(NetworkSettings):
    stem_kernel: Size = 7


class AllConvSettings(_WithStemKernel):
    """See `stridednet.models.build_allconv`."""

    name: Literal["allconv"] = "allconv"


class ResidualSettings(_WithStemKernel):
    """See `stridednet.models.build_residual`."""

    name: Literal["residual"] = "residual"


class InceptionSettings(_WithStemKernel):
    """See `stridednet.models.build_inception`."""

    name: Literal["inception"] = "inception"


class FireSettings(_WithStemKernel):
    """See `stridednet.models.build_fire`."""

    name: Literal["fire"] = "fire"


class PretrainedSettings(Settings):
    """A network whose weights were trained on other pictures; see `stridednet.models.pretrained`."""

    name: str
    dense_dropout: Rate = 0.2  # in fine-tuning
    copies: Annotated[int, Field(ge=0, le=100)] = 1  # warped copies of a training picture that have features too
    head_l2: Factor = 0.0  # penalty of the last layer's kernel; 0: chosen by cross-validation
    tuned_blocks: Annotated[int, Field(ge=0, le=100)] = 5  # the last blocks, which are trained after the first epoch


class EfficientNetLite0Settings(PretrainedSettings):
    """See `stridednet.models.efficientnet_lite`."""

    name: Literal["efficientnet_lite0"] = "efficientnet_lite0"


class EfficientNetLite2Settings(PretrainedSettings):
    """See `stridednet.models.efficientnet_lite`; more accurate, with 2.2 times the multiplications."""

    name: Literal["efficientnet_lite2"] = "efficientnet_lite2"


class KerasApplicationSettings(PretrainedSettings):
    """A network of Keras Applications; see `stridednet.models.keras_application`."""

    name: Annotated[str, Field(pattern=r"^keras:\w+$")]
    weights: str = ""  # a file .weights.h5 of the network without its top; empty: downloaded by Keras


def _portable_name(name: str) -> str:
    file, _, function = name.rpartition(":")
    return f"{path_text(Path(file))}:{function}" if path_text(Path(file)) != str(Path(file)) else name


class OwnModelSettings(Settings):
    """A model of the user's own, ``FILE.py:function``, which decides everything itself."""

    name: Annotated[str, AfterValidator(_portable_name)]  # as for `data.dataset`, a path may be a URI


def is_own_model(name: str) -> bool:
    """Return whether a model's name is ``FILE.py:function``.

    >>> is_own_model("nets/mine.py:build"), is_own_model("vgg"), is_own_model("mine.py")
    (True, False, False)
    """
    return name.rpartition(":")[0].endswith(".py")


DEFAULT_MODEL = "stridednet"
MODEL_SETTINGS: dict[str, type[Settings]] = {
    "stridednet": StridedNetSettings,
    "stridednet_pooled": PooledStridedNetSettings,
    "vgg": VggSettings,
    "allconv": AllConvSettings,
    "residual": ResidualSettings,
    "inception": InceptionSettings,
    "fire": FireSettings,
    "efficientnet_lite0": EfficientNetLite0Settings,
    "efficientnet_lite2": EfficientNetLite2Settings,
}


def is_keras_application(name: str) -> bool:
    """Return whether a model's name is ``keras:NAME``.

    >>> is_keras_application("keras:MobileNetV2"), is_keras_application("vgg")
    (True, False)
    """
    return name.startswith("keras:")


def is_pretrained(name: str) -> bool:
    """Return whether a model starts with weights that were trained on other pictures."""
    table = settings_of_model(name)
    return table is not None and issubclass(table, PretrainedSettings)


def settings_of_model(name: str) -> type[Settings] | None:
    """Return the table of a model's settings, or None if there is no model of this name."""
    if is_keras_application(name):
        return KerasApplicationSettings
    return OwnModelSettings if is_own_model(name) else MODEL_SETTINGS.get(name)


def _tag(value: Any) -> str | None:
    name = value.get("name", DEFAULT_MODEL) if isinstance(value, dict) else getattr(value, "name", None)
    if isinstance(name, str) and is_keras_application(name):
        return "keras"
    return "own" if isinstance(name, str) and is_own_model(name) else name


ModelSettings = Annotated[
    Annotated[StridedNetSettings, Tag("stridednet")]
    | Annotated[PooledStridedNetSettings, Tag("stridednet_pooled")]
    | Annotated[VggSettings, Tag("vgg")]
    | Annotated[AllConvSettings, Tag("allconv")]
    | Annotated[ResidualSettings, Tag("residual")]
    | Annotated[InceptionSettings, Tag("inception")]
    | Annotated[FireSettings, Tag("fire")]
    | Annotated[EfficientNetLite0Settings, Tag("efficientnet_lite0")]
    | Annotated[EfficientNetLite2Settings, Tag("efficientnet_lite2")]
    | Annotated[KerasApplicationSettings, Tag("keras")]
    | Annotated[OwnModelSettings, Tag("own")],
    Discriminator(_tag),
]
