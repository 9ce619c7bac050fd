from collections.abc import Callable
from typing import Any

import stridednet  # noqa: F401  -- before keras, to choose its backend

import keras  # isort: skip
import pytest
from keras import layers

from stridednet.conv2d.advice import RULES, advise
from stridednet.conv2d.finding import SEVERITIES, Finding
from stridednet.models.description import describe
from stridednet.models.strided import StridedNet

SIZE = (32, 32, 3)


def findings(*stack: Any, size: tuple[int, int, int] = SIZE) -> dict[str, Finding]:
    return {found.rule: found for found in advise(describe(keras.Sequential([layers.Input(size), *stack])))}


def conv(filters: int = 8, kernel_size: Any = 3, **more: Any) -> Any:
    return layers.Conv2D(filters, kernel_size, **{"padding": "same", "kernel_regularizer": "l2", **more})


def test_stridednet_breaks_the_rule_of_128_pixels() -> None:
    found = {each.rule: each for each in advise(describe(StridedNet.build(96, 96, 3, 4, keras.regularizers.L2(5e-4))))}
    rule = found["first kernel and image size"]
    assert (rule.severity, rule.layer) == ("advice", "stem")
    assert rule.number == "kernel 7x7 on images of 96 pixels"
    assert "128 pixels" in rule.reason
    assert found["a dense layer holds most of the parameters"].number == "2,359,808 of 2,658,820: 89%"
    assert found["unread pixels"].number.startswith("1 of 96 rows, 1 of 96 columns: 2.1%")  # 191 of 9,216
    assert found["receptive field smaller than the image"].number == "63x63 of 96x96 pixels"
    assert set(found) == {
        "first kernel and image size", "a dense layer holds most of the parameters", "unread pixels",
        "valid padding shrinks the output", "receptive field smaller than the image",
    }  # fmt: skip


# For each rule: layers that trigger it, a part of its number computed by hand, and layers that do not trigger it.
CASES: dict[str, tuple[Callable[[], list[Any]], str, Callable[[], list[Any]]]] = {
    "even kernel": (
        lambda: [conv(kernel_size=4)],
        "kernel 4x4: windows are offset by 0.5 pixels down and 0.5 to the right",
        lambda: [conv()],
    ),
    "first kernel and image size": (lambda: [conv(kernel_size=5)], "5x5 on images of 32", lambda: [conv()]),
    "large kernel": (lambda: [conv(), conv(kernel_size=7)], "7x7", lambda: [conv(), conv(kernel_size=5)]),
    # 4x4 windows of 5x5 on 4x4 pixels: along one axis they read 3, 4, 4, 3 of 5 pixels, so 14 * 14 of 400 values.
    "kernel larger than its input": (
        lambda: [layers.MaxPooling2D(8), conv(kernel_size=5)],
        "kernel 5x5 on a 4x4 feature map: 51%",
        lambda: [layers.MaxPooling2D(4), conv(kernel_size=5)],
    ),
    # strides 4 and kernel 3: a quarter of the rows and columns is unread, 1 - 0.75 ** 2 = 43.75%.
    "unread pixels": (
        lambda: [conv(strides=4, padding="valid")],
        "8 of 32 rows, 8 of 32 columns: 43.8%",
        lambda: [conv(strides=2)],
    ),
    "valid padding shrinks the output": (lambda: [conv(padding="valid", name="bare")], "bare 2", lambda: [conv()]),
    "unnecessary dilation": (
        lambda: [conv(dilation_rate=2)],
        "dilation_rate 2 on a 32x32 feature map",
        lambda: [conv()],
    ),
    "filters and powers of two": (lambda: [conv(24, name="c")], "c 24", lambda: [conv(32)]),
    "filters do not grow with depth": (
        lambda: [conv(32), conv(16, strides=2)],
        "at most 16 filters at a total stride of 2, but 32 at 1",
        lambda: [conv(16), conv(32, strides=2), conv(8, 1), conv(32)],
    ),
    # 32 * 32 * 27 * 8 multiply-adds, of which strides 2 would save three quarters: 165,888.
    "pooling replaceable by strides": (
        lambda: [conv(), layers.ReLU(), layers.MaxPooling2D(2)],
        "would save 0.2 of 0.2 million",
        lambda: [conv(strides=2), layers.ReLU()],
    ),
    "receptive field smaller than the image": (
        lambda: [conv(), conv()],
        "5x5 of 32x32",
        lambda: [conv(kernel_size=33, padding="same")],
    ),
    "a dense layer holds most of the parameters": (
        lambda: [conv(), layers.Flatten(), layers.Dense(64)],
        "524,352 of 524,576: 100%",
        lambda: [conv(), layers.GlobalAveragePooling2D(), layers.Dense(64)],
    ),
    "feature map of a single pixel": (
        lambda: [layers.MaxPooling2D(32), conv()],
        "8 of 9 weights",
        lambda: [layers.MaxPooling2D(32), conv(kernel_size=1)],
    ),
    "bias before batch normalization": (
        lambda: [conv(16), layers.Dropout(0.1), layers.BatchNormalization()],
        "16 biases in 1 layer have no effect",
        lambda: [
            conv(16),
            layers.ReLU(),
            layers.BatchNormalization(),
            conv(use_bias=False),
            layers.BatchNormalization(),
        ],
    ),
    "constant initial weights": (
        lambda: [conv(kernel_initializer="zeros")],
        "kernel_initializer zeros",
        lambda: [conv(kernel_initializer="orthogonal")],
    ),
    # lecun_normal scales by fan_in * (1 / fan_in) / 2 per layer: one half, and 1 / 16 = 0.0625 after four.
    "initializer, activation and depth": (
        lambda: [conv(activation="relu", kernel_initializer="lecun_normal") for _ in range(4)],
        "4 layers with lecun_normal and ReLU scale the signal's mean square by 6.3e-02",
        lambda: [
            layer
            for _ in range(4)
            for layer in (conv(kernel_initializer="lecun_normal"), layers.BatchNormalization(), layers.ReLU())
        ],
    ),
    "extreme L2 strength": (
        lambda: [conv(kernel_regularizer=keras.regularizers.L2(0.1), name="c")],
        "c 0.1",
        lambda: [conv(kernel_regularizer=keras.regularizers.L2(0.0005))],
    ),
    "no L2 regularization": (lambda: [conv(kernel_regularizer=None)], "none of 1 convolutions", lambda: [conv()]),
    "rarely needed argument": (
        lambda: [conv(activity_regularizer="l2", name="c")],
        "activity_regularizer in 1 layer",
        lambda: [conv()],
    ),
}


