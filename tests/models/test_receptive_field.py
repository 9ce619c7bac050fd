"""Receptive fields and parameters of random models, against the pixels that their outputs depend on."""

import itertools
import math
import os
import random
from collections.abc import Callable
from typing import Any

import stridednet  # noqa: F401  -- before keras, to choose its backend

import keras  # isort: skip
import numpy as np
import pytest
from keras import layers

from stridednet.models.description import describe

SIZE = {1: 96, 2: 36, 3: 15}  # of the image, by the number of its axes
LARGEST = {1: 120, 2: 44, 3: 18}
SMALLEST = {1: 12, 2: 9, 3: 6}
Span = tuple[int, int] | None


def _pick(rng: random.Random, rank: int, highest: int) -> tuple[int, ...]:
    return tuple(rng.randint(1, highest) for _ in range(rank))


def _layer(rng: random.Random, rank: int, *, channels: int) -> Any:
    """Return a random layer of any kind that the arithmetic knows, for a map with ``rank`` spatial axes."""
    padding = rng.choice(["same", "valid"])
    plain = {"padding": padding, "use_bias": False}

    def convolution() -> Any:
        if rng.random() < 0.3:
            return _of("Conv", rank)(4, _pick(rng, rank, 3), dilation_rate=_pick(rng, rank, 2), **plain)
        if rank == 1 and rng.random() < 0.3:
            return layers.Conv1D(4, 3, padding="causal", dilation_rate=rng.randint(1, 2), use_bias=False)
        return _of("Conv", rank)(4, _pick(rng, rank, 4), strides=_pick(rng, rank, 2), **plain)

    def separable() -> Any:
        stride = rng.randint(1, 2)
        if rng.random() < 0.5:
            return _of("DepthwiseConv", rank)(rng.randint(1, 3), strides=stride, depth_multiplier=2, **plain)
        return _of("SeparableConv", rank)(4, rng.randint(1, 3), strides=stride, **plain)

    makers: list[Callable[[], Any]] = [
        convolution,
        lambda: _of("Conv", rank, "Transpose")(3, rng.randint(2, 4), strides=rng.randint(1, 3), **plain),
        lambda: _of(rng.choice(["MaxPooling", "AveragePooling"]), rank)(
            rng.randint(1, 3), strides=rng.randint(1, 2), padding=padding
        ),
        lambda: _of("UpSampling", rank)(rng.randint(1, 3)),
        lambda: _of("ZeroPadding", rank)(rng.randint(0, 2)),
        lambda: _of("Cropping", rank)(rng.randint(0, 2)),
        lambda: layers.TimeDistributed(layers.Dense(channels)) if rank == 1 else layers.Dense(3, use_bias=False),
        layers.BatchNormalization,
        lambda: layers.Rescaling(0.5),
        layers.ReLU,
    ]
    if rank < 3:
        makers += [separable, separable, convolution]
    if rank == 2:
        makers.append(lambda: layers.UpSampling2D(2, interpolation="bilinear"))
        makers.append(lambda: layers.CenterCrop(9, 11))
    return rng.choice(makers)()


def _of(name: str, rank: int, suffix: str = "") -> Any:
    return getattr(layers, f"{name}{rank}D{suffix}")


def _body(rng: random.Random, x: Any, rank: int, depth: int) -> Any:
    """Apply a few random layers, branches and nested models."""
    for _ in range(rng.randint(1, 3)):
        if max(x.shape[1 : rank + 1]) > LARGEST[rank] or min(x.shape[1 : rank + 1]) < SMALLEST[rank]:
            break
        choice = rng.random()
        if choice < 0.2 and depth:
            image = keras.Input(x.shape[1:])
            nested = keras.Model(image, _body(rng, image, rank, depth - 1))
            x = nested(x)
            if rng.random() < 0.5 and x.shape == image.shape:
                x = nested(x)
        elif choice < 0.4:
            shared = _of("Conv", rank)(x.shape[-1], rng.randint(1, 3), padding="same", use_bias=False)
            x = rng.choice([layers.Add(), layers.Concatenate(), layers.Maximum()])(
                [x, shared(layers.ReLU()(shared(x)))]
            )
        else:
            x = _layer(rng, rank, channels=x.shape[-1])(x)
    return x


