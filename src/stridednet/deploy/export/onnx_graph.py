"""A portable model -> an ONNX graph that takes uint8 images as they are decoded and returns probabilities."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from stridednet.deploy.export.onnx_operations import TRANSLATORS
from stridednet.deploy.numpy_layers import OPERATIONS
from stridednet.deploy.portable_file import INPUT, PortableModel

OPSET = 20  # the first with Gelu; ONNX Runtime 1.17 and OpenVINO 2024.1 read it
IR_VERSION = 10
INPUT_NAME, OUTPUT_NAME = "images", "probabilities"
BATCH = "batch"


class OnnxGraph:
    """The nodes so far. Values of four dimensions are kept with channels first, as ONNX' operators need them.

    Args:
        shapes: The shape of each value of the portable model, without the batch, channels last.
    """

    def __init__(self, shapes: Mapping[int, tuple[int, ...]]) -> None:
        self.shapes = shapes
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []

    def node(self, operator: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Append a node, and return the name of its output."""
        name = f"{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], name=name, **attributes))
        return name

    def constant(self, array: Any, dtype: type[np.generic] = np.float32) -> str:
        """Store an array, and return its name."""
        name = f"constant_{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(array, dtype), name))
        return name

    def channels_first(self, value: str) -> str:
        """Append the transposition of an image from channels last."""
        return self.node("Transpose", [value], perm=[0, 3, 1, 2])

    def channels_last(self, value: str) -> str:
        """Append the transposition of an image from channels first."""
        return self.node("Transpose", [value], perm=[0, 2, 3, 1])


def onnx_model(model: PortableModel, size: int) -> onnx.ModelProto:
    """Return a model as ONNX, with the input ``images`` (uint8, ``(batch, height, width, 3)``) and a dynamic batch.

    Args:
        model: A portable model.
        size: Height and width of the images, in pixels, for a model that takes any size.

    Returns:
        The model; its output ``probabilities`` is float32, ``(batch, classes)``.

    Raises:
        ValueError: The graph is not valid ONNX.
    """
    shape = tuple(size if side is None else side for side in model.input_shape)
    shapes = _shapes(model, shape)
    graph = OnnxGraph(shapes)
    images = graph.node("Cast", [INPUT_NAME], to=TensorProto.FLOAT)
    names = {INPUT: graph.channels_first(images)}
    for step in model.steps:
        weights = {name: None if key is None else model.weights[key] for name, key in step.weights.items()}
        inputs = [names[place] for place in step.inputs]
        translate = TRANSLATORS[step.operation]
        names[step.output] = translate(
            graph, inputs, [shapes[place] for place in step.inputs], **weights, **step.parameters
        )
    graph.nodes.append(helper.make_node("Identity", [names[model.output]], [OUTPUT_NAME], name=OUTPUT_NAME))
    built = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "stridednet",
            [helper.make_tensor_value_info(INPUT_NAME, TensorProto.UINT8, [BATCH, *shape])],
            [helper.make_tensor_value_info(OUTPUT_NAME, TensorProto.FLOAT, [BATCH, *shapes[model.output]])],
            graph.initializers,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="stridednet",
    )
    try:
        onnx.checker.check_model(built, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ValueError(f"not valid ONNX: {error}") from None
    return built


def _shapes(model: PortableModel, shape: tuple[int, ...]) -> dict[int, tuple[int, ...]]:
    """Return the shape of each value without the batch, from computing one image."""
    values: dict[int, NDArray[np.float32]] = {INPUT: np.zeros((1, *shape), np.float32)}
    with np.errstate(all="ignore"):  # only the shapes matter
        for step in model.steps:
            weights = {name: None if key is None else model.weights[key] for name, key in step.weights.items()}
            inputs = (values[place] for place in step.inputs)
            values[step.output] = OPERATIONS[step.operation](*inputs, **weights, **step.parameters)
    return {place: value.shape[1:] for place, value in values.items()}
