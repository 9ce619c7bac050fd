"""The first convolution of a trained model, applied to a picture."""

from pathlib import Path
from typing import Any

import keras
import numpy as np

from stridednet.conv2d.arithmetic import chain
from stridednet.conv2d.convolution import Array
from stridednet.drawing.layer_example import Filter, LayerExample, drawable, load_picture, origin_of, title_of
from stridednet.errors import ModelError
from stridednet.models.description import arguments_of

MAX_FILTERS = 16  # more would be too small to see


def learned_example(model: keras.Model, name: str, image: Path | None) -> LayerExample:
    """Apply the first `Conv2D` layer of a model to a picture, after the layers before it.

    Args:
        model: A trained model with a fixed input shape.
        name: Name of the model in the title and in messages.
        image: File of the picture; None for a built-in digit.

    Raises:
        ModelError: The model has no `Conv2D` layer, or accepts images of any size.
        InputError: The input is too large to draw.
        DataError: The file is not a readable image.
    """
    layer = next((layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)), None)
    if layer is None:
        raise ModelError(f"model '{name}' has no Conv2D layer to draw")
    if None in (*model.inputs[0].shape[1:], *layer.input.shape[1:]):
        raise ModelError(f"model '{name}' accepts images of any size; a fixed input shape is needed to draw it")
    facts = chain(tuple(layer.input.shape[1:]), [arguments_of(layer)])[0]
    picture = load_picture(image, tuple(model.inputs[0].shape[1:]))
    before = keras.Model(model.inputs[0], layer.input)
    values = keras.ops.convert_to_numpy(before(picture[None].astype(np.float32), training=False))[0]
    shown = min(layer.filters, MAX_FILTERS)
    which = f"all {shown}" if shown == layer.filters else f"{shown} of the {layer.filters}"
    about = f"weights and output, including the bias, of {which} learned filters. "
    return LayerExample(
        facts,
        f"{layer.name} of {drawable(name)}: {title_of(facts)}",
        origin_of(image),
        picture,
        values,
        tuple(filters_of(layer, facts.input_shape[2])[:shown]),
        about + "The ReLU is applied even if the model does not have one here.",
    )


def filters_of(layer: Any, channels: int) -> list[Filter]:
    """Return the filters of a `Conv2D` layer; outside of a filter's group, its weights are 0.

    Args:
        layer: A built layer.
        channels: Number of channels of its input.
    """
    kernels: Array = keras.ops.convert_to_numpy(layer.kernel)
    biases: Array = keras.ops.convert_to_numpy(layer.bias) if layer.use_bias else np.zeros(layer.filters, np.float32)
    per_group, filters_of_group = kernels.shape[2], layer.filters // layer.groups
    filters = []
    for number in range(layer.filters):
        first = number // filters_of_group * per_group
        kernel = np.zeros((*kernels.shape[:2], channels), np.float32)
        kernel[:, :, first : first + per_group] = kernels[:, :, :, number]
        filters.append(Filter(f"filter {number + 1}", kernel, float(biases[number])))
    return filters
