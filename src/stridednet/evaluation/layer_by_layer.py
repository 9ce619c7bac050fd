"""A model computed one layer at a time, so that the values between its layers can be read and differentiated."""

from collections.abc import Callable

import keras
import torch

from stridednet.errors import ModelError
from stridednet.models.description import channel_axis
from stridednet.models.flat_graph import flatten

Tensor = torch.Tensor
Visit = Callable[[int, Tensor], Tensor]


class LayerByLayer:
    """Computes a model as Keras does in inference, on the weights that it has when this object is made.

    Layers are called in a `keras.StatelessScope` on copies of the weights, so that nothing in the model changes and no
    gradient reaches its variables. Several threads may use one object at a time.
    """

    def __init__(self, model: keras.Model) -> None:
        """Copy the model's weights.

        Args:
            model: A built Keras model with one input, images, and one output.

        Raises:
            ModelError: The model is not built, has more than one input or output, or its input is not an image.
        """
        self.graph = flatten(model)
        self.input_shape: tuple[int | None, ...] = tuple(model.inputs[0].shape[1:])
        if len(self.input_shape) != 3:
            raise ModelError(
                "the model does not take images, (height, width, channels). "
                f"Received: a model with the input shape {self.input_shape}"
            )
        self.device = keras.ops.zeros(()).device
        self._weights = [(variable, variable.value.detach().clone()) for variable in model.variables]
        self.channels_first = self._layouts(channel_axis(model, 3) == 0)
        self.learned = self._learned()

    def run(self, images: Tensor, visit: Visit) -> None:
        """Compute the model; where gradients are enabled, they reach the tensors that ``visit`` returns.

        Args:
            images: As the model takes them.
            visit: Called with each value that a layer computes and its number in the graph; what it returns is what the
                following layers receive.
        """
        values = {0: images.float()}
        with keras.StatelessScope(self._weights):
            for place, call in enumerate(self.graph.calls):
                results = call.compute([values[number] for number in call.inputs])
                for number, result in zip(call.outputs, results, strict=True):
                    values[number] = visit(number, result)
                for number in {*call.inputs, *call.outputs}:
                    if self.graph.last_uses.get(number, -1) <= place:
                        del values[number]

    def shapes(self, image_shape: tuple[int, ...]) -> dict[int, tuple[int, ...]]:
        """Compute the shapes of all values for one image, without the batch, by number."""
        found: dict[int, tuple[int, ...]] = {}

        def visit(number: int, value: Tensor) -> Tensor:
            found[number] = tuple(value.shape[1:])
            return value

        self.run(torch.zeros((1, *image_shape), device=self.device), visit)
        return found

    def size(self, number: int, shape: tuple[int, ...]) -> tuple[int, int]:
        """Return ``(height, width)`` of a value of rank 4, from its shape without the batch."""
        return (shape[1], shape[2]) if self.channels_first[number] else (shape[0], shape[1])

    def channels_last(self, number: int, value: Tensor) -> Tensor:
        """Return a value of rank 4 as ``(batch, height, width, channels)``."""
        return value.permute(0, 2, 3, 1) if self.channels_first[number] else value

    def is_feature_map(self, number: int, shape: tuple[int, ...]) -> bool:
        """Return whether a value is a feature map of more than one position, computed with a learned kernel."""
        return len(shape) == 3 and self.size(number, shape) != (1, 1) and number in self.learned

    def _layouts(self, image: bool) -> dict[int, bool]:
        """Return for each value whether its channels, if it has any, come first."""
        layouts = {0: image}
        for call in self.graph.calls:
            layer = call.node.operation
            first = bool(call.inputs) and layouts[call.inputs[0]]
            if isinstance(layer, keras.layers.Permute):
                first = {(3, 1, 2): True, (2, 3, 1): False}.get(tuple(layer.dims), first)
            elif getattr(layer, "data_format", None) in ("channels_first", "channels_last"):
                first = layer.data_format == "channels_first"
            layouts |= dict.fromkeys(call.outputs, first)
        return layouts

    def _learned(self) -> frozenset[int]:
        """Return the numbers of the values that depend on a kernel: on weights that are not one number per channel."""
        learned: set[int] = set()
        for call in self.graph.calls:
            kernels = any(len(weight.shape) > 1 for weight in getattr(call.node.operation, "weights", ()))
            if kernels or learned.intersection(call.inputs):
                learned.update(call.outputs)
        return frozenset(learned)
