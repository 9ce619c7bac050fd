"""What the layers of a model compute for one image, and the filters of its first layer as images."""

from typing import NamedTuple

import keras
import numpy as np
import torch
from numpy.typing import NDArray

from stridednet.drawing.learned_filters import filters_of
from stridednet.errors import ModelError
from stridednet.evaluation.layer_by_layer import LayerByLayer
from stridednet.executor.predictor import image_tensor
from stridednet.models.flat_graph import flatten

Pixels = NDArray[np.uint8]

# These layers do nothing in inference: the maps are those of the layer before.
_NAMELESS = (
    keras.layers.ActivityRegularization,
    keras.layers.Dropout,
    keras.layers.GaussianNoise,
    keras.layers.Identity,
    keras.layers.SpatialDropout2D,
)


class Stage(NamedTuple):
    """The last feature maps of a size; ``maps`` is ``(height, width, channels)``, float32."""

    name: str  # of the layer that computes them; in a nested model `model/layer`
    maps: NDArray[np.float32]


def stages(model: keras.Model, image: NDArray[np.generic]) -> list[Stage]:
    """Compute the feature maps of each stage: the output of the last layer before height or width shrinks.

    Maps inside of branches are not included, only those that everything passes through: the output of a residual block,
    but not of its layers.

    Args:
        model: A built Keras model with one input, images, and one output.
        image: One image as the model takes it; of a run's model, RGB from 0 to 255, ``(height, width, 3)``.

    Returns:
        The stages in order; empty if no layer with a kernel has an output of more than one position.

    Raises:
        ModelError: The model is not built, has more than one input or output, or does not take images.
        InputError: The image does not have the model's input shape.

    Examples:
        >>> from stridednet.models.residual import build_residual
        >>> model = build_residual(64, 64, 3, classes=4, rescaling=(1 / 255, 0.0))
        >>> for name, maps in stages(model, np.zeros((64, 64, 3), np.uint8)):
        ...     print(name, maps.shape)
        stem_activation (32, 32, 16)
        stage1_block2_activation (16, 16, 128)
        stage2_block2_activation (8, 8, 256)
        stage3_block2_activation (4, 4, 512)
    """
    layers = LayerByLayer(model)
    tensor = image_tensor(image[None], layers.input_shape, layers.device)
    shapes = layers.shapes(tuple(tensor.shape[1:]))
    names: dict[int, str] = {}
    before = (0, 0)
    for number, call in layers.graph.bottlenecks():
        if not layers.is_feature_map(number, shapes[number]) or isinstance(call.node.operation, _NAMELESS):
            continue
        size = layers.size(number, shapes[number])
        if names and size[0] >= before[0] and size[1] >= before[1]:
            names.popitem()  # the stage continues
        names[number], before = call.name, size
    found: dict[int, NDArray[np.float32]] = {}

    def visit(number: int, value: torch.Tensor) -> torch.Tensor:
        if number in names:
            found[number] = layers.channels_last(number, value.detach()).float()[0].cpu().numpy()
        return value

    layers.run(tensor, visit)
    return [Stage(name, found[number]) for number, name in names.items()]


def first_filters(model: keras.Model) -> list[Pixels]:
    """Return the kernels of a model's first `Conv2D` layer as images.

    For RGB input, the colors of a kernel are its weights for the three channels; for any other input, its gray levels
    are their sum. Mid-gray is a weight of 0; the largest weight of each kernel becomes 255 if positive, 0 if negative.

    Returns:
        For each filter, ``(height, width, 3)``, RGB, uint8.

    Raises:
        ModelError: The model is not built, has more than one input or output, or has no `Conv2D` layer.

    Examples:
        >>> from stridednet.models.vgg import build_vgg
        >>> filters = first_filters(build_vgg(32, 32, 3, classes=4))
        >>> len(filters), filters[0].shape, filters[0].dtype
        (16, (3, 3, 3), dtype('uint8'))
    """
    layers = (call.node.operation for call in flatten(model).calls)
    first = next((layer for layer in layers if isinstance(layer, keras.layers.Conv2D)), None)
    if first is None:
        raise ModelError(f"model '{model.name}' has no Conv2D layer")
    channels = first.kernel.shape[2] * first.groups
    return [_drawn(one.kernel) for one in filters_of(first, channels)]


def _drawn(kernel: NDArray[np.float32]) -> Pixels:
    weights = kernel if kernel.shape[2] == 3 else kernel.sum(axis=2, keepdims=True).repeat(3, axis=2)
    strongest = float(np.abs(weights).max()) or 1.0
    return np.asarray(np.rint(127.5 + 127.5 * weights / strongest), np.uint8)
