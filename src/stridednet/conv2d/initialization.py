"""The standard deviation of initial weights, and how it scales a signal."""

import math
from typing import Any, Literal, get_args

Initializer = Literal[
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "lecun_normal",
    "lecun_uniform",
    "ones",
    "orthogonal",
    "random_normal",
    "random_uniform",
    "truncated_normal",
    "variance_scaling",
    "zeros",
]
INITIALIZERS: tuple[str, ...] = get_args(Initializer)
# Other names that Keras accepts, besides those of the classes, such as HeNormal.
_ALIASES = {
    "OrthogonalInitializer": "orthogonal",
    "normal": "random_normal",
    "one": "ones",
    "uniform": "random_uniform",
    "zero": "zeros",
}
_CLASSES = {"".join(map(str.capitalize, name.split("_"))): name for name in INITIALIZERS}


def standard_initializer(name: Any) -> Any:
    """Return the snake_case name of an initializer in any of Keras' spellings; other values are returned as they are.

    >>> standard_initializer("HeNormal"), standard_initializer("uniform")
    ('he_normal', 'random_uniform')
    """
    return (_CLASSES | _ALIASES).get(name, name) if isinstance(name, str) else name


# Keras' `truncated_normal` redraws values beyond two standard deviations, which scales the standard deviation by this.
_TRUNCATED = 0.87962566103423978
# Keras' default: the standard deviation of random_normal and truncated_normal, and the bound of random_uniform.
_DEFAULT_SPREAD = 0.05


def standard_deviation(initializer: str, kernel: tuple[int, int], inputs: int, filters: int) -> float:
    """Return the standard deviation of a kernel's initial weights.

    Sources: Glorot and Bengio 2010 (https://proceedings.mlr.press/v9/glorot10a.html), He et al. 2015
    (arXiv:1502.01852), LeCun et al. 1998 (Efficient BackProp), Saxe et al. 2013 (arXiv:1312.6120).

    Args:
        initializer: Name of a Keras initializer, one of `INITIALIZERS`.
        kernel: Height and width of the kernel.
        inputs: Channels that each filter reads: the input channels divided by ``groups``.
        filters: Number of filters of the layer, over all groups.

    Raises:
        KeyError: The initializer is unknown.
    """
    fan_in = kernel[0] * kernel[1] * inputs
    fan_out = kernel[0] * kernel[1] * filters
    return {
        "glorot_normal": math.sqrt(2 / (fan_in + fan_out)),
        "glorot_uniform": math.sqrt(2 / (fan_in + fan_out)),
        "he_normal": math.sqrt(2 / fan_in),
        "he_uniform": math.sqrt(2 / fan_in),
        "lecun_normal": math.sqrt(1 / fan_in),
        "lecun_uniform": math.sqrt(1 / fan_in),
        "variance_scaling": math.sqrt(1 / fan_in),
        "orthogonal": math.sqrt(1 / max(fan_in, filters)),
        "random_normal": _DEFAULT_SPREAD,
        "random_uniform": _DEFAULT_SPREAD / math.sqrt(3),
        "truncated_normal": _DEFAULT_SPREAD * _TRUNCATED,
        "ones": 0.0,
        "zeros": 0.0,
    }[initializer]


def gain_through_relu(deviation: float, fan_in: int) -> float:
    """Return the factor by which a layer followed by ReLU scales the signal's mean square at initialization.

    The factor is ``fan_in * deviation**2 / 2`` (He et al. 2015, arXiv:1502.01852, equation 9), for weights of mean
    zero, inputs that are independent of the weights, and positions away from the padding. At 1, a signal keeps its
    magnitude at any depth.

    Args:
        deviation: Standard deviation of the initial weights.
        fan_in: Number of weights per filter.
    """
    return fan_in * deviation**2 / 2
