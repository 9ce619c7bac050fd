"""The tutorial's training script as it reads today: plain Keras 3 and `fit`, with this package's network and warps.

python examples/tutorial/train.py --dataset 101_ObjectCategories [--epochs 50] [--plot plot.png]
"""

import argparse
from pathlib import Path

import stridednet  # before keras: it chooses the PyTorch backend

import cv2
import keras
import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import classification_report
from sklearn.model_selection import train_test_split

LABELS = ["Faces", "Leopards", "Motorbikes", "airplanes"]
BATCH = 32

parser = argparse.ArgumentParser()
parser.add_argument("-d", "--dataset", required=True, help="path to the folder 101_ObjectCategories")
parser.add_argument("-e", "--epochs", type=int, default=50, help="how often to go through the images")
parser.add_argument("-p", "--plot", default="plot.png", help="where the figure goes")
args = parser.parse_args()

# The class of a picture is the name of its folder; the pixels stay 0 to 255 until the batch is made.
paths = [path for label in LABELS for path in sorted(Path(args.dataset, label).glob("*.jpg"))]
if not paths:
    raise SystemExit(f"error: {args.dataset} holds no .jpg in {', '.join(LABELS)}")
images = np.array([cv2.resize(cv2.imread(str(path), cv2.IMREAD_COLOR_RGB), (96, 96)) for path in paths])
targets = keras.utils.to_categorical([LABELS.index(path.parent.name) for path in paths])
train_x, test_x, train_y, test_y = train_test_split(images, targets, test_size=0.25, stratify=targets, random_state=42)
test_x = test_x.astype("float32") / 255


class WarpedBatches(keras.utils.PyDataset):
    """Every epoch, every image once in a new order and newly warped; the last, incomplete batch is left out."""

    augment = stridednet.Augmentation(
        rotation_range=20,
        width_shift_range=0.2,
        height_shift_range=0.2,
        shear_range=0.15,
        zoom_range=0.15,
        horizontal_flip=True,
    )
    rng = np.random.default_rng(42)
    order = rng.permutation(len(train_x))

    def __len__(self):
        return len(train_x) // BATCH

    def __getitem__(self, step):
        chosen = self.order[step * BATCH : (step + 1) * BATCH]
        return self.augment(train_x[chosen], self.rng).astype("float32") / 255, train_y[chosen]

    def on_epoch_end(self):
        self.order = self.rng.permutation(len(train_x))


keras.utils.set_random_seed(42)
model = stridednet.StridedNet.build(96, 96, 3, len(LABELS), reg=keras.regularizers.L2(0.0005))
steps_decay = keras.optimizers.schedules.InverseTimeDecay(1e-4, decay_steps=1, decay_rate=1e-4 / args.epochs)
model.compile(keras.optimizers.Adam(steps_decay), loss="categorical_crossentropy", metrics=["accuracy"])
history = model.fit(WarpedBatches(), validation_data=(test_x, test_y), epochs=args.epochs).history

predictions = model.predict(test_x, batch_size=BATCH)
print(classification_report(test_y.argmax(axis=1), predictions.argmax(axis=1), target_names=LABELS, zero_division=0))

plt.style.use("ggplot")
plt.figure()
for name, label in {
    "loss": "train_loss",
    "val_loss": "val_loss",
    "accuracy": "train_acc",
    "val_accuracy": "val_acc",
}.items():
    plt.plot(range(1, args.epochs + 1), history[name], label=label)
plt.title("Training Loss and Accuracy on Dataset")
plt.xlabel("Epoch #")
plt.ylabel("Loss/Accuracy")
plt.legend(loc="lower left")
plt.savefig(args.plot)
