"""Classify a picture in OpenVINO: python classify_openvino.py model.xml picture.jpg

Needs openvino, numpy, opencv-python-headless and pillow.
"""

import json
import sys

import openvino

from answer import print_most_probable
from picture import prepared


def main(model: str, picture: str) -> None:
    core = openvino.Core()
    network = core.read_model(model)
    metadata = json.loads(network.get_rt_info(["model_info", "stridednet"]).astype(str))
    # By default, some processors compute in bfloat16, and probabilities differ in the second or third digit.
    compiled = core.compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    probabilities = compiled(prepared(picture, metadata))["probabilities"]
    print_most_probable(metadata["labels"], probabilities)


if __name__ == "__main__":
    main(*sys.argv[1:])
