"""Keras `fit` on TensorFlow, for train_throughput.py: a process of its own, since a process has one Keras backend.

It reads prepared pictures, and trains one epoch for each line on standard input; a line comes back when it is done.

    python benchmarks/tensorflow_fit.py PICTURES.npz fit|generator

``generator`` is the tutorial's own setting: the pictures go through Keras' former ImageDataGenerator on their way.
"""

import os
import sys

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from keras.src.legacy.preprocessing.image import ImageDataGenerator

from stridednet.machine import usable_cores
from stridednet.models.catalogue import build_model
from stridednet.models.strided import StridedNet
from stridednet.recipe import Recipe


def main() -> None:
    tf.config.threading.set_intra_op_parallelism_threads(usable_cores())
    saved = np.load(sys.argv[1])
    images, targets = saved["images"].astype(np.float32), saved["targets"]
    if sys.argv[2] == "generator":
        generator = ImageDataGenerator(
            rotation_range=20, zoom_range=0.15, width_shift_range=0.2, height_shift_range=0.2, shear_range=0.15,
            horizontal_flip=True, fill_mode="nearest",
        )  # fmt: skip
        model = StridedNet.build(96, 96, 3, targets.shape[1], keras.regularizers.l2(0.0005))
        arguments = {"x": generator.flow(images / 255, targets, batch_size=32)}
    else:
        model = build_model(Recipe().model, 96, targets.shape[1])
        arguments = {"x": images, "y": targets, "batch_size": 32, "shuffle": False}
    model.compile(keras.optimizers.Adam(1e-4), loss="categorical_crossentropy", metrics=["accuracy"])
    for _ in sys.stdin:
        model.fit(**arguments, verbose=0)
        print("done", flush=True)


if __name__ == "__main__":
    main()
