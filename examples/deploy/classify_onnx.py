"""Classify a picture in ONNX Runtime: python classify_onnx.py model.onnx picture.jpg

Needs onnxruntime, numpy, opencv-python-headless and pillow.
"""

import json
import sys

import onnxruntime

from answer import print_most_probable
from picture import prepared


def main(model: str, picture: str) -> None:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    metadata = json.loads(session.get_modelmeta().custom_metadata_map["stridednet"])
    (probabilities,) = session.run(["probabilities"], {"images": prepared(picture, metadata)})
    print_most_probable(metadata["labels"], probabilities)


if __name__ == "__main__":
    main(*sys.argv[1:])
