"""Advice on weights: bias, initializer, regularizers, constraints."""

import math
from collections.abc import Iterator

from stridednet.conv2d.finding import TUTORIAL, Finding
from stridednet.conv2d.network import LayerRecord, Network

_L2_RANGE = (1e-4, 1e-3)  # from the tutorial
_L2_EXTREME = (1e-6, 1e-2)  # a hundredth of the lower and ten times the upper bound
_GAIN = (0.1, 10.0)  # of the signal's mean square, over all layers
_DEEP = 8  # from this many layers on, a vanishing signal prevents training instead of slowing it
_RELUS = ("relu", "relu6", "leaky_relu")
_NORMALIZATIONS = (
    *("BatchNormalization", "GroupNormalization", "LayerNormalization"),
    *("RMSNormalization", "UnitNormalization"),
)


def bias_before_normalization(network: Network) -> Iterator[Finding]:
    """Find biases that are canceled by the batch normalization after them."""
    useless = []
    for layer in network.layers:
        follower = network.follower(layer)
        linear = layer.settings.get("use_bias") and layer.settings.get("activation") == "linear"
        if linear and follower is not None and follower.kind == "BatchNormalization":
            useless.append(layer)
    if useless:
        biases = sum(layer.output_shape[-1] for layer in useless)
        yield Finding(
            "bias before batch normalization",
            "advice",
            useless[0].name,
            f"{biases:,} biases in {len(useless)} layer{'s' if len(useless) > 1 else ''} have no effect",
            "batch normalization subtracts the mean, which cancels any constant added before it",
            "set use_bias=False in these layers",
            "Ioffe and Szegedy 2015, arXiv:1502.03167, section 3.2",
        )


def constant_initializer(network: Network) -> Iterator[Finding]:
    """Find kernels whose initial weights are all equal."""
    for layer in network.layers:
        name = layer.settings.get("kernel_initializer")
        if name in ("zeros", "ones"):
            yield Finding(
                "constant initial weights",
                "problem",
                layer.name,
                f"kernel_initializer {name}",
                "all filters receive the same gradient, so they all learn the same feature",
                "use kernel_initializer he_normal or glorot_uniform",
                "Goodfellow et al. 2016, Deep Learning, section 8.4",
            )


def initializer_and_activation(network: Network) -> Iterator[Finding]:
    """Find signals that vanish or explode through layers without batch normalization."""
    if not network.is_known:  # an unknown layer may normalize the signal
        return
    gains: list[float] = []
    layers: list[LayerRecord] = []
    for layer, conv in network.convolutions:
        normalized, activation = _followers(network, layer)
        if conv.gain and activation in _RELUS and not normalized:
            gains.append(conv.gain)
            layers.append(layer)
    gain = math.prod(gains)
    if layers and not _GAIN[0] <= gain <= _GAIN[1]:
        names = sorted({str(layer.settings["kernel_initializer"]) for layer in layers})
        yield Finding(
            "initializer, activation and depth",
            "problem" if len(layers) >= _DEEP else "advice",
            layers[0].name,
            f"{len(layers)} layers with {' and '.join(names)} and ReLU scale the signal's mean square by {gain:.1e}",
            "without batch normalization, the signal and the gradient vanish or explode with depth",
            "use kernel_initializer he_normal, which keeps the factor at 1, or batch normalization",
            "He et al. 2015, arXiv:1502.01852, section 2.2",
        )


def l2_strength(network: Network) -> Iterator[Finding]:
    """Find L2 regularization that is missing or has an extreme strength."""
    strengths = {layer.name: _l2(layer) for layer, _ in network.convolutions}
    low, high = _L2_EXTREME
    extreme = {name: strength for name, strength in strengths.items() if strength and not low <= strength < high}
    start = f"{_L2_RANGE[0]:g} and {_L2_RANGE[1]:g}"
    if extreme:
        yield Finding(
            "extreme L2 strength",
            "advice",
            next(iter(extreme)),
            ", ".join(f"{name} {strength:g}" for name, strength in extreme.items()),
            "too large a strength keeps all weights near 0; too small a strength has no effect",
            f"start with a strength between {start}",
            TUTORIAL,
        )
    if strengths and not any(strengths.values()):
        yield Finding(
            "no L2 regularization",
            "note",
            network.name,
            f"none of {len(strengths)} convolutions has a kernel_regularizer with L2",
            "L2 is one way to reduce overfitting; weight decay and augmentation are others",
            f"if training accuracy is well above test accuracy, use L2 between {start}",
            TUTORIAL,
        )


def rarely_needed(network: Network) -> Iterator[Finding]:
    """Find arguments that the tutorial recommends leaving unset."""
    for name in ("bias_regularizer", "activity_regularizer", "kernel_constraint", "bias_constraint"):
        layers = [layer.name for layer in network.layers if name in layer.settings]
        if layers:
            yield Finding(
                "rarely needed argument",
                "note",
                layers[0],
                f"{name} in {len(layers)} layer{'s' if len(layers) > 1 else ''}",
                "it has little effect and is only needed for a specific reason",
                f"leave {name} unset, or measure its effect",
                TUTORIAL,
            )


def _followers(network: Network, layer: LayerRecord) -> tuple[bool, str]:
    """Return whether a normalization follows before the next layer with weights, and the name of the activation."""
    activation, normalized = str(layer.settings.get("activation", "linear")), False
    follower = network.follower(layer)
    while follower is not None and follower.kind in (*_NORMALIZATIONS, "Activation", "ReLU", "LeakyReLU"):
        if follower.kind in _NORMALIZATIONS:
            normalized = True
        else:
            kinds = {"ReLU": "relu", "LeakyReLU": "leaky_relu"}
            activation = kinds.get(follower.kind, str(follower.settings.get("activation")))
        follower = network.follower(follower)
    return normalized, activation


def _l2(layer: LayerRecord) -> float:
    return float(layer.settings.get("kernel_regularizer", {}).get("l2", 0.0))
