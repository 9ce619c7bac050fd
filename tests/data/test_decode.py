import io
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from conftest import needs_caltech101
from stridednet.data.decode import MAX_PIXELS, UnusablePictureError, decode, resize
from stridednet.settings import ResizeRule

Pixels = NDArray[np.uint8]


@pytest.fixture
def digit(digits: Path) -> Image.Image:
    """A real grayscale picture of 28x28 pixels, not symmetric."""
    return Image.open(sorted((digits / "7").iterdir())[3]).convert("L")


def _rgb(picture: Image.Image) -> Pixels:
    return np.asarray(picture.convert("RGB"))


def _colored(digit: Image.Image) -> Image.Image:
    return Image.merge("RGB", (digit, digit.rotate(90), digit.rotate(180)))


@pytest.mark.parametrize("suffix", ["png", "BMP", "tif", "TIFF", "webp"])
def test_lossless_formats_keep_every_pixel(digit: Image.Image, tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"picture.{suffix}"
    _colored(digit).save(file, **({"lossless": True} if suffix == "webp" else {}))
    assert np.array_equal(decode(file, 28), _rgb(_colored(digit)))


@pytest.mark.parametrize("suffix", ["jpg", "JPEG"])
def test_jpeg(digit: Image.Image, tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"picture.{suffix}"
    _colored(digit).save(file, format="JPEG", quality=95, subsampling=0)
    difference = decode(file, 28).astype(int) - _rgb(_colored(digit))
    assert np.abs(difference).mean() < 4


def test_grayscale_becomes_three_equal_channels(digit: Image.Image, tmp_path: Path) -> None:
    digit.save(tmp_path / "gray.png")
    pixels = decode(tmp_path / "gray.png", 28)
    assert pixels.shape == (28, 28, 3)
    assert all(np.array_equal(pixels[:, :, channel], np.asarray(digit)) for channel in range(3))


def test_transparent_pixels_are_white(digit: Image.Image, tmp_path: Path) -> None:
    color = _colored(digit)
    color.putalpha(digit)
    color.save(tmp_path / "alpha.png")
    alpha = np.asarray(digit)[:, :, None] / 255
    expected = _rgb(_colored(digit)) * alpha + 255 * (1 - alpha)
    assert np.abs(decode(tmp_path / "alpha.png", 28) - expected).max() <= 1

    palette = digit.convert("P")
    palette.save(tmp_path / "palette.png", transparency=0)
    pixels = decode(tmp_path / "palette.png", 28)
    assert (pixels[np.asarray(palette) == 0] == 255).all()


def test_cmyk(digit: Image.Image, tmp_path: Path) -> None:
    _colored(digit).convert("CMYK").save(tmp_path / "ink.tif")
    assert np.array_equal(decode(tmp_path / "ink.tif", 28), _rgb(_colored(digit)))
    _colored(digit).convert("CMYK").save(tmp_path / "ink.jpg", quality=95)
    assert np.abs(decode(tmp_path / "ink.jpg", 28).astype(int) - _rgb(_colored(digit))).mean() < 8


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits_are_scaled(digit: Image.Image, tmp_path: Path, suffix: str) -> None:
    samples = np.asarray(digit).astype(np.uint16) * 257
    assert cv2.imwrite(str(tmp_path / f"deep.{suffix}"), samples)
    assert np.array_equal(decode(tmp_path / f"deep.{suffix}", 28)[:, :, 0], np.asarray(digit))
    color = _rgb(_colored(digit)).astype(np.uint16) * 257
    assert cv2.imwrite(str(tmp_path / f"deep_color.{suffix}"), color[:, :, ::-1])
    assert np.array_equal(decode(tmp_path / f"deep_color.{suffix}", 28), _rgb(_colored(digit)))


def test_floats_and_wide_integers(digit: Image.Image, tmp_path: Path) -> None:
    Image.fromarray(np.asarray(digit) / np.float32(255)).save(tmp_path / "float.tif")
    Image.fromarray(np.asarray(digit).astype(np.int32)).save(tmp_path / "wide.tif")
    Image.fromarray(np.asarray(digit) > 127).save(tmp_path / "bits.png")
    assert np.array_equal(decode(tmp_path / "float.tif", 28)[:, :, 0], np.asarray(digit))
    assert np.array_equal(decode(tmp_path / "wide.tif", 28)[:, :, 0], np.asarray(digit))
    assert np.array_equal(decode(tmp_path / "bits.png", 28)[:, :, 0] == 255, np.asarray(digit) > 127)


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotated_pictures_come_out_upright(
    digit: Image.Image, tmp_path: Path, suffix: str, orientation: int
) -> None:
    upright = digit.resize((96, 64))
    # The transformations that store an upright picture in each orientation of EXIF 2.3.
    undo = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    stored = upright if undo is None else upright.transpose(undo)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.convert("RGB").save(tmp_path / f"turned.{suffix}", exif=exif, quality=95)
    difference = decode(tmp_path / f"turned.{suffix}", 64).astype(int) - resize(_rgb(upright), 64)
    assert np.abs(difference).mean() < 3


def _png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def _jpeg(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.resize((200, 200)).save(file, "JPEG")
    return file.getvalue()


def test_damaged_files_are_reported_with_the_reason(digit: Image.Image, tmp_path: Path) -> None:
    png, jpeg = _png(digit), _jpeg(digit)
    damaged = {
        "empty.jpg": (b"", "empty file"),
        "text.png": (b"this is not a picture", "not an image"),
        "page.jpg": (b"<html>404</html>" * 50, "not an image"),
        "cut.png": (png[: len(png) // 2], "truncated or corrupt"),
        "cut.jpg": (jpeg[: len(jpeg) // 2], "truncated or corrupt"),
        "barely_cut.jpg": (jpeg[:-2], "truncated or corrupt"),
        "flipped.png": (png[:60] + bytes([png[60] ^ 255]) + png[61:], "truncated or corrupt"),
    }
    for name, (content, reason) in damaged.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UnusablePictureError, match=reason):
            decode(tmp_path / name, 28)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@given(st.data())
def test_damaged_files_are_decoded_or_reported(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["PNG", "BMP", "TIFF", "WEBP", "GIF"]))
    buffer = io.BytesIO()
    gradient = np.add.outer(np.arange(24), np.arange(24)).astype(np.uint8) * 5
    Image.fromarray(gradient).convert("RGB").save(buffer, kind)
    content = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    file = tmp_path_factory.getbasetemp() / "damaged"
    file.write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))]))
    with suppress(UnusablePictureError):
        assert decode(file, 16).shape == (16, 16, 3)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_too_many_pixels_are_reported(tmp_path: Path) -> None:
    side = int(MAX_PIXELS**0.5) + 1
    Image.new("1", (side, side)).save(tmp_path / "bomb.png")
    with pytest.raises(UnusablePictureError, match=r"^more than 89,478,485 pixels, the limit against"):
        decode(tmp_path / "bomb.png", 28)


