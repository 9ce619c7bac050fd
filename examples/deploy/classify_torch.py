"""Classify a picture in PyTorch: python classify_torch.py model.pt2 picture.jpg

Needs torch, numpy, opencv-python-headless and pillow.
"""

import json
import sys

import torch

from answer import print_most_probable
from picture import prepared


def main(model: str, picture: str) -> None:
    extra = {"stridednet": ""}  # filled by `load`
    program = torch.export.load(model, extra_files=extra)
    metadata = json.loads(extra["stridednet"])
    with torch.inference_mode():
        probabilities = program.module()(torch.from_numpy(prepared(picture, metadata)))
    print_most_probable(metadata["labels"], probabilities.numpy())


if __name__ == "__main__":
    main(*sys.argv[1:])
