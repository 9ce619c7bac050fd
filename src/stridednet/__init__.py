"""Train a small convolutional image classifier from a folder of pictures on an ordinary CPU.

Importing this package is fast: each public name is loaded when it is first used. The import also selects PyTorch on the
CPU as the Keras backend, unless ``KERAS_BACKEND`` or ``KERAS_TORCH_DEVICE`` is set, so import it before ``keras``.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("KERAS_TORCH_DEVICE", "cpu")  # otherwise Keras uses a GPU if there is one

if TYPE_CHECKING:
    from stridednet.data.augment import Augmentation
    from stridednet.data.scan import scan
    from stridednet.errors import StridedNetError
    from stridednet.models.strided import StridedNet
    from stridednet.pipeline import resume, train
    from stridednet.recipe import Recipe
    from stridednet.sweeps.experiment import sweep

__version__ = "0.1.0"

_HOME_OF_NAME = {
    "Augmentation": "stridednet.data.augment",
    "Recipe": "stridednet.recipe",
    "StridedNet": "stridednet.models.strided",
    "StridedNetError": "stridednet.errors",
    "resume": "stridednet.pipeline",
    "scan": "stridednet.data.scan",
    "sweep": "stridednet.sweeps.experiment",
    "train": "stridednet.pipeline",
}

__all__ = ["Augmentation", "Recipe", "StridedNet", "StridedNetError", "resume", "scan", "sweep", "train"]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF_NAME:
        raise AttributeError(f"module 'stridednet' has no attribute '{name}'")
    return getattr(import_module(_HOME_OF_NAME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