@needs_caltech101
def test_the_shortcut_for_jpeg_gives_pillows_pixels(caltech101: Path) -> None:
    files = [
        path for label in ("Faces", "Leopards", "sunflower", "yin_yang") for path in (caltech101 / label).iterdir()
    ]
    for file in sorted(files)[::10]:
        with Image.open(file) as picture:
            if min(picture.size) >= 4 * 96:  # decoded at a smaller scale, which is another shortcut
                continue
            expected = resize(_rgb(picture), 96)
        assert np.array_equal(decode(file, 96), expected)


def test_a_large_jpeg_is_decoded_at_a_smaller_scale(digit: Image.Image, tmp_path: Path) -> None:
    large = _colored(digit).resize((1600, 1200), Image.Resampling.BICUBIC)
    large.save(tmp_path / "large.jpg", quality=95)
    difference = decode(tmp_path / "large.jpg", 64).astype(int) - resize(_rgb(large), 64)
    assert np.abs(difference).mean() < 2


@pytest.mark.parametrize(("height", "width"), [(64, 64), (32, 128), (128, 32), (10, 10), (300, 200)])
def test_resizing_keeps_the_mean_and_the_shape(height: int, width: int) -> None:
    rows, columns = np.mgrid[0:height, 0:width]
    image = np.repeat((rows * 127 / height + columns * 127 / width)[:, :, None], 3, axis=2).astype(np.uint8)
    small = resize(image, 64)
    assert small.shape == (64, 64, 3)
    assert abs(float(small.mean()) - float(image.mean())) < 1.5


