"""Architectures, and the building blocks for models of your own.

Importing this package does not import Keras: each public name is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stridednet.models.allconv import allconv_block, allconv_head, build_allconv
    from stridednet.models.conv_unit import Style, convolution, unit
    from stridednet.models.description import describe
    from stridednet.models.fire import build_fire, fire_module
    from stridednet.models.inception import build_inception, inception_module
    from stridednet.models.keras_file import load_keras_file
    from stridednet.models.residual import bottleneck, build_residual
    from stridednet.models.strided import StridedNet
    from stridednet.models.vgg import build_vgg, vgg_block

_HOME_OF_NAME = {
    "StridedNet": "stridednet.models.strided",
    "Style": "stridednet.models.conv_unit",
    "allconv_block": "stridednet.models.allconv",
    "allconv_head": "stridednet.models.allconv",
    "bottleneck": "stridednet.models.residual",
    "build_allconv": "stridednet.models.allconv",
    "build_fire": "stridednet.models.fire",
    "build_inception": "stridednet.models.inception",
    "build_residual": "stridednet.models.residual",
    "build_vgg": "stridednet.models.vgg",
    "convolution": "stridednet.models.conv_unit",
    "describe": "stridednet.models.description",
    "fire_module": "stridednet.models.fire",
    "inception_module": "stridednet.models.inception",
    "load_keras_file": "stridednet.models.keras_file",
    "unit": "stridednet.models.conv_unit",
    "vgg_block": "stridednet.models.vgg",
}

__all__ = [
    "StridedNet",
    "Style",
    "allconv_block",
    "allconv_head",
    "bottleneck",
    "build_allconv",
    "build_fire",
    "build_inception",
    "build_residual",
    "build_vgg",
    "convolution",
    "describe",
    "fire_module",
    "inception_module",
    "load_keras_file",
    "unit",
    "vgg_block",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF_NAME:
        raise AttributeError(f"module 'stridednet.models' has no attribute '{name}'")
    return getattr(import_module(_HOME_OF_NAME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
