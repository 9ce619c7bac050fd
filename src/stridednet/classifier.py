"""A scikit-learn classifier of images in memory."""

import os
import random
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

import keras
import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from stridednet.data.arrays import checked_classes, checked_images, rgb_of_size
from stridednet.environment import check_keras
from stridednet.errors import ArrayError, RecipeError
from stridednet.executor.backend import Backend
from stridednet.executor.predictor import Predictor
from stridednet.model_settings import is_own_model
from stridednet.models.own_model import absolute_name, check_named_by
from stridednet.recipe import Recipe, load_recipe
from stridednet.training.history import History
from stridednet.training.observer import Observer
from stridednet.training.pretrained import follow_recipe
from stridednet.training.setup import make_trainer, training_batches

_BATCH_SIZE = 256  # images that are resized and predicted at once


class Classifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """An image classifier with the interface of scikit-learn, for arrays of images.

    `fit` trains on all of its images, without a validation or test subset, and writes no files; `cross_val_score`,
    `GridSearchCV` and pipelines measure and choose. The same parameters and data give the same model. Sample weights
    are not supported; ``settings={"class_weights": "auto"}`` compensates for classes of different sizes.

    Args:
        recipe: A recipe, the name of a built-in one, or a TOML file.
        epochs: Number of epochs; None for the recipe's.
        image_size: Height and width in pixels that images are resized to; None for the recipe's.
        model: Name of a built-in model or ``FILE.py:function``; None for the recipe's.
        seed: Random seed for initialization, shuffling, augmentation and dropout; None for the recipe's, which is 0
            in the built-in ones.
        settings: Other settings of the recipe by dotted key, such as ``{"augmentation.horizontal_flip": False}``.

    Attributes:
        classes_: The classes, sorted, ``(classes,)``.
        n_features_in_: Number of values per image: height * width * channels.
        image_shape_: Height, width and channels of the images that it was fitted on.
        model_: The trained Keras model, which takes RGB images of the recipe's size.
        recipe_: The recipe that was followed, without ``auto``.
        history_: One row per epoch.

    Examples:
        >>> from sklearn.datasets import load_digits
        >>> from sklearn.model_selection import cross_val_score
        >>> digits = load_digits()
        >>> X = (digits.images * 15).astype(np.uint8)  # their pixels are from 0 to 16
        >>> classifier = Classifier(epochs=4, image_size=16, settings={"augmentation.horizontal_flip": False})
        >>> scores = cross_val_score(classifier, X[:600], digits.target[:600], cv=2)
        >>> bool(scores.mean() > 0.7)
        True
    """

    def __init__(
        self,
        recipe: str | os.PathLike[str] | Recipe = "fast",
        *,
        epochs: int | None = None,
        image_size: int | None = None,
        model: str | None = None,
        seed: int | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.recipe = recipe
        self.epochs = epochs
        self.image_size = image_size
        self.model = model
        self.seed = seed
        self.settings = settings

    def __sklearn_tags__(self) -> Tags:
        """Tell scikit-learn that the input are images, not rows of features."""
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        return tags

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:  # noqa: N803 -- scikit-learn's name
        """Train a new model.

        Args:
            X: RGB images ``(n, height, width, 3)``, or gray ones ``(n, height, width, 1)`` or ``(n, height, width)``;
                integers from 0 to 255.
            y: Their classes, ``(n,)``: numbers or strings, at least two different ones.

        Raises:
            ArrayError: ``X`` or ``y`` cannot be used; it is a ValueError.
            RecipeError: The recipe does not exist, or a setting is wrong or has no effect here.
            ModelError: The model cannot be built.
            TrainingError: The loss became NaN or infinite.
        """
        check_keras()
        images = checked_images(X)
        classes, columns = np.unique(checked_classes(y, len(images)), return_inverse=True)
        recipe = self._recipe().sized(len(images), len(classes))
        backend = Backend.choose(recipe.precision)
        if backend.problem:
            warnings.warn(backend.problem, RuntimeWarning, stacklevel=2)
        recipe = recipe.replace({"precision": backend.precision})
        targets = np.eye(len(classes), dtype=np.float32)[columns]
        squares = rgb_of_size(images, recipe.source_size, recipe.resize)
        stream = training_batches(recipe, squares, np.arange(len(images)), targets)
        with _random_numbers_kept():
            trainer = make_trainer(recipe, stream, backend)
            epochs = range(1, int(recipe.epochs) + 1)
            history = list(follow_recipe(recipe, trainer, stream, None, epochs, Observer()))
        self.classes_ = classes
        self.image_shape_ = images.shape[1:]
        self.n_features_in_ = int(np.prod(self.image_shape_))
        self.recipe_ = recipe
        self.history_: History = history
        self.model_: keras.Model = trainer.model
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float32]:  # noqa: N803
        """Return the probabilities of the classes, ``(n, classes)``, in the order of ``classes_``.

        Args:
            X: Images of the shape that the classifier was fitted on.

        Raises:
            NotFittedError: `fit` was not called.
            ArrayError: The images have another shape or type than those of `fit`; it is a ValueError.
        """
        check_is_fitted(self)
        images = checked_images(X)
        if images.shape[1:] != self.image_shape_:
            raise ArrayError(
                f"X: {type(self).__name__} was fitted on images of shape {self.image_shape_}. "
                f"Received: images of shape {images.shape[1:]}"
            )
        size, rule = self.recipe_.image_size, self.recipe_.resize
        starts = range(0, len(images), _BATCH_SIZE)
        batches = (rgb_of_size(images[start : start + _BATCH_SIZE], size, rule) for start in starts)
        return Predictor(self.model_).predict_batches(batches)

    def predict(self, X: ArrayLike) -> NDArray[Any]:  # noqa: N803
        """Return the most probable class of each image, ``(n,)``; arguments and errors as for `predict_proba`."""
        chosen: NDArray[Any] = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[chosen])

    def _recipe(self) -> Recipe:
        """Return the recipe with all parameters."""
        recipe = self.recipe if isinstance(self.recipe, Recipe) else load_recipe(self.recipe)[0]
        settings = dict(self.settings or {})
        unused = [key for key in settings if key.startswith("data.") or key == "validation_freq"]
        if unused:
            raise RecipeError(f"setting '{unused[0]}': a Classifier does not use it, since it trains on all of X")
        named = {"epochs": self.epochs, "image_size": self.image_size, "model.name": self.model, "seed": self.seed}
        given = {key: value for key, value in named.items() if value is not None}
        twice = sorted(given.keys() & settings.keys())
        if twice:
            raise RecipeError(f"setting '{twice[0]}': it is given by a parameter and in `settings`; omit one of them")
        if not isinstance(self.recipe, Recipe) and "model.name" not in given | settings:
            check_named_by(self.recipe, recipe.model.name, trust=False)
        recipe = recipe.replace(given | settings)
        if is_own_model(recipe.model.name):
            recipe = recipe.replace({"model.name": absolute_name(recipe.model.name)})
        return recipe


@contextmanager
def _random_numbers_kept() -> Iterator[None]:
    """Leave the global random number generators of a user's process as they were."""
    python, numpy, pytorch = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
        torch.set_rng_state(pytorch)
