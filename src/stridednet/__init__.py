"""Train a small convolutional image classifier from a folder of pictures on an ordinary CPU.

Importing this package is fast: each public name is loaded when it is first used. The import also selects PyTorch on the
CPU as the Keras backend, unless ``KERAS_BACKEND`` or ``KERAS_TORCH_DEVICE`` is set, so import it before ``keras``.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

# A variable that is set but empty would mean another default.
os.environ["KERAS_BACKEND"] = os.environ.get("KERAS_BACKEND") or "torch"
os.environ["KERAS_TORCH_DEVICE"] = os.environ.get("KERAS_TORCH_DEVICE") or "cpu"  # else Keras uses a GPU if any

if TYPE_CHECKING:
    from stridednet.checking.check import CheckResult, check
    from stridednet.classifier import Classifier
    from stridednet.data.augment import Augmentation
    from stridednet.data.scan import scan
    from stridednet.errors import StridedNetError
    from stridednet.evaluation.evaluate import Evaluation
    from stridednet.executor.predictor import Predictor
    from stridednet.models.strided import StridedNet
    from stridednet.pipeline import Result, resume, train
    from stridednet.recipe import Recipe, load_recipe
    from stridednet.run import Run
    from stridednet.sweeps.experiment import SweepResult, run_plan, sweep
    from stridednet.sweeps.observer import SweepObserver
    from stridednet.training.observer import Observer
    from stridednet.tuning.observer import TuneObserver
    from stridednet.tuning.result import TuneResult
    from stridednet.tuning.tune import tune

__version__ = "0.1.0"

_HOME_OF_NAME = {
    "Augmentation": "stridednet.data.augment",
    "CheckResult": "stridednet.checking.check",
    "Classifier": "stridednet.classifier",
    "Evaluation": "stridednet.evaluation.evaluate",
    "Observer": "stridednet.training.observer",
    "Predictor": "stridednet.executor.predictor",
    "Recipe": "stridednet.recipe",
    "Result": "stridednet.pipeline",
    "Run": "stridednet.run",
    "StridedNet": "stridednet.models.strided",
    "StridedNetError": "stridednet.errors",
    "SweepObserver": "stridednet.sweeps.observer",
    "SweepResult": "stridednet.sweeps.experiment",
    "TuneObserver": "stridednet.tuning.observer",
    "TuneResult": "stridednet.tuning.result",
    "check": "stridednet.checking.check",
    "load_recipe": "stridednet.recipe",
    "resume": "stridednet.pipeline",
    "run_plan": "stridednet.sweeps.experiment",
    "scan": "stridednet.data.scan",
    "sweep": "stridednet.sweeps.experiment",
    "train": "stridednet.pipeline",
    "tune": "stridednet.tuning.tune",
}

__all__ = [
    "Augmentation",
    "CheckResult",
    "Classifier",
    "Evaluation",
    "Observer",
    "Predictor",
    "Recipe",
    "Result",
    "Run",
    "StridedNet",
    "StridedNetError",
    "SweepObserver",
    "SweepResult",
    "TuneObserver",
    "TuneResult",
    "check",
    "load_recipe",
    "resume",
    "run_plan",
    "scan",
    "sweep",
    "train",
    "tune",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF_NAME:
        raise AttributeError(f"module 'stridednet' has no attribute '{name}'")
    try:
        return getattr(import_module(_HOME_OF_NAME[name]), name)
    except Exception as error:
        from stridednet.environment import explained

        reason = explained(error)
        if reason is None:
            raise
        raise reason from error


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
