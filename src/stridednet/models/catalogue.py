"""The built-in models by name, and how a recipe's settings become the arguments of their builders."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import keras

from stridednet.model_settings import ModelSettings, is_own_model
from stridednet.models.allconv import build_allconv
from stridednet.models.conv_unit import Style
from stridednet.models.fire import build_fire
from stridednet.models.inception import build_inception
from stridednet.models.own_model import build_own_model, load_builder
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
    """

    build: Callable[..., keras.Model]
    argument_of: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    styled: bool = True

    def arguments(self, settings: ModelSettings) -> dict[str, Any]:
        """Return the builder's arguments for the settings of its model."""
        values = {name: _CONVERTED.get(name, _unchanged)(value) for name, value in settings if name != "name"}
        if self.styled:
            values["style"] = Style(**{name: values.pop(name) for name in _STYLE})
        renamed = {**_RENAMED, **self.argument_of}
        return {renamed.get(name, name): value for name, value in values.items()} | dict(self.fixed)


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

# Scale and offset; the second centers photographs near 0 with a standard deviation near 1.
_RESCALINGS = {"0 to 1": (1 / 255, 0.0), "-2 to 2": (1 / 64, -2.0)}

_STYLE = tuple(style_field.name for style_field in fields(Style))
_RENAMED = {"pixel_range": "rescaling"}
_CONVERTED: dict[str, Callable[[Any], Any]] = {
    "kernel_regularizer": regularizer,
    "bias_regularizer": regularizer,
    "activity_regularizer": regularizer,
    "kernel_constraint": functools.partial(constraint, axis=[0, 1, 2]),
    "bias_constraint": functools.partial(constraint, axis=0),
    "pixel_range": _RESCALINGS.__getitem__,
}


def _unchanged(value: Any) -> Any:
    return value


def check_model(settings: ModelSettings) -> None:
    """Load a user's own builder, so that its errors are found before any picture is read.

    Raises:
        ModelError: The user's file or function cannot be loaded.
    """
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
    architecture = MODELS[settings.name]
    return architecture.build(image_size, image_size, 3, classes, **architecture.arguments(settings))