def test_shrinking_averages_over_areas() -> None:
    image = np.zeros((4, 4, 3), np.uint8)
    image[:2, :2] = [[[0], [100]], [[100], [200]]]
    assert resize(image, 2)[:, :, 0].tolist() == [[100, 0], [0, 0]]


def _blocks(image: Pixels, height: int, width: int) -> Pixels:
    """Shrink an image by whole numbers: the means of its blocks, rounded."""
    rows, columns = image.shape[0] // height, image.shape[1] // width
    means = image.reshape(height, rows, width, columns, -1).mean(axis=(1, 3))
    return np.rint(means).astype(np.uint8)


def _tiles(height: int, width: int) -> Pixels:
    """Random pixels in steps of 16, so that means of up to 16 of them are whole numbers."""
    return np.random.default_rng(height * width).integers(0, 16, (height, width, 3), np.uint8) * 16


def test_crop_takes_the_square_in_the_center() -> None:
    wide = _tiles(20, 41)  # 10 columns are left out on the left, 11 on the right
    assert np.array_equal(resize(wide, 10, "crop"), _blocks(wide[:, 10:30], 10, 10))
    high = _tiles(30, 10)
    assert np.array_equal(resize(high, 10, "crop"), high[10:20])
    assert resize(np.zeros((3, 90, 3), np.uint8), 12, "crop").shape == (12, 12, 3)


def test_pad_keeps_all_of_the_picture_and_fills_with_gray() -> None:
    wide = _tiles(20, 40)  # becomes 5x10; 2 gray rows above, 3 below
    padded = resize(wide, 10, "pad")
    assert np.array_equal(padded[2:7], _blocks(wide, 5, 10))
    assert (np.delete(padded, range(2, 7), axis=0) == 128).all()
    high = _tiles(10, 2)
    padded = resize(high, 10, "pad")
    assert np.array_equal(padded[:, 4:6], high)
    assert (np.delete(padded, (4, 5), axis=1) == 128).all()


@pytest.mark.parametrize(("sides", "inside"), [((3, 400), (1, 16)), ((99, 70), (16, 11)), ((32, 5), (16, 3))])
def test_the_size_inside_of_the_padding_is_rounded(sides: tuple[int, int], inside: tuple[int, int]) -> None:
    drawn = (resize(np.zeros((*sides, 3), np.uint8), 16, "pad") == 0).all(axis=2)  # 3 / 32 * 16 = 2.5 is rounded up
    assert (int(drawn.any(axis=1).sum()), int(drawn.any(axis=0).sum())) == inside
    assert drawn.sum() == inside[0] * inside[1]


@given(st.integers(1, 60), st.integers(1, 60), st.integers(8, 40), st.sampled_from(["squash", "crop", "pad"]))
def test_squares_are_the_same_for_all_rules(side: int, other: int, size: int, rule: ResizeRule) -> None:
    square = np.random.default_rng(side).integers(0, 256, (side, side, 3), np.uint8)
    assert np.array_equal(resize(square, size, rule), resize(square, size))
    turned = np.ascontiguousarray(square[:, : max(1, other % side)])
    found = resize(turned, size, rule)
    assert found.shape == (size, size, 3)
    assert found.flags.c_contiguous


def test_squash_is_what_it_was_before_there_were_rules() -> None:
    image = np.random.default_rng(0).integers(0, 256, (30, 7, 3), np.uint8)
    shrunk = cv2.resize(image, (7, 12), interpolation=cv2.INTER_AREA)
    assert np.array_equal(resize(image, 12), cv2.resize(shrunk, (12, 12), interpolation=cv2.INTER_LINEAR))