@pytest.mark.parametrize("rule", CASES)
def test_rule(rule: str) -> None:
    breaking, number, sound = CASES[rule]
    found = findings(*breaking())
    assert rule in found
    assert number in found[rule].number
    assert all((found[rule].reason, found[rule].fix, found[rule].source))
    assert rule not in findings(*sound())


def test_every_rule_is_tested() -> None:
    produced = {name for breaking, _, _ in CASES.values() for name in findings(*breaking())}
    assert produced == set(CASES)
    assert len(RULES) == len(CASES) - 1  # the rule on L2 finds two things


def test_a_larger_first_kernel_is_suggested_for_large_images() -> None:
    found = findings(conv(kernel_size=3), size=(160, 160, 3))
    assert found["first kernel and image size"].severity == "note"
    assert "first kernel and image size" not in findings(conv(kernel_size=7), size=(160, 160, 3))
    assert "first kernel and image size" not in findings(conv(kernel_size=3), size=(128, 128, 3))


def test_the_most_severe_come_first() -> None:
    stack = [conv(kernel_size=4, kernel_regularizer=None), conv(kernel_initializer="zeros", kernel_regularizer=None)]
    network = describe(keras.Sequential([layers.Input(SIZE), *stack]))
    order = [SEVERITIES.index(found.severity) for found in advise(network)]
    assert order == sorted(order)
    assert order[0] == 0
    assert order[-1] == 2


def test_a_bias_before_batch_normalization_has_no_effect() -> None:
    stack = keras.Sequential([layers.Input(SIZE), conv(4), layers.BatchNormalization()])
    image = keras.random.normal((2, *SIZE), seed=0)
    before = keras.ops.convert_to_numpy(stack(image, training=True))
    stack.layers[0].bias.assign([3.0, -2.0, 0.5, 10.0])
    after = keras.ops.convert_to_numpy(stack(image, training=True))
    assert abs(before - after).max() < 1e-4
