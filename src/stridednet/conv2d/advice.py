"""Advice on a network: the findings of all rules, most severe first.

Thresholds come from the sources that each finding names. Many are rules of thumb, so measure before relying on them.
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
    """Return the findings of all rules, sorted by severity and then by layer.

    >>> from stridednet.conv2d import Conv2DLayer, chain
    >>> from stridednet.conv2d.network import LayerRecord
    >>> (facts,) = chain((32, 32, 3), [Conv2DLayer(8, (4, 4), padding="same")])
    >>> stem = LayerRecord(
    ...     name="stem",
    ...     kind="Conv2D",
    ...     inputs=(),
    ...     input_shape=(32, 32, 3),
    ...     output_shape=facts.output_shape,
    ...     parameters=facts.parameters,
    ...     multiply_adds=facts.multiply_adds,
    ...     receptive_field=facts.receptive_field,
    ...     jump=facts.jump,
    ...     conv=facts,
    ... )
    >>> findings = advise(Network("small", (32, 32, 3), (stem,)))
    >>> (findings[0].rule, findings[0].severity, findings[0].fix)
    ('even kernel', 'advice', 'use kernel_size 5 or 3')

    Args:
        network: The network; ``stridednet.models.description.describe`` converts a Keras model into one.

    Returns:
        The findings; empty if there are none.
    """
    place = {layer.name: number for number, layer in enumerate(network.layers)}
    findings = [finding for rule in RULES for finding in rule(network)]
    return tuple(sorted(findings, key=lambda found: (SEVERITIES.index(found.severity), place.get(found.layer, -1))))
