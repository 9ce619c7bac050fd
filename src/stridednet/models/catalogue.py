"""The models that a recipe can name, and which of its settings each one takes."""

import difflib
import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import keras

from stridednet.errors import ModelError, RecipeError
from stridednet.models.allconv import build_allconv
from stridednet.models.conv_unit import Style
from stridednet.models.fire import build_fire
from stridednet.models.inception import build_inception
from stridednet.models.residual import build_residual
from stridednet.models.strided import StridedNet
from stridednet.models.terms import constraint, regularizer
from stridednet.models.user_builder import build_user_model, is_user_builder, user_builder
from stridednet.models.vgg import build_vgg
from stridednet.recipe import builtin_recipes, load_recipe
from stridednet.settings import ModelSettings


@dataclass(frozen=True)
class Architecture:
    """A builder, called with width, height, depth, classes and the settings that its arguments are named after."""

    build: Callable[..., keras.Model]
    fixed: Mapping[str, Any] = field(default_factory=dict)  # arguments that make this model what it is

    def settings(self) -> set[str]:
        """Return which settings of a recipe it takes."""
        names = {_SETTING_OF.get(argument, argument) for argument in self._arguments()}
        return (names | (_STYLE if "style" in names else set())) & set(ModelSettings.model_fields)

    def arguments(self, settings: ModelSettings) -> dict[str, Any]:
        """Return the builder's arguments for the settings that it takes."""
        values = {name: _CONVERTED.get(name, _as_it_is)(getattr(settings, name)) for name in self.settings()}
        values["style"] = Style(**{name: values[name] for name in _STYLE & values.keys()})
        named = {argument: _SETTING_OF.get(argument, argument) for argument in self._arguments()}
        return {argument: values[name] for argument, name in named.items() if name in values} | dict(self.fixed)

    def _arguments(self) -> set[str]:
        return set(inspect.signature(self.build).parameters) - set(self.fixed)


MODELS: dict[str, Architecture] = {
    "stridednet": Architecture(StridedNet.build),
    "stridednet_pooled": Architecture(StridedNet.build, {"downsample": "max_pool"}),
    "vgg": Architecture(build_vgg),
    "allconv": Architecture(build_allconv),
    "residual": Architecture(build_residual),
    "inception": Architecture(build_inception),
    "fire": Architecture(build_fire),
}

# Scale and offset; the second centres photographs near 0 with a spread near 1.
_RESCALINGS = {"0 to 1": (1 / 255, 0.0), "-2 to 2": (1 / 64, -2.0)}

_STYLE = {style_field.name for style_field in fields(Style)}
_SETTING_OF = {"reg": "kernel_regularizer", "init": "kernel_initializer", "rescaling": "pixel_range"}
_CONVERTED: dict[str, Callable[[Any], Any]] = {
    "kernel_regularizer": regularizer,
    "bias_regularizer": regularizer,
    "activity_regularizer": regularizer,
    "kernel_constraint": functools.partial(constraint, axis=[0, 1, 2]),
    "bias_constraint": functools.partial(constraint, axis=0),
    "pixel_range": _RESCALINGS.__getitem__,
}


def _as_it_is(value: Any) -> Any:
    return value


def check_model(settings: ModelSettings) -> None:
    """Find what is wrong before any picture is read: the name, the user's file, settings that would do nothing.

    Raises:
        RecipeError: There is no model of this name.
        ModelError: The model has no such setting, or the user's file or function cannot be loaded.
    """
    name = settings.name
    if is_user_builder(name):
        user_builder(name)
        taken: set[str] = set()
    elif name in MODELS:
        taken = MODELS[name].settings()
    else:
        near = difflib.get_close_matches(name, MODELS) or sorted(MODELS)
        raise RecipeError(
            f"setting 'model.name': no model '{name}'; choose {' or '.join(near)}, or give your own as FILE.py:function"
        )
    for setting in ModelSettings.model_fields:
        # The built-in recipes are for every model: what they say on a setting that a model lacks is no mistake.
        if setting not in taken | {"name"} and getattr(settings, setting) not in _said_by_recipes(setting):
            takes = f"it takes {', '.join(sorted(taken))}" if taken else "your function decides it"
            raise ModelError(f"model '{name}' has no setting {setting}; {takes}")


def build_model(settings: ModelSettings, image_size: int, classes: int) -> keras.Model:
    """Build the model that a recipe describes; it takes raw RGB, ``(batch, image_size, image_size, 3)`` in 0 to 255.

    Raises:
        RecipeError: There is no model of this name.
        ModelError: The settings do not go together or are not the model's, or the user's own builder is wrong.
    """
    check_model(settings)
    if is_user_builder(settings.name):
        return build_user_model(settings.name, image_size, classes)
    architecture = MODELS[settings.name]
    return architecture.build(image_size, image_size, 3, classes, **architecture.arguments(settings))


@functools.cache
def _said_by_recipes(setting: str) -> tuple[Any, ...]:
    """Return the values that the built-in recipes give a setting; those of `tutorial` are the defaults."""
    return tuple(getattr(load_recipe(name)[0].model, setting) for name in builtin_recipes())
