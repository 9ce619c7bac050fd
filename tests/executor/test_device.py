"""The executor follows the device of the model.

No graphics processor is needed to see that: PyTorch's `meta` device computes shapes alone, and refuses operations that
mix its tensors with those of the processor, as a graphics processor does.
"""

import os
import subprocess
import sys

STEPS = """
import stridednet, keras, torch
from stridednet.executor.backend import Backend
from stridednet.executor.context import ForwardPass
from stridednet.executor.graph import Graph
from stridednet.executor.masks import Masks
from stridednet.executor.parameters import Parameters, WorkingCopy
from stridednet.models.catalogue import build_model
from stridednet.recipe import Recipe

def step(settings, precision, device):
    parameters = Parameters(model := build_model(Recipe().replace(settings).model, 32, 3))
    backend = Backend.choose(precision)
    graph = Graph(model, weights := WorkingCopy(parameters, backend.dtype), backend)
    forward = ForwardPass(training=True, masks=Masks(backend))
    images = torch.zeros((4, 32, 32, 3), dtype=torch.uint8, device=device)
    loss = graph.log_probabilities(graph.run(images, forward)).mean() + sum(forward.penalties)
    loss.backward()
    with torch.no_grad():
        parameters.collect_gradients(weights.leaves)
        penalty = parameters.penalty()
        parameters.apply_constraints()
        weights.refresh(frozen=True)
        scores = graph.run(images, ForwardPass())
    return {str(tensor.device) for tensor in (parameters.flat, parameters.grad, loss, penalty, scores)}

print(step({"model.kernel_constraint": "max_norm(2.0)"}, "bfloat16", "meta"))
print(step({"model.name": "residual"}, "float32", "meta"))
try:
    step({}, "float32", "cpu")
except RuntimeError:
    print("refused")
"""


def test_a_step_stays_on_the_device_of_the_model() -> None:
    environment = os.environ | {"KERAS_TORCH_DEVICE": "meta"}
    done = subprocess.run([sys.executable, "-c", STEPS], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["{'meta'}", "{'meta'}", "refused"]
