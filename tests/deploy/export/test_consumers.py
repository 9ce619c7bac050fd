"""The examples in examples/deploy: they say what `Run.predict` says, without stridednet and Keras."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from PIL import Image

import stridednet
from conftest import PROJECT, SMALL, copy_digits
from stridednet.data.decode import decode
from stridednet.deploy.export.formats import FORMATS
from stridednet.deploy.export.metadata import Metadata, in_words
from stridednet.run import Run
from stridednet.settings import ResizeRule

EXAMPLES = PROJECT / "examples" / "deploy"


@pytest.fixture(scope="module")
def run(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("consumers")
    copy_digits(digits, folder / "pictures", "0123", 20)
    return stridednet.train(folder / "pictures", settings=SMALL | {"epochs": 2}, out=folder / "run").run


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of pictures that exercise each part of the rule; the model takes 20x20 pixels."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)

    def smooth(width: int, height: int, channels: int = 3) -> Image.Image:
        noise = rng.integers(0, 256, (height // 6 + 2, width // 6 + 2, channels), np.uint8)
        return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)

    turned = Image.Exif()
    turned[0x0112] = 6
    smooth(47, 33).save(folder / "turned.jpg", exif=turned)
    smooth(190, 110).save(folder / "large.jpg")  # reduced while it is decoded
    smooth(45, 31).save(folder / "rgb.png")
    smooth(50, 11, 4).save(folder / "transparent.png")  # one side shrinks, one grows
    smooth(9, 13).save(folder / "small.png")
    smooth(40, 30).convert("P").save(folder / "palette.gif", transparency=3)
    smooth(40, 30).convert("L").save(folder / "gray.jpg")
    smooth(40, 30).convert("CMYK").save(folder / "cmyk.jpg")
    return folder


@pytest.fixture(scope="module")
def picture_module() -> Any:
    spec = importlib.util.spec_from_file_location("picture", EXAMPLES / "picture.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("rule", get_args(ResizeRule))
def test_the_example_prepares_pictures_as_the_package_does(
    rule: ResizeRule, pictures: Path, picture_module: Any
) -> None:
    metadata = {"image_size": 20, "resize": in_words(rule, 20)}
    for path in pictures.iterdir():
        expected = decode(path, 20, rule=rule)
        np.testing.assert_array_equal(picture_module.prepared(str(path), metadata), expected[None], err_msg=path.name)


@pytest.mark.parametrize(
    ("change", "name", "message"),
    [
        ({"resize": "center crop"}, "rgb.png", "another rule than picture.py has: center crop"),
        ({}, "text.jpg", "text.jpg: not a readable picture"),
        ({}, "deep.png", "deep.png: has more than 8 bits per sample"),
    ],
)
def test_what_the_example_refuses(
    run: Run, pictures: Path, picture_module: Any, tmp_path: Path, change: dict[str, str], name: str, message: str
) -> None:
    Image.open(pictures / "rgb.png").save(tmp_path / "rgb.png")
    (tmp_path / "text.jpg").write_text("no picture")
    Image.fromarray(np.zeros((9, 9), np.uint16)).save(tmp_path / "deep.png")
    metadata = {"image_size": 20, "resize": Metadata.of(run).resize} | change
    with pytest.raises(SystemExit, match=re.escape(message)):
        picture_module.prepared(str(tmp_path / name), metadata)


@pytest.mark.parametrize("name", FORMATS)
def test_an_example_says_what_the_run_says(name: str, run: Run, pictures: Path, tmp_path: Path) -> None:
    for package in FORMATS[name].needs:
        pytest.importorskip(package, reason=f"{package} is not installed")
    file, picture = tmp_path / FORMATS[name].file, pictures / "turned.jpg"
    FORMATS[name].writer()(run.model(), Metadata.of(run), file)
    command = [sys.executable, "-X", "importtime", EXAMPLES / f"classify_{name}.py", file, picture]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    imports, others = [], []
    for line in done.stderr.splitlines():
        (imports if line.startswith("import time:") else others).append(line)
    assert (done.returncode, others) == (0, [])
    imported = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in imports}
    assert "numpy" in imported
    assert not {"stridednet", "keras"} & imported
    found = [re.fullmatch(r" *([\d.]+)%  (\d)", line) for line in done.stdout.splitlines()]
    said = [(match[2], float(match[1]) / 100) for match in found if match]
    expected = run.predict(picture).top(3)
    assert [label for label, _ in said] == [label for label, _ in expected]
    assert [one for _, one in said] == pytest.approx([one for _, one in expected], abs=2e-4)
