"""Keras' `Conv2D` without Keras or PyTorch: its arithmetic, the guide to its parameters, and advice on networks.

Importing this package is cheap: each public name is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stridednet.conv2d.advice import advise
    from stridednet.conv2d.arithmetic import Conv2DFacts, Conv2DLayer, chain
    from stridednet.conv2d.convolution import convolve
    from stridednet.conv2d.named_kernels import named_kernel
    from stridednet.conv2d.notation import parse_layer, parse_shape
    from stridednet.conv2d.parameters import PARAMETERS, find_parameter
    from stridednet.conv2d.window import windows

_HOME_OF_NAME = {
    "PARAMETERS": "stridednet.conv2d.parameters",
    "Conv2DFacts": "stridednet.conv2d.arithmetic",
    "Conv2DLayer": "stridednet.conv2d.arithmetic",
    "advise": "stridednet.conv2d.advice",
    "chain": "stridednet.conv2d.arithmetic",
    "convolve": "stridednet.conv2d.convolution",
    "find_parameter": "stridednet.conv2d.parameters",
    "named_kernel": "stridednet.conv2d.named_kernels",
    "parse_layer": "stridednet.conv2d.notation",
    "parse_shape": "stridednet.conv2d.notation",
    "windows": "stridednet.conv2d.window",
}

__all__ = [
    "PARAMETERS",
    "Conv2DFacts",
    "Conv2DLayer",
    "advise",
    "chain",
    "convolve",
    "find_parameter",
    "named_kernel",
    "parse_layer",
    "parse_shape",
    "windows",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF_NAME:
        raise AttributeError(f"module 'stridednet.conv2d' has no attribute '{name}'")
    return getattr(import_module(_HOME_OF_NAME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
