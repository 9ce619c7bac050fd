from pathlib import Path

import keras
import pytest

from stridednet.errors import ModelError
from stridednet.models.keras_file import load_keras_file


def test_a_saved_model_is_loaded_without_its_optimizer(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 3)])
    model.compile("adam", "mse")
    model.save(tmp_path / "model.keras")
    loaded = load_keras_file(str(tmp_path / "model.keras"))
    assert not loaded.compiled
    assert loaded.count_params() == model.count_params()


def test_a_missing_or_damaged_file_is_reported_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"^no such model file: .*gone\.keras$"):
        load_keras_file(tmp_path / "gone.keras")
    (tmp_path / "model.keras").write_text("not a model")
    with pytest.raises(ModelError, match=r"^[^\n]*model\.keras is not a model that Keras can load: [^\n]+$"):
        load_keras_file(tmp_path / "model.keras")
