"""Classify a picture in LiteRT: python classify_litert.py model.tflite picture.jpg

Needs ai-edge-litert, numpy, opencv-python-headless and pillow.
"""

import json
import sys
import zipfile

from ai_edge_litert.interpreter import Interpreter

from answer import print_most_probable
from picture import prepared


def main(model: str, picture: str) -> None:
    with zipfile.ZipFile(model) as archive:  # the file is both
        metadata = json.loads(archive.read("stridednet.json"))
    interpreter = Interpreter(model)
    interpreter.allocate_tensors()
    (images,), (probabilities,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.set_tensor(images["index"], prepared(picture, metadata))
    interpreter.invoke()
    print_most_probable(metadata["labels"], interpreter.get_tensor(probabilities["index"]))


if __name__ == "__main__":
    main(*sys.argv[1:])
