"""Advice on a network: every rule applied, the gravest findings first.

The thresholds are those of the sources that each finding names. Many are rules of thumb, and worth a measurement.
"""

from stridednet.conv2d.finding import SEVERITIES, Finding, Rule
from stridednet.conv2d.network import Network
from stridednet.conv2d.rules import kernels, shape, weights

RULES: tuple[Rule, ...] = (
    kernels.even_kernel,
    kernels.first_kernel,
    kernels.large_kernel,
    kernels.kernel_beyond_map,
    kernels.unread_pixels,
    kernels.lost_borders,
    kernels.dilation,
    shape.filters_and_powers,
    shape.filters_and_depth,
    shape.pooling_or_strides,
    shape.receptive_field,
    shape.dense_majority,
    shape.collapsed_map,
    weights.bias_before_normalization,
    weights.constant_initializer,
    weights.initializer_and_activation,
    weights.l2_strength,
    weights.rarely_needed,
)


def advise(network: Network) -> tuple[Finding, ...]:
    """Return what all rules find, by severity and then in the order of the layers."""
    place = {layer.name: number for number, layer in enumerate(network.layers)}
    findings = [finding for rule in RULES for finding in rule(network)]
    return tuple(sorted(findings, key=lambda found: (SEVERITIES.index(found.severity), place.get(found.layer, -1))))
