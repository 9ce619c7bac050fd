"""The first convolution of a trained model, on a picture."""

from pathlib import Path
from typing import Any

import numpy as np

from stridednet.conv2d.arithmetic import chain
from stridednet.conv2d.convolution import Array
from stridednet.drawing.layer_example import Filter, LayerExample, drawable, load_picture, origin_of, title_of
from stridednet.errors import RunError
from stridednet.models.description import arguments_of
from stridednet.models.keras_file import load_keras_file

MAX_FILTERS = 16  # more are too small to see


def learned_example(run: Path, image: Path | None) -> LayerExample:
    """Show the first `Conv2D` of a run's model, on what the layers before it make of the picture.

    Args:
        run: The run directory.
        image: The picture's file; None for a digit.

    Raises:
        RunError: There is no finished run, or its model has no `Conv2D`.
        ModelError: The model's file is damaged.
        DataError: The file is no readable picture.
    """
    import keras

    file = run / "model.keras"
    if not file.is_file():
        raise RunError(f"no finished run in {run}: it has no model.keras")
    model = load_keras_file(file)
    layer = next((layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)), None)
    if layer is None:
        raise RunError(f"the model of {run} has no Conv2D layer to draw")
    if None in (*model.inputs[0].shape[1:], *layer.input.shape[1:]):
        raise RunError(f"the model of {run} takes pictures of any size; --show needs one of a fixed size")
    facts = chain(tuple(layer.input.shape[1:]), [arguments_of(layer)])[0]
    picture = load_picture(image, tuple(model.inputs[0].shape[1:]))
    before = keras.Model(model.inputs[0], layer.input)
    values = keras.ops.convert_to_numpy(before(picture[None].astype(np.float32), training=False))[0]
    shown = min(layer.filters, MAX_FILTERS)
    about = f"{shown} of the {layer.filters} learned filters: weights (grey is 0) and output, bias included. "
    return LayerExample(
        facts,
        f"{layer.name} of {drawable(run.resolve().name)}: {title_of(facts)}",
        origin_of(image),
        picture,
        values,
        tuple(_filters(layer, facts.input_shape[2])[:shown]),
        about + "The ReLU is drawn whatever the model has there.",
    )


def _filters(layer: Any, channels: int) -> list[Filter]:
    import keras

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
