"""Load a Keras model from a ``.keras`` file."""

from pathlib import Path

import keras

from stridednet.errors import ModelError


def load_keras_file(file: str | Path) -> keras.Model:
    """Load a model from a ``.keras`` file; the model is not compiled.

    Args:
        file: Path of the file.

    Raises:
        ModelError: The file does not exist, or Keras cannot load it. The message gives the reason in one line.

    Examples:
        >>> import tempfile
        >>> image = keras.Input((32, 32, 3))
        >>> model = keras.Model(image, keras.layers.Conv2D(8, 3)(image))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.save(f"{folder}/model.keras")
        ...     load_keras_file(f"{folder}/model.keras").output_shape
        (None, 30, 30, 8)
    """
    if not Path(file).is_file():
        raise ModelError(f"no such model file: {file}")
    try:
        return keras.saving.load_model(file, compile=False)
    except (KeyError, OSError, TypeError, ValueError) as error:
        raise ModelError(f"{file} is not a model that Keras can load: {' '.join(str(error).split())[:200]}") from error
