"""A first layer that whitens patches of the training images, as its initial weights.

Neighboring pixels are almost equal, so that the outputs of random filters are nearly copies of each other. The filters
here are the principal components of the patches, each scaled to a variance of 1 in its output: what the next layer
receives is uncorrelated. The idea for a first layer is from Jordan 2024, "94% on CIFAR-10 in 3.29 seconds on a single
GPU", arXiv:2404.00498, section 3.2; there the layer is frozen and each filter has its negative beside it.
"""

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from stridednet.errors import ModelError

_PATCHES = 64  # of each image
_FLOOR = 1e-2  # added to variances, so that noise is not amplified; values of pixels are in the model's own range
_DECIMALS = 6  # sums in another order, as with more threads, then give the same weights


def whiten_first_layer(model: keras.Model, images: NDArray[np.uint8], seed: int) -> None:
    """Replace the kernel of a model's first convolution by whitening filters, and its bias by zeros.

    Args:
        model: A built model that takes pixels from 0 to 255, whose first layers are a `Rescaling` and a `Conv2D`.
        images: Training images, or a sample of them, ``(n, height, width, 3)``.
        seed: Random seed of the places of the patches.

    Raises:
        ModelError: The model does not begin with these layers.
    """
    rescaling, convolution = _first_layers(model)
    kernel = convolution.get_weights()[0].copy()
    height, width, depth, count = kernel.shape
    if images.shape[1] < height or images.shape[2] < width:
        raise ModelError(
            f"whitening: images of {images.shape[2]}x{images.shape[1]} pixels have no {width}x{height} patch"
        )
    patches = _patches(images, height, width, np.random.default_rng(seed))
    values = patches * float(rescaling.scale) + float(rescaling.offset)
    filters = whitening_filters(values.reshape(len(values), -1), count)
    kernel[..., : len(filters)] = filters.reshape(-1, height, width, depth).transpose(1, 2, 3, 0)
    weights = [kernel, *(np.zeros_like(bias) for bias in convolution.get_weights()[1:])]
    convolution.set_weights(weights)


def whitening_filters(patches: NDArray[np.floating], count: int) -> NDArray[np.float64]:
    """Return the first principal components, scaled so that their products with patches have a mean square of 1.

    Args:
        patches: One row per patch, ``(n, values)``.
        count: Number of filters.

    Returns:
        ``(min(count, values), values)``, by falling variance. The entry with the largest magnitude is positive.
    """
    moments = patches.T.astype(np.float64) @ patches / len(patches)
    variances, components = np.linalg.eigh(moments)
    variances, components = variances[::-1][:count], components[:, ::-1][:, :count].T
    largest = np.abs(components).argmax(axis=1)
    signs = np.sign(components[np.arange(len(components)), largest])
    scaled = signs[:, None] * components / np.sqrt(np.maximum(variances, 0) + _FLOOR)[:, None]
    return np.asarray(scaled.round(_DECIMALS), np.float64)


def _first_layers(model: keras.Model) -> tuple[layers.Rescaling, layers.Conv2D]:
    found = [layer for layer in model.layers if not isinstance(layer, layers.InputLayer)][:2]
    if len(found) == 2 and isinstance(found[0], layers.Rescaling) and isinstance(found[1], layers.Conv2D):
        return found[0], found[1]
    raise ModelError(f"whitening: the model '{model.name}' does not begin with a Rescaling and a Conv2D layer")


def _patches(images: NDArray[np.uint8], height: int, width: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return patches at random places, ``(n, height, width, channels)``."""
    rows = rng.integers(0, images.shape[1] - height + 1, (len(images), _PATCHES))
    columns = rng.integers(0, images.shape[2] - width + 1, (len(images), _PATCHES))
    cut = [
        image[row : row + height, column : column + width]
        for image, down, across in zip(images, rows, columns, strict=True)
        for row, column in zip(down, across, strict=True)
    ]
    return np.stack(cut).astype(np.float32)