def _random_model(seed: int) -> tuple[Any, int]:
    rng = random.Random(seed)
    rank = rng.choice([1, 2, 2, 2, 3])
    image = keras.Input((*(SIZE[rank] - rng.randint(0, 3) for _ in range(rank)), 2))
    x = image
    while x is image:
        x = _body(rng, image, rank, 2)
    model = keras.Model(image, x)
    for variable in model.trainable_variables:  # positive, so that nothing cancels: a zero is due to the geometry
        variable.assign(np.full(variable.shape, 1.0 / max(1, math.prod(variable.shape[:-1]))))
    return model, rank


def _read_by(model: Any, rank: int, places: list[tuple[int, ...]]) -> list[list[Span]]:
    """Return the first and last pixel, along each axis, that outputs depend on: by changing one row at a time."""
    shape = model.input_shape[1:]
    images = np.full((1 + sum(shape[:rank]), *shape), 1.0, "float32")
    numbers = itertools.count(1)
    for axis in range(rank):
        for place in range(shape[axis]):
            images[(next(numbers), *(slice(None),) * axis, place)] = 1e4
    results = model.predict(images, verbose=0, batch_size=32)
    every: list[list[Span]] = []
    for place in places:
        outputs = results[(slice(None), *place)].sum(axis=-1)
        changed = list(np.abs(outputs[1:] - outputs[0]) > 1e-4 * abs(outputs[0]))
        spans: list[Span] = []
        for axis in range(rank):
            read = np.flatnonzero([changed.pop(0) for _ in range(shape[axis])])
            spans.append((int(read[0]), int(read[-1])) if len(read) else None)
        every.append(spans)
    return every


def _with_gradient(model: Any, rank: int, output: tuple[int, ...]) -> list[Span]:
    """Return the same from the gradient, which a maximum passes to one pixel of its window only."""
    image = keras.ops.convert_to_tensor(np.ones((1, *model.input_shape[1:]), "float32")).requires_grad_()
    result = model(image, training=False)[(0, *output)].sum()
    if not result.requires_grad:
        return [None] * rank
    result.backward()
    reached = image.grad.numpy()[0] != 0
    spans: list[Span] = []
    for axis in range(rank):
        read = np.flatnonzero(reached.any(axis=tuple(other for other in range(rank + 1) if other != axis)))
        spans.append((int(read[0]), int(read[-1])) if len(read) else None)
    return spans


@pytest.mark.parametrize("start", range(0, int(os.environ.get("STRIDEDNET_FUZZ", "40")), 20))
def test_fields_match_the_pixels_that_outputs_of_random_models_depend_on(start: int) -> None:
    checked = 0
    for seed in range(start, start + 20):
        model, rank = _random_model(seed)
        network = describe(model)
        assert network.parameters == model.count_params(), f"seed {seed}"
        if not any(f"{rank}D" in layer.kind for layer in network.layers):
            continue  # of a matrix alone, nobody can say whether an axis is channels
        last = network.layers[-1]
        assert isinstance(last.receptive_field, tuple), f"seed {seed}: {network.layers}"
        sizes = model.output_shape[1 : rank + 1]
        largest = [0] * rank
        cut = [False] * rank
        # Neighboring outputs may differ where a map was enlarged, so that the largest of several central ones counts.
        places = [tuple(min(max(size // 2 + offset, 0), size - 1) for size in sizes) for offset in range(-6, 7)]
        for place, spans in zip(places, _read_by(model, rank, places), strict=True):
            gradients = _with_gradient(model, rank, place) if place in places[6:8] else spans
            for axis, (span, gradient) in enumerate(zip(spans, gradients, strict=True)):
                assert span is not None or last.receptive_field[axis] >= 0
                if gradient is not None:
                    assert span is not None, f"seed {seed}"
                    assert span[0] <= gradient[0] <= gradient[1] <= span[1], f"seed {seed}, axis {axis}"
                    if not any("Max" in layer.kind for layer in network.layers):
                        assert gradient == span, f"seed {seed}, axis {axis}"
                if span is not None:
                    largest[axis] = max(largest[axis], span[1] - span[0] + 1)
                    cut[axis] |= span[0] == 0 or span[1] == model.input_shape[axis + 1] - 1
        for axis, field in enumerate(last.receptive_field):
            assert largest[axis] <= field, f"seed {seed}, axis {axis}"
            if not cut[axis]:
                assert largest[axis] == field, f"seed {seed}, axis {axis}: {network.layers}"
                checked += 1
    assert checked >= 10
