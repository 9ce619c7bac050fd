"""The models that a recipe can name."""

import difflib
from collections.abc import Callable

import keras

from stridednet.errors import RecipeError
from stridednet.models.strided import StridedNet
from stridednet.models.terms import constraint, regularizer
from stridednet.recipe import ModelSettings

# Scale and offset; the second centres photographs near 0 with a spread near 1.
_RESCALINGS = {"0 to 1": (1 / 255, 0.0), "-2 to 2": (1 / 64, -2.0)}

Builder = Callable[[ModelSettings, int, int], keras.Model]


def build_model(settings: ModelSettings, image_size: int, classes: int) -> keras.Model:
    """Build the model that a recipe describes; it takes raw RGB, ``(batch, image_size, image_size, 3)`` in 0 to 255.

    Raises:
        RecipeError: There is no model of this name.
        ModelError: The settings do not go together.
    """
    if settings.name not in MODELS:
        near = difflib.get_close_matches(settings.name, MODELS) or sorted(MODELS)
        raise RecipeError(f"setting 'model.name': no model '{settings.name}'; choose {' or '.join(near)}")
    return MODELS[settings.name](settings, image_size, classes)


def _stridednet(settings: ModelSettings, image_size: int, classes: int) -> keras.Model:
    return StridedNet.build(
        image_size,
        image_size,
        3,
        classes,
        regularizer(settings.kernel_regularizer),
        settings.kernel_initializer,
        stem_filters=settings.stem_filters,
        stem_kernel=settings.stem_kernel,
        stem_padding=settings.stem_padding,
        filters=settings.filters,
        kernel_size=settings.kernel_size,
        downsample=settings.downsample,
        padding=settings.padding,
        dilation_rate=settings.dilation_rate,
        groups=settings.groups,
        activation=settings.activation,
        use_bias=settings.use_bias,
        bias_initializer=settings.bias_initializer,
        bias_regularizer=regularizer(settings.bias_regularizer),
        activity_regularizer=regularizer(settings.activity_regularizer),
        kernel_constraint=constraint(settings.kernel_constraint, axis=[0, 1, 2]),
        bias_constraint=constraint(settings.bias_constraint, axis=0),
        dropout=settings.dropout,
        dense_units=settings.dense_units,
        dense_dropout=settings.dense_dropout,
        rescaling=_RESCALINGS[settings.pixel_range],
        norm_momentum=settings.norm_momentum,
    )


MODELS: dict[str, Builder] = {"stridednet": _stridednet}
