"""Images that users pass to functions: each kind gives the pixels of the training, each mistake a message."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from stridednet.data.decode import decode
from stridednet.data.given_images import GivenImage, resized
from stridednet.data.samples import SampleRange
from stridednet.errors import InputError

ARRAY = np.random.default_rng(0).integers(0, 256, (30, 50, 3), np.uint8)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    Image.fromarray(ARRAY).save(path)
    return path


def test_each_kind_gives_the_pixels_of_the_training(file: Path) -> None:
    expected = decode(file, 20)
    uri = f"file://{file}"
    reversed_twice = np.ascontiguousarray(ARRAY[:, ::-1])[:, ::-1]  # not contiguous
    for given in (file, str(file), uri, Image.open(file), Image.fromarray(ARRAY), ARRAY, reversed_twice):
        found = resized(given, 20, {}, "squash")
        assert found.shape == (1, 20, 20, 3)
        assert np.array_equal(found[0], expected)
    several = resized([file, ARRAY], 20, {}, "squash")
    assert np.array_equal(several, resized(np.stack([ARRAY, ARRAY]), 20, {}, "squash"))
    assert np.array_equal(several, np.stack([expected, expected]))
    assert (
        resized((), 20, {}, "squash").shape
        == resized(np.empty((0, 30, 50, 3), np.uint8), 20, {}, "squash").shape
        == (0, 20, 20, 3)
    )


def test_one_file_is_decoded_at_several_sizes(tmp_path: Path) -> None:
    Image.new("RGB", (400, 300), "navy").save(tmp_path / "large.jpg")
    opened = GivenImage(tmp_path / "large.jpg", {})
    (tmp_path / "large.jpg").unlink()  # it is read once
    assert opened.decoded(300).shape == (300, 400, 3)
    assert opened.decoded(20).shape == (75, 100, 3)  # reduced by 4 while it is decoded, as in training
    assert opened.resized(20, "squash").shape == (20, 20, 3)


@pytest.mark.parametrize(
    ("mode", "color", "expected"),
    [
        ("L", 7, (7, 7, 7)),
        ("1", 1, (255, 255, 255)),
        ("RGBA", (9, 9, 9, 0), (255, 255, 255)),  # on white
        ("LA", (7, 255), (7, 7, 7)),
        ("P", 0, (0, 0, 0)),
        ("CMYK", (0, 255, 255, 0), (255, 0, 0)),
        ("F", 0.25, (64, 64, 64)),  # from 0 to 1
        ("I", 600, (128, 128, 128)),
        ("I;16", 600, (128, 128, 128)),
    ],
)
def test_images_of_pillow_become_rgb(mode: str, color: Any, expected: tuple[int, ...]) -> None:
    ranges = {"integer": SampleRange(0.0, 1200.0)}
    found = resized(Image.new(mode, (8, 8), color), 8, ranges, "squash")  # type: ignore[arg-type]
    assert found[0, 3, 3].tolist() == list(expected)


def test_images_of_pillow_become_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    content = io.BytesIO()
    Image.fromarray(ARRAY).save(content, "PNG", exif=exif)
    opened = Image.open(content)
    assert np.array_equal(GivenImage(opened, {}).decoded(20), np.rot90(ARRAY, -1))
    assert opened.size == (50, 30)  # it is not changed


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (3, r"image: expected a path, a Pillow image or a uint8 array of shape \(height, width, 3\)\. Received: int"),
        (None, r"image: expected a path, .* Received: NoneType"),
        (b"picture.png", r"image: expected a path, .* Received: bytes"),
        ("", r"image: expected a path\. Received: ''"),
        ("none.png", r"image: no such file\. Received: 'none.png'"),
        (".", r"image: is a folder; pass a list of its files\. Received: '\.'"),
        (ARRAY / 255, r"image: expected an array of uint8, .* would look black .* Received: float64"),
        (ARRAY.astype(np.int32), r"image: expected an array of uint8, RGB from 0 to 255\. Received: int32"),
        (ARRAY[..., 0], r"image: .* pass Image.fromarray\(image\)\. Received: \(30, 50\)"),
        (ARRAY[None, None], r"image: expected an array of shape \(height, width, 3\), RGB\. Received: \(1, 1, 30"),
        (ARRAY[:0], r"image: the image is empty\. Received: \(0, 50, 3\)"),
        ([ARRAY, "none.png"], r"image\[1\]: no such file\. Received: 'none.png'"),
        (np.zeros((2, 8, 8, 4), np.uint8), r"image\[0\]: .* for gray or transparent images, .* Received: \(8, 8, 4\)"),
    ],
)
def test_mistakes(given: Any, message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}"):
        resized(given, 20, {}, "squash")


def test_files_that_are_not_pictures(tmp_path: Path, file: Path) -> None:
    broken, empty = tmp_path / "broken.png", tmp_path / "empty.png"
    broken.write_bytes(file.read_bytes()[:200])
    empty.touch()
    with pytest.raises(InputError, match=r"^image: .*broken\.png: truncated or corrupt: "):
        resized(broken, 20, {}, "squash")
    with pytest.raises(InputError, match=r"^image\[1\]: .*empty\.png: empty file"):
        resized([file, empty], 20, {}, "squash")
    with pytest.raises(InputError, match=r"^image: truncated or corrupt: "):
        resized(Image.open(io.BytesIO(broken.read_bytes())), 20, {}, "squash")
