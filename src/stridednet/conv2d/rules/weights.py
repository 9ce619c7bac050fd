"""Advice on weights: bias, initializer, regularizers, constraints."""

import math
from collections.abc import Iterator

from stridednet.conv2d.finding import TUTORIAL, Finding
from stridednet.conv2d.network import LayerRecord, Network

_L2_RANGE = (1e-4, 1e-3)  # from the tutorial
_L2_EXTREME = (1e-6, 1e-2)  # a hundredth of it, and ten times
_GAIN = (0.1, 10.0)  # of a signal's mean square through all layers
_DEEP = 8  # layers from which a fading signal stops a training instead of slowing it
_RELUS = ("relu", "relu6", "leaky_relu")


def bias_before_normalization(network: Network) -> Iterator[Finding]:
    """Find biases that batch normalisation takes away at once."""
    useless = []
    for layer in network.layers:
        behind = network.behind(layer)
        linear = layer.settings.get("use_bias") and layer.settings.get("activation") == "linear"
        if linear and behind is not None and behind.kind == "BatchNormalization":
            useless.append(layer)
    if useless:
        yield Finding(
            "bias in front of batch normalisation",
            "advice",
            useless[0].name,
            f"{sum(layer.output_shape[-1] for layer in useless):,} biases in {len(useless)} layers change nothing",
            "batch normalisation subtracts the mean, and with it any constant that was added",
            "use_bias=False in these layers",
            "Ioffe and Szegedy 2015, arXiv:1502.03167, section 3.2",
        )


def constant_initializer(network: Network) -> Iterator[Finding]:
    """Find kernels whose weights all start the same."""
    for layer in network.layers:
        name = layer.settings.get("kernel_initializer")
        if name in ("zeros", "ones"):
            yield Finding(
                "all weights start the same",
                "problem",
                layer.name,
                f"kernel_initializer {name}",
                "every filter gets the same gradient, so that all of them learn the same",
                "kernel_initializer he_normal or glorot_uniform",
                "Goodfellow et al. 2016, Deep Learning, section 8.4",
            )


def initializer_and_activation(network: Network) -> Iterator[Finding]:
    """Find signals that fade or grow through layers that no batch normalisation sets right."""
    gains: list[float] = []
    layers: list[LayerRecord] = []
    for layer, conv in network.convolutions:
        normalised, activation = _behind(network, layer)
        if conv.gain and activation in _RELUS and not normalised:
            gains.append(conv.gain)
            layers.append(layer)
    gain = math.prod(gains)
    if layers and not _GAIN[0] <= gain <= _GAIN[1]:
        names = sorted({str(layer.settings["kernel_initializer"]) for layer in layers})
        yield Finding(
            "initializer, activation and depth",
            "problem" if len(layers) >= _DEEP else "advice",
            layers[0].name,
            f"{len(layers)} layers with {' and '.join(names)} and ReLU multiply the signal's mean square by {gain:.1e}",
            "with no batch normalisation behind them the signal, and the gradient with it, fades or grows with depth",
            "kernel_initializer he_normal, which keeps it at 1, or batch normalisation",
            "He et al. 2015, arXiv:1502.01852, section 2.2",
        )


def l2_strength(network: Network) -> Iterator[Finding]:
    """Find L2 that is missing or extreme."""
    strengths = {layer.name: _l2(layer) for layer, _ in network.convolutions}
    low, high = _L2_EXTREME
    extreme = {name: strength for name, strength in strengths.items() if strength and not low <= strength < high}
    start = f"{_L2_RANGE[0]:g} and {_L2_RANGE[1]:g}"
    if extreme:
        yield Finding(
            "L2 is extreme",
            "advice",
            next(iter(extreme)),
            ", ".join(f"{name} {strength:g}" for name, strength in extreme.items()),
            "so large, it holds all weights near 0; so small, it does nothing",
            f"start between {start}",
            TUTORIAL,
        )
    if strengths and not any(strengths.values()):
        yield Finding(
            "no L2",
            "note",
            network.name,
            f"none of {len(strengths)} convolutions has a kernel_regularizer with l2",
            "L2 is one way against overfitting; weight decay and augmentation are others",
            f"where training accuracy runs ahead of test accuracy, try l2 between {start}",
            TUTORIAL,
        )


def rarely_needed(network: Network) -> Iterator[Finding]:
    """Find arguments that the tutorial leaves unset."""
    for name in ("bias_regularizer", "activity_regularizer", "kernel_constraint", "bias_constraint"):
        layers = [layer.name for layer in network.layers if name in layer.settings]
        if layers:
            yield Finding(
                "rarely needed",
                "note",
                layers[0],
                f"{name} in {len(layers)} layer{'s' if len(layers) > 1 else ''}",
                "without a specific reason it changes little",
                f"leave {name} unset, or measure what it does",
                TUTORIAL,
            )


def _behind(network: Network, layer: LayerRecord) -> tuple[bool, str]:
    """Say whether batch normalisation follows before the next weights, and which activation does."""
    activation, normalised = str(layer.settings.get("activation", "linear")), False
    follower = network.behind(layer)
    while follower is not None and follower.kind in ("BatchNormalization", "Activation", "ReLU", "LeakyReLU"):
        if follower.kind == "BatchNormalization":
            normalised = True
        else:
            kinds = {"ReLU": "relu", "LeakyReLU": "leaky_relu"}
            activation = kinds.get(follower.kind, str(follower.settings.get("activation")))
        follower = network.behind(follower)
    return normalised, activation


def _l2(layer: LayerRecord) -> float:
    return float(layer.settings.get("kernel_regularizer", {}).get("l2", 0.0))
