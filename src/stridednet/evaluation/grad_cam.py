"""Grad-CAM and HiResCAM: which parts of an image speak for a class.

Selvaraju et al. 2017, "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization",
arXiv:1610.02391. Draelos and Carin 2020, "Use HiResCAM instead of Grad-CAM for faithful explanations of convolutional
neural networks", arXiv:2011.08891.
"""

from collections.abc import Sequence
from typing import Any, Literal, get_args

import cv2
import keras
import numpy as np
import torch
from numpy.typing import NDArray

from stridednet.errors import InputError, ModelError
from stridednet.evaluation.layer_by_layer import LayerByLayer
from stridednet.executor.predictor import image_tensor
from stridednet.models.flat_graph import FlatGraph

Tensor = torch.Tensor
Heatmaps = NDArray[np.float32]
Pixels = NDArray[np.uint8]
Method = Literal["hires-cam", "grad-cam"]

_BATCH_SIZE = 16
_OPACITY = 0.8  # of the color at a heat of 1: less would be pale, more would hide the image
_CONTRAST = 0.6  # of the gray image below the colors

# Layers after a softmax that do not change the order of the classes.
_PASSING = (keras.layers.Dropout, keras.layers.Flatten, keras.layers.Identity, keras.layers.Reshape)


class Explainer:
    """Computes heatmaps in float32, on the weights that the model has when the explainer is made.

    A heatmap is the sum of the last feature maps, each multiplied by the gradient of the class's score, without the
    negative values. The last feature maps are the output of the last layer that still has more than one position
    (height x width). If a model ends in several branches, each with such a layer, their sums are added. The score is
    the model's output before a final softmax or sigmoid; of a model that ends in neither, it is the output itself.

    ``hires-cam`` multiplies each position by its own gradient, ``grad-cam`` by the gradient's mean over all positions.
    Both are the same where a model averages over the positions, as most architectures here do. StridedNet and VGG have
    a weight for each position instead, which the mean ignores.

    The model is not changed. Several threads may use one explainer at a time.

    Examples:
        >>> from stridednet.models.vgg import build_vgg
        >>> explainer = Explainer(build_vgg(32, 32, 3, classes=4, rescaling=(1 / 255, 0.0)))
        >>> explainer.heatmaps(np.zeros((2, 32, 32, 3), np.uint8), classes=[0, 3]).shape
        (2, 32, 32)
    """

    def __init__(self, model: keras.Model, method: Method = "hires-cam") -> None:
        """Copy the model's weights and find its last feature maps.

        Args:
            model: A built Keras model with one input, images, and one output, ``(batch, classes)``.
            method: ``hires-cam`` or ``grad-cam``.

        Raises:
            InputError: There is no such method.
            ModelError: The model is not built, has more than one input or output, does not take images, or has no layer
                with a kernel whose output has more than one position.
        """
        if method not in get_args(Method):
            raise InputError(f"method: must be one of {', '.join(get_args(Method))}. Received: {method!r}")
        self._method = method
        self._layers = LayerByLayer(model)
        self._output_shape = tuple(model.outputs[0].shape)
        if len(self._output_shape) != 2:
            raise ModelError(f"a classifier's output is (batch, classes). Received: a model with {self._output_shape}")
        self._scores = _scores_of(self._layers.graph)
        self._maps_of_shape: dict[tuple[int, ...], frozenset[int]] = {}
        shape = self._layers.input_shape
        if None not in shape:
            self._maps(tuple(size or 0 for size in shape))

    def heatmaps(self, images: NDArray[np.generic], classes: Sequence[int] | NDArray[Any] | None = None) -> Heatmaps:
        """Compute which parts of each image speak for a class.

        Args:
            images: ``(n, height, width, channels)``, as the model takes them; of a run's model, RGB from 0 to 255.
            classes: The column of the model's output to explain, for each image; None for the most probable class.

        Returns:
            ``(n, height, width)``. The maximum of each heatmap is 1, unless nothing in the image speaks for the class:
            then all of it is 0. Heatmaps of different images or classes are therefore not comparable in strength.

        Raises:
            InputError: The images do not have the model's input shape, or ``classes`` is not one column for each image.
            ModelError: The model computes NaN or infinity, or its output is not differentiable.
        """
        tensor = image_tensor(images, self._layers.input_shape, self._layers.device)
        columns = None if classes is None else self._checked(classes, len(tensor))
        height, width = self._layers.size(0, tuple(tensor.shape[1:]))
        heatmaps = np.zeros((len(tensor), height, width), np.float32)
        for start in range(0, len(tensor), _BATCH_SIZE):
            part = slice(start, start + _BATCH_SIZE)
            coarse = self._coarse(tensor[part], None if columns is None else columns[part])
            for heatmap, values in zip(heatmaps[part], coarse, strict=True):
                heatmap[:] = _normalized(cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR))
        return heatmaps

    @torch.enable_grad()
    def _coarse(self, images: Tensor, columns: Tensor | None) -> Heatmaps:
        """Return the weighted sums after the ReLU, at the size of the largest feature map."""
        maps: dict[int, Tensor] = {}
        wanted = self._maps(tuple(images.shape[1:]))
        scores: Tensor | None = None

        def visit(number: int, value: Tensor) -> Tensor:
            nonlocal scores
            if number in wanted:
                maps[number] = value = value.detach().requires_grad_()
            if number == self._scores:
                scores = getattr(value, "_keras_logits", value)  # Keras' activations keep their input for the losses
            return value

        self._layers.run(images, visit)
        assert scores is not None  # noqa: S101  -- every number of the graph is visited
        scores = scores.flatten(1)
        if not scores.requires_grad:
            raise ModelError("the model's output is not differentiable with respect to its feature maps")
        if columns is None:
            columns = scores.argmax(1)
        chosen = scores.gather(1, columns[:, None]).sum()  # the images do not depend on each other
        gradients = torch.autograd.grad(chosen, list(maps.values()), allow_unused=True)
        sums = [
            self._weighted_sum(number, value, gradient)
            for (number, value), gradient in zip(maps.items(), gradients, strict=True)
            if gradient is not None
        ]
        size = max((tuple(one.shape[1:]) for one in sums), key=np.prod)
        total = torch.stack([_resized(one, size) for one in sums]).sum(0).relu()
        if not bool(total.isfinite().all()):
            raise ModelError("the model computes NaN or infinity for these images")
        coarse: Heatmaps = total.cpu().numpy()
        return coarse

    def _weighted_sum(self, number: int, value: Tensor, gradient: Tensor) -> Tensor:
        """Return the sum of the channels, each multiplied by its gradient, ``(n, height, width)``.

        The gradient is multiplied by the number of positions, so that maps of different sizes are comparable: with
        global average pooling, the factor of a channel is then its weight in the dense layer, as in CAM.
        """
        maps = self._layers.channels_last(number, value.detach()).float()
        factors = self._layers.channels_last(number, gradient).float() * (maps.shape[1] * maps.shape[2])
        if self._method == "grad-cam":
            factors = factors.mean((1, 2), keepdim=True)
        return (maps * factors).sum(-1)

    def _maps(self, image_shape: tuple[int, ...]) -> frozenset[int]:
        """Return the numbers of the last feature maps for images of a shape.

        They are where each path from the output back to the image first meets a feature map.
        """
        if image_shape not in self._maps_of_shape:
            shapes = self._layers.shapes(image_shape)
            makers = {number: call for call in self._layers.graph.calls for number in call.outputs}
            found, seen, pending = set(), set(), [self._layers.graph.output]
            while pending:
                number = pending.pop()
                if number in seen or number not in makers:
                    continue
                seen.add(number)
                if self._layers.is_feature_map(number, shapes[number]):
                    found.add(number)
                else:
                    pending += makers[number].inputs
            if not found:
                raise ModelError(
                    "Grad-CAM needs a layer with a kernel, such as Conv2D, whose output has more than one position "
                    f"(height x width); the model has none for images of shape {image_shape}"
                )
            self._maps_of_shape[image_shape] = frozenset(found)
        return self._maps_of_shape[image_shape]

    def _checked(self, classes: Sequence[int] | NDArray[Any], count: int) -> Tensor:
        columns = np.asarray(classes)
        number = self._output_shape[1]
        if columns.shape != (count,):
            raise InputError(f"classes: give one class for each of the {count} images. Received: {classes!r}")
        if count and (columns.dtype.kind not in "iu" or columns.min() < 0 or columns.max() >= number):
            raise InputError(f"classes: the model's classes are the integers 0 to {number - 1}. Received: {classes!r}")
        return torch.from_numpy(columns.astype(np.int64)).to(self._layers.device)


