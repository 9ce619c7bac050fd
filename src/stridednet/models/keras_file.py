"""A ``.keras`` file -> a Keras model."""

from pathlib import Path

import keras

from stridednet.errors import ModelError


def load_keras_file(file: Path) -> keras.Model:
    """Load a model, not compiled.

    Raises:
        ModelError: There is no such file, or Keras cannot load it; the message says why, in one line.
    """
    if not file.is_file():
        raise ModelError(f"no model {file}")
    try:
        return keras.saving.load_model(file, compile=False)
    except (KeyError, OSError, TypeError, ValueError) as error:
        raise ModelError(f"{file} is no model that Keras can load: {' '.join(str(error).split())[:200]}") from error
