"""Which objects the configuration of a ``.keras`` file may name: layers, and what belongs to them, but no code.

An attack on a model file names something else there, for Keras to import, call or read: CVE-2025-1550 and its
successors. What is allowed is therefore listed, so that what later versions of Keras add is refused.
"""

import re
from collections.abc import Iterator
from typing import Any

import keras

from stridednet.limits import MAX_LAYERS

# Layers that compute from numbers alone. Not among them: Lambda and the wrappers of other frameworks, which contain
# code, and layers that read a vocabulary from a file (StringLookup, IntegerLookup, TextVectorization).
_LAYERS = frozenset(
    """
    Activation ActivityRegularization Add AdditiveAttention AlphaDropout Attention AugMix AutoContrast Average
    BatchNormalization Bidirectional CategoryEncoding CenterCrop Concatenate Dense Dot Dropout ELU EinsumDense Embedding
    Equalization Flatten GRU GRUCell GaussianDropout GaussianNoise GroupNormalization GroupQueryAttention Identity
    InputLayer LSTM LSTMCell LayerNormalization LeakyReLU Masking Maximum Minimum MixUp MultiHeadAttention Multiply
    Normalization PReLU Permute Pipeline RMSNormalization RNN RandAugment RandomBrightness RandomColorDegeneration
    RandomColorJitter RandomContrast RandomCrop RandomElasticTransform RandomErasing RandomFlip RandomGaussianBlur
    RandomGrayscale RandomHue RandomInvert RandomPerspective RandomPosterization RandomRotation RandomSaturation
    RandomSharpness RandomShear RandomTranslation RandomZoom ReLU RepeatVector Rescaling Reshape Resizing SimpleRNN
    SimpleRNNCell Softmax Solarization SpectralNormalization StackedRNNCells Subtract TimeDistributed UnitNormalization
    """.split()  # noqa: SIM905
) | {
    f"{name}{rank}D"
    for rank in (1, 2, 3)
    for name in (
        *("AdaptiveAveragePooling", "AdaptiveMaxPooling", "AveragePooling", "AvgPool", "ConvLSTM", "Conv", "Cropping"),
        *("DepthwiseConv", "GlobalAveragePooling", "GlobalMaxPooling", "MaxPool", "MaxPooling", "SeparableConv"),
        *("SpatialDropout", "UpSampling", "ZeroPadding"),
    )
} | {f"Conv{rank}DTranspose" for rank in (1, 2, 3)}  # fmt: skip
_MODELS = frozenset({"Functional", "Model", "Sequential"})
_OPERATIONS = ("numpy", "nn", "math", "image", "linalg", "einops")  # modules of keras.src.ops
_CORE_OPERATIONS = frozenset({"Cast", "SaturateCast", "Slice", "SliceUpdate", "StopGradient", "Unstack"})
_POLICIES = frozenset({"DTypePolicy", "FloatDTypePolicy", "QuantizedDTypePolicy", "QuantizedFloat8DTypePolicy"})
_PARTS = ("activations", "constraints", "initializers", "losses", "metrics", "optimizers", "regularizers")
_VALUES = frozenset({"__keras_tensor__", "__slice__", "__ellipsis__", "__bytes__"})
_ARRAYS = frozenset({"__tensor__", "__numpy__"})
_NUMBERS = re.compile(r"bool|b?float\d+|u?int\d+")
_MAX_NUMBER = 2**31
_IDENTITY = "shared_object_id"  # any number: the address of an object in the process that saved the model


def refused(config: Any) -> str | None:
    """Return why the configuration of a model is not followed; None if there is no reason."""
    layers = 0
    for part in objects(config):
        reason = _refused(part)
        if reason:
            return reason
        layers += part["class_name"] in _LAYERS
        if layers > MAX_LAYERS:
            return f"more than {MAX_LAYERS:,} layers"
    return next((f"the number {number}" for number in _numbers(config) if abs(number) > _MAX_NUMBER), None)


def objects(config: Any) -> Iterator[dict[str, Any]]:
    """Yield every object in a configuration."""
    for part in _all(config):
        if isinstance(part, dict) and "class_name" in part:
            yield part


def _refused(part: dict[str, Any]) -> str | None:
    kind, module, config = part["class_name"], part.get("module"), part.get("config")
    if not isinstance(kind, str):
        return f"an object whose class is not a name: {kind!r:.80}"
    if kind in _VALUES:
        return None
    if kind in _ARRAYS:
        dtype = config.get("dtype") if isinstance(config, dict) else None
        return (
            None if isinstance(dtype, str) and _NUMBERS.fullmatch(dtype) else "an array that does not contain numbers"
        )
    named = config if kind == "function" else part.get("registered_name", kind)
    if isinstance(named, str) and keras.saving.get_registered_object(named) is not None:
        return None
    name = config if kind == "function" else kind
    if not isinstance(name, str) or not (module is None or isinstance(module, str)):
        return f"an object without a name: {name!r:.80}"
    if kind == "function":
        allowed = module == "builtins" or module in {f"keras.{place}" for place in _PARTS}
        return None if allowed and _is_function_of_a_part(name) else f"the function {_full(module, name)}"
    return None if _is_allowed(module, name) else _full(module, name)


def _is_allowed(module: str | None, name: str) -> bool:
    if module is None:  # as in files of earlier versions, in which the name alone decides
        return name in _LAYERS | _MODELS or any(hasattr(getattr(keras, place), name) for place in _PARTS)
    parts = module.split(".")
    if module in ("keras.layers", "keras.ops") or module.startswith("keras.src.layers."):
        return name in _LAYERS
    if module in ("keras", "keras.models", "keras.src.models.functional", "keras.src.models.sequential"):
        return name in _MODELS | _POLICIES
    if module in ("keras.dtype_policies", "keras.src.dtype_policies.dtype_policy"):
        return name in _POLICIES
    if parts[:3] == ["keras", "src", "ops"] and len(parts) == 4:
        return parts[3] in _OPERATIONS or (parts[3] == "core" and name in _CORE_OPERATIONS)
    if module.startswith("keras.src.backend.") and ".optimizers." in module:
        return hasattr(keras.optimizers, name)
    return parts[0] == "keras" and len(parts) == 2 and parts[1] in _PARTS and name[:1].isupper()


def _is_function_of_a_part(name: str) -> bool:
    places = ("activations", "initializers", "losses", "metrics", "regularizers", "constraints")
    forbidden = ("get", "serialize", "deserialize")
    return name not in forbidden and any(hasattr(getattr(keras, place), name) for place in places)


def _full(module: str | None, name: str) -> str:
    return f"{module}.{name}"[:120] if module else name[:120]


def _numbers(config: Any) -> Iterator[int]:
    return (part for part in _all(config) if type(part) is int)


def _all(config: Any) -> Iterator[Any]:
    pending = [config]
    while pending:
        part = pending.pop()
        yield part
        if isinstance(part, dict):
            pending += (value for key, value in part.items() if key != _IDENTITY or type(value) is not int)
        elif isinstance(part, list):
            pending += part