def overlay(image: Pixels, heatmap: NDArray[np.floating[Any]]) -> Pixels:
    """Draw a heatmap over its image.

    The image becomes gray and paler, so that the colors cannot be confused with its own. They go from dark blue to
    yellow (the colormap plasma, which is also readable for color-blind people), and become more opaque with the heat:
    where there is none, only the image is visible.

    Args:
        image: RGB, uint8, ``(height, width, 3)``.
        heatmap: Values from 0 to 1, ``(rows, columns)``, stretched to the size of the image.

    Returns:
        RGB, uint8, ``(height, width, 3)``.

    Raises:
        InputError: The image is not RGB and uint8, or the heatmap does not have two dimensions and values from 0 to 1.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise InputError(
            f"image: an RGB image (height, width, 3) of type uint8 is needed. Received: {image.shape}, {image.dtype}"
        )
    if heatmap.ndim != 2 or not heatmap.size or not (heatmap.min() >= 0 and heatmap.max() <= 1):
        raise InputError(
            "heatmap: values from 0 to 1 of shape (rows, columns) are needed. "
            f"Received: shape {heatmap.shape}" + (f", {heatmap.min()} to {heatmap.max()}" if heatmap.size else "")
        )
    height, width = image.shape[:2]
    heat = cv2.resize(heatmap.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    colors = cv2.applyColorMap(np.rint(heat * 255).astype(np.uint8), cv2.COLORMAP_PLASMA)[:, :, ::-1]
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)[:, :, None]
    gray = 127.5 + _CONTRAST * (gray - 127.5)
    opacity = (_OPACITY * heat)[:, :, None]
    return np.asarray(np.rint(gray * (1 - opacity) + colors * opacity), np.uint8)


def _scores_of(graph: FlatGraph) -> int:
    """Return the number of the value that holds the scores of the classes, or the result of a softmax of them."""
    makers = {number: call for call in graph.calls for number in call.outputs}
    number = graph.output
    while number in makers:
        operation = makers[number].node.operation
        linear = getattr(operation, "activation", None) is keras.activations.linear
        if not isinstance(operation, _PASSING) and not (linear and isinstance(operation, keras.layers.Activation)):
            break
        (number,) = makers[number].inputs
    operation = makers[number].node.operation if number in makers else None
    is_operation = operation is not None and not isinstance(operation, keras.layers.Layer)  # of keras.ops
    if is_operation and type(operation).__name__ in ("Softmax", "Sigmoid"):
        (number,) = makers[number].inputs
    return number


def _resized(values: Tensor, size: tuple[int, ...]) -> Tensor:
    if tuple(values.shape[1:]) == size:
        return values
    resized: Tensor = torch.nn.functional.interpolate(values[:, None], size, mode="bilinear", align_corners=False)
    return resized[:, 0]


def _normalized(values: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    largest = values.max()
    return values / largest if largest > 0 else values
