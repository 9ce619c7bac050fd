"""The built-in models by name, and how a recipe's settings become the arguments of their builders."""

import math
import random
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any

import keras

from stridednet.errors import ModelError
from stridednet.model_settings import KerasApplicationSettings, ModelSettings, PretrainedSettings, is_own_model
from stridednet.models.allconv import build_allconv
from stridednet.models.conv_unit import Style
from stridednet.models.efficientnet_lite import VARIANTS, build_efficientnet_lite
from stridednet.models.fire import build_fire
from stridednet.models.inception import build_inception
from stridednet.models.keras_application import build_application, check_application
from stridednet.models.own_model import build_own_model, load_builder
from stridednet.models.pretrained import pretrained_arrays
from stridednet.models.residual import build_residual
from stridednet.models.strided import StridedNet
from stridednet.models.terms import constraint, regularizer
from stridednet.models.vgg import build_vgg


@dataclass(frozen=True)
class Architecture:
    """A builder, called with width, height, depth, number of classes and further arguments by name.

    Args:
        build: The builder.
        argument_of: The builder's arguments for settings that it calls by another name.
        fixed: Arguments that are the same for every recipe.
        styled: Whether the settings of `Style` are passed as one.
        left_out: Settings of the training and not of the builder.
    """

    build: Callable[..., keras.Model]
    argument_of: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    styled: bool = True
    left_out: tuple[str, ...] = ()

    def arguments(self, settings: ModelSettings) -> dict[str, Any]:
        """Return the builder's arguments for the settings of its model."""
        values = {
            name: _CONVERTED.get(name, _unchanged)(value)
            for name, value in settings
            if name not in (*_NOT_ARGUMENTS, *self.left_out)
        }
        if self.styled:
            values["style"] = Style(**{name: values.pop(name) for name in _STYLE})
        renamed = {**_RENAMED, **self.argument_of}
        return {renamed.get(name, name): value for name, value in values.items()} | dict(self.fixed)


_NOT_ARGUMENTS = ("name", "stem_whitening")  # the second one needs training images

# The tutorial's own names of two arguments.
_TUTORIALS_NAMES = {"kernel_regularizer": "reg", "kernel_initializer": "init"}

MODELS: dict[str, Architecture] = {
    "stridednet": Architecture(StridedNet.build, _TUTORIALS_NAMES, styled=False),
    "stridednet_pooled": Architecture(StridedNet.build, _TUTORIALS_NAMES, {"downsample": "max_pool"}, styled=False),
    "vgg": Architecture(build_vgg),
    "allconv": Architecture(build_allconv),
    "residual": Architecture(build_residual),
    "inception": Architecture(build_inception),
    "fire": Architecture(build_fire),
}
MODELS |= {
    name: Architecture(
        build_efficientnet_lite,
        fixed={"variant": name},
        styled=False,
        left_out=("copies", "head_l2", "tuned_blocks"),
    )
    for name in VARIANTS
}

MAX_WEIGHTS = 2**28  # 1 GiB, and several times as much for their training

# Scale and offset; the second centers photographs near 0 with a standard deviation near 1.
_RESCALINGS = {"0 to 1": (1 / 255, 0.0), "-2 to 2": (1 / 64, -2.0)}

_STYLE = tuple(style_field.name for style_field in fields(Style))
_RENAMED = {"pixel_range": "rescaling"}
_CONVERTED: dict[str, Callable[[Any], Any]] = {
    "kernel_regularizer": regularizer,
    "bias_regularizer": regularizer,
    "activity_regularizer": regularizer,
    "kernel_constraint": partial(constraint, axis=[0, 1, 2]),
    "bias_constraint": partial(constraint, axis=0),
    "pixel_range": _RESCALINGS.__getitem__,
}


def _unchanged(value: Any) -> Any:
    return value


def check_model(settings: ModelSettings) -> None:
    """Load a user's own builder or pretrained weights, so that errors are found before any picture is read.

    Raises:
        ModelError: The user's file or function cannot be loaded, or there are no pretrained weights.
        StorageError: The cache cannot be written.
    """
    if isinstance(settings, KerasApplicationSettings):
        check_application(settings.name, settings.weights)
    elif isinstance(settings, PretrainedSettings):
        pretrained_arrays(settings.name)
    if is_own_model(settings.name):
        load_builder(settings.name)


def build_model(settings: ModelSettings, image_size: int, classes: int) -> keras.Model:
    """Build the model that a recipe describes; it takes raw RGB, ``(batch, image_size, image_size, 3)`` in 0 to 255.

    Args:
        settings: The ``model`` table of a recipe.
        image_size: Height and width of the images, in pixels.
        classes: Number of classes.

    Returns:
        A Keras model, not compiled, with the output ``(batch, classes)``: probabilities.

    Raises:
        ModelError: The settings are incompatible with each other, or the user's own builder is wrong.
    """
    if is_own_model(settings.name):
        return build_own_model(settings.name, image_size, classes)
    if isinstance(settings, KerasApplicationSettings):
        return build_application(settings.name, image_size, classes, dense_dropout=settings.dense_dropout)
    architecture = MODELS[settings.name]
    build = partial(architecture.build, image_size, image_size, 3, classes, **architecture.arguments(settings))
    if _may_be_too_large(settings, image_size):
        weights = _in_another_thread(lambda: _count(build))
        if weights > MAX_WEIGHTS:
            raise ModelError(
                f"the model would have {weights:,} weights, and may have {MAX_WEIGHTS:,}; use fewer or smaller "
                "filters, units or kernels"
            )
    return build()


def _may_be_too_large(settings: ModelSettings, image_size: int) -> bool:
    """Return whether a bound on the number of weights, which is quickly computed, is above the limit."""
    if isinstance(settings, PretrainedSettings):
        return False
    values = dict(settings)
    filters = (values["stem_filters"], *values["filters"])
    kernel = max(values.get("stem_kernel", 3), values.get("kernel_size", 3))
    convolutions = 4 * (len(filters) + 1) * (kernel * max(filters)) ** 2
    dense = image_size**2 * max(filters) * values.get("dense_units", 1)
    return bool(convolutions + dense > MAX_WEIGHTS)


def _count(build: Callable[[], keras.Model]) -> int:
    with keras.device("meta"):  # of which PyTorch computes shapes, without memory
        return sum(math.prod(weight.shape) for weight in build().weights)


def _in_another_thread(compute: Callable[[], int]) -> int:
    """Compute without an effect on models that are built later: names are counted per thread, seeds per process."""
    state = random.getstate()
    try:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(compute).result()
    finally:
        random.setstate(state)
