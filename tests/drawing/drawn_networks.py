"""Networks to draw: all built-in models, and others that users may have."""

import keras
from keras import layers

from stridednet.conv2d.network import LayerRecord, Network
from stridednet.drawing.diagram_boxes import Boxes, boxes_of
from stridednet.drawing.diagram_layout import Layout, lay_out
from stridednet.models.catalogue import MODELS, build_model
from stridednet.models.description import describe
from stridednet.recipe import Recipe

NAMES = [*MODELS, "unet", "users"]


def all_networks() -> dict[str, Network]:
    settings = {name: Recipe().replace({"model.name": name}).model for name in MODELS}
    catalogue = {name: describe(build_model(chosen, 96, 4)) for name, chosen in settings.items()}
    return catalogue | {"unet": unet(), "users": users()}


def unet() -> Network:
    image = x = layers.Input((32, 32, 3))
    skips = []
    for filters in (4, 8, 16):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        side = layers.Conv2D(filters, 1, padding="same")(x)
        x = layers.Add()([layers.Conv2D(filters, 3, padding="same")(x), side])
        skips.append(x)
        x = layers.MaxPooling2D()(x)
    for filters, skip in zip((16, 8, 4), reversed(skips), strict=True):
        x = layers.Concatenate()([layers.UpSampling2D()(x), skip])
        x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
    return describe(keras.Model(image, x, name="unet"))


def users() -> Network:
    """A nested model, layers that no built-in model has, two outputs, and a name that looks like mathematics."""
    inner = keras.Sequential([layers.Input((16, 16, 8)), layers.Conv2D(8, 3), layers.ReLU()], name="inner")
    image = layers.Input((32, 32, 3))
    x = layers.Conv2D(8, 5, strides=2, padding="same")(image)
    x = inner(layers.SpatialDropout2D(0.1)(layers.LeakyReLU()(x)))
    x = layers.Concatenate()([x, layers.DepthwiseConv2D(3, padding="same")(x)])
    x = layers.GlobalAveragePooling2D()(layers.BatchNormalization()(x))
    return describe(keras.Model(image, [layers.Dense(9, activation="softmax")(x), layers.Dense(1)(x)], name="my $_x$"))


def laid_out(network: Network) -> tuple[Boxes, Layout]:
    boxes = boxes_of(network)
    return boxes, lay_out(boxes)


def number_of(boxes: Boxes, layer: str) -> int:
    (number,) = (number for number, box in enumerate(boxes.boxes) if layer in box.layers)
    return number


def chain(boxes: int) -> Network:
    """Return a chain of layers with the given number of boxes, including the input."""
    names = [f"flatten{number}" for number in range(boxes - 1)]
    before: list[tuple[str, ...]] = [(), *((name,) for name in names)]
    records = [
        LayerRecord(name, "Flatten", inputs, (3,), (3,), 0, 0, None, (1, 1))
        for name, inputs in zip(names, before, strict=False)
    ]
    return Network("chain", (1, 1, 3), tuple(records))
