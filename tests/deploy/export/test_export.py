"""Exports of a real training: what is written, what it says of itself, and that a wrong file is not kept."""

import ast
import hashlib
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import stridednet
from conftest import SMALL, copy_digits
from stridednet.deploy.export.export import export
from stridednet.deploy.export.formats import FORMATS
from stridednet.deploy.export.runtimes import RUNTIMES
from stridednet.deploy.export.verification import compare, computed_elsewhere
from stridednet.errors import ExportError, InputError
from stridednet.run import Run


@pytest.fixture(scope="module")
def run(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("export")
    copy_digits(digits, folder / "pictures", "012", 30)
    return stridednet.train(folder / "pictures", "accurate", settings=SMALL | {"epochs": 2}, out=folder / "run").run


def _expected(run: Run, images: np.ndarray) -> np.ndarray:
    return run.predictor().predict(images)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (9, 20, 20, 3)).astype(np.uint8)


def test_onnx_openvino_and_torch(run: Run, images: np.ndarray, tmp_path: Path) -> None:
    results = export(run, ["onnx", "openvino", "torch"], out=tmp_path / "files")
    assert [result.format for result in results] == ["onnx", "openvino", "torch"]
    expected = _expected(run, images)
    for result in results:
        found = result.verification
        assert (found.agreement, found.pictures, found.batches) == (1.0, run.report["report"]["support"], (1, 7, 64))
        assert found.difference <= 1e-4
        assert found.accuracy == pytest.approx(run.report["report"]["accuracy"])
        assert result.size == sum(file.stat().st_size for file in result.files)
        compute = RUNTIMES[result.format](result.files[0], 1)
        np.testing.assert_allclose(compute(images), expected, atol=1e-5)
        np.testing.assert_allclose(compute(images[:1]), expected[:1], atol=1e-5)
    names = {path.name for path in (tmp_path / "files").iterdir()}
    assert names == {"model.onnx", "model.xml", "model.bin", "model.pt2", "preprocessor_config.json"}


def test_what_the_onnx_file_says_of_itself(run: Run, tmp_path: Path) -> None:
    export(run, ["onnx"], out=tmp_path)
    said = onnxruntime.InferenceSession(tmp_path / "model.onnx").get_modelmeta().custom_metadata_map
    assert ast.literal_eval(said["names"]) == {0: "0", 1: "1", 2: "2"}
    assert json.loads(said["imgsz"]) == [20, 20]
    assert said["task"] == "classify"
    own = json.loads(said["stridednet"])
    assert own["labels"] == ["0", "1", "2"]
    assert "area averaging" in own["resize"]
    assert own["model_sha256"] == hashlib.sha256((run.folder / "model.keras").read_bytes()).hexdigest()
    config = json.loads((tmp_path / "preprocessor_config.json").read_text())
    assert config["size"] == {"height": 20, "width": 20}
    assert not config["do_rescale"]
    assert not config["do_normalize"]


def test_int8(run: Run, images: np.ndarray, tmp_path: Path) -> None:
    plain, small = export(run, ["onnx"], quantize="int8", out=tmp_path)
    assert small.files == (tmp_path / "model-int8.onnx",)
    assert small.size < plain.size
    kinds = {one.data_type for one in onnx.load(small.files[0]).graph.initializer}
    assert onnx.TensorProto.INT8 in kinds
    difference = np.abs(RUNTIMES["onnx"](small.files[0], 1)(images) - _expected(run, images)).max()
    assert 0 < difference < 0.2
    assert small.verification.run_accuracy == plain.verification.run_accuracy
    meta = onnxruntime.InferenceSession(small.files[0]).get_modelmeta().custom_metadata_map
    assert json.loads(meta["stridednet"])["labels"] == ["0", "1", "2"]


def test_a_model_with_layers_that_have_no_step(digits: Path, tmp_path: Path) -> None:
    """PyTorch's exporter writes it."""
    pytest.importorskip("onnxscript")
    (tmp_path / "own.py").write_text(
        "import keras\n"
        "def build(width, height, depth, classes):\n"
        "    image = keras.Input((height, width, depth))\n"
        "    x = keras.layers.Rescaling(1 / 255)(image)\n"
        "    x = keras.layers.Conv2D(8, 3, strides=2)(x)\n"
        "    x = keras.layers.GroupNormalization(groups=4)(x)\n"
        "    x = keras.layers.GlobalAveragePooling2D()(x)\n"
        "    return keras.Model(image, keras.layers.Dense(classes, activation='softmax')(x))\n"
    )
    data = copy_digits(digits, tmp_path / "pictures", "012", 20)
    settings = {"epochs": 1, "image_size": 20, "batch_size": 16, "model.name": f"{tmp_path / 'own.py'}:build"}
    run = stridednet.train(data, settings=settings, out=tmp_path / "run").run
    assert not run.portable_file.is_file()
    (result,) = export(run, ["onnx"])
    assert result.files == (tmp_path / "run" / "export" / "model.onnx",)
    assert result.verification.agreement == 1


def test_a_file_that_computes_something_else_is_not_kept(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer gets a model with other weights than the run's."""
    format_ = FORMATS["onnx"]
    write = format_.writer()

    def wrong(_: object, metadata: object, path: Path) -> None:
        other = run.model()
        other.set_weights([weight * 1.5 for weight in other.get_weights()])
        write(other, metadata, path)  # type: ignore[arg-type]

    monkeypatch.setattr(type(format_), "writer", lambda _: wrong)
    (tmp_path / "model.onnx").write_text("an earlier file")
    with pytest.raises(ExportError, match="computes something else than the run, so it was not kept: of "):
        export(run, ["onnx"], out=tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"model.onnx": "an earlier file"}


def test_a_file_that_its_runtime_cannot_read(tmp_path: Path, images: np.ndarray) -> None:
    (tmp_path / "model.onnx").write_bytes(b"nothing")
    with pytest.raises(ExportError, match="onnx: the runtime cannot compute the file: "):
        computed_elsewhere("onnx", tmp_path / "model.onnx", images, (1,))


def test_a_moved_data_set(run: Run, tmp_path: Path) -> None:
    shutil.copytree(Path(run.recipe.data.dataset), tmp_path / "moved")
    shutil.copytree(run.folder, tmp_path / "run")
    moved = Run.open(tmp_path / "run")
    moved.write_recipe(moved.recipe.replace({"data.dataset": str(tmp_path / "gone")}))
    moved = Run.open(tmp_path / "run")
    with pytest.raises(InputError, match="if the data set was moved"):
        export(moved, ["onnx"])
    (result,) = export(moved, ["onnx"], dataset=tmp_path / "moved")
    assert result.verification.agreement == 1


def test_comparison_takes_the_worst_batch_size() -> None:
    expected = np.array([[0.9, 0.1], [0.4, 0.6]], np.float32)
    other = np.array([[0.9, 0.1], [0.6, 0.4]], np.float32)
    found = compare([expected, other], expected, np.array([0, 0]), (1, 7))
    assert (found.agreement, found.accuracy, found.run_accuracy) == (0.5, 0.5, 0.5)
    assert found.difference == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"formats": []}, "formats: name at least one of onnx, openvino, litert, torch"),
        ({"formats": ["tflite"]}, "formats: expected some of onnx, .*Received: 'tflite'"),
        ({"formats": ["torch"], "quantize": "int8"}, "only the format onnx can be quantized"),
        ({"formats": ["onnx"], "quantize": "int4"}, "quantize: expected 'int8'. Received: 'int4'"),
    ],
)
def test_wrong_arguments(run: Run, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        export(run, **arguments)  # type: ignore[arg-type]


def test_a_missing_package_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"openvino needs openvino, onnx, .*pip install 'stridednet\[openvino\]'"):
        export(run, ["openvino"])


def test_litert(run: Run, images: np.ndarray, tmp_path: Path) -> None:
    pytest.importorskip("litert_torch", reason="the converter of LiteRT is not installed")
    (result,) = export(run, ["litert"], out=tmp_path)
    assert result.verification.agreement == 1
    np.testing.assert_allclose(RUNTIMES["litert"](result.files[0], 1)(images), _expected(run, images), atol=1e-5)
    with zipfile.ZipFile(result.files[0]) as archive:
        assert archive.read("labels.txt").decode().split() == ["0", "1", "2"]
        assert json.loads(archive.read("stridednet.json"))["image_size"] == 20
