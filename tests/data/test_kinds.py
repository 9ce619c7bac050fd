"""Pictures are known by their content, whatever their names are."""

import io
import shutil
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from stridednet.data import kinds
from stridednet.data.cache import load_pictures
from stridednet.data.decode import UnusablePictureError, decode
from stridednet.data.kinds import kind_of_content
from stridednet.data.scan import scan
from stridednet.errors import DataError
from tiny_pictures import noise, write_classes

HEIC = struct.pack(">I", 24) + b"ftypheic" + bytes(12)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.gif", "GIF"), ("a.ppm", "PPM"), ("a.pgm", "PPM"), ("a.jfif", "JPEG"), ("a", "JPEG"), ("a.12", "PNG"),
     ("a.jpe", "JPEG"), ("a.dat", "BMP"), ("a.image", "TIFF"), ("a.pic", "WEBP"), ("a.jp2", "JPEG2000"),
     ("a.txt", "PNG"), ("a.avif", "AVIF")],
)  # fmt: skip
def test_pictures_with_unusual_names_are_used(tmp_path: Path, name: str, kind: str) -> None:
    if kind == "AVIF" and "AVIF" not in kinds._optional_formats():
        pytest.skip("Pillow has no AVIF here")
    write_classes(tmp_path, ["usual", "unusual"])
    noise("unusual").save(tmp_path / "unusual" / name, kind)
    manifest = load_pictures(scan(tmp_path), 40).manifest
    assert (len(manifest.pictures), manifest.problems) == (13, ())


def test_the_first_frame_of_an_animation_is_used(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (40, 40), color) for color in ("red", "blue")]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    assert decode(tmp_path / "moving.gif", 16)[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize(
    "text",
    [b"P1 is the first player", b"BMW, Audi and others, with their years of construction", b"GIF89", b"", b"\xff"],
)
def test_texts_are_not_pictures(tmp_path: Path, text: bytes) -> None:
    write_classes(tmp_path, ["a", "b"])
    (tmp_path / "a" / "notes.txt").write_bytes(text)
    (problem,) = scan(tmp_path).problems
    assert problem.reason == "not an image: neither the file name nor the content is that of an image"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.heic", HEIC, "HEIC is not read: install pillow-heif (pip install pillow-heif), or convert these files to"),
        ("a.JPG", HEIC, "HEIC is not read: install pillow-heif"),
        ("a", HEIC, "HEIC is not read"),
        ("a.heif", HEIC.replace(b"heic", b"mif1"), "HEIC is not read"),
        ("a.jxl", b"\xff\x0a" + bytes(30), "JPEG XL is not read: convert these files to JPEG or PNG"),
        ("a.psd", b"8BPS" + bytes(30), "Photoshop is not read"),
        ("a.dcm", bytes(128) + b"DICM", "DICOM is not read"),
        ("a.svg", b'<?xml version="1.0"?>\n<svg xmlns="x"/>', "SVG is not read"),
        ("a.pdf", b"%PDF-1.7", "PDF is not read"),
        ("a.NEF", b"II*\0" + bytes(30), "raw photograph is not read"),
    ],
)
def test_kinds_that_are_not_read_say_what_to_do(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    write_classes(tmp_path, ["a", "b"])
    (tmp_path / "a" / name).write_bytes(content)
    (problem,) = load_pictures(scan(tmp_path), 16).manifest.problems
    assert problem.reason.startswith(reason)


def test_avif_needs_a_recent_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "_optional_formats", frozenset)
    assert kind_of_content(bytes(4) + b"ftypavif").reason.startswith("AVIF is not read: install Pillow 11.3 or later")


def test_empty_classes_are_named_all_at_once_with_the_reason(tmp_path: Path) -> None:
    write_classes(tmp_path, ["a", "b"])
    for label in ("empty", "phone"):
        (tmp_path / label).mkdir()
    for number in range(8):
        (tmp_path / "phone" / f"{number}.HEIC").write_bytes(HEIC)
    with pytest.raises(DataError) as caught:
        scan(tmp_path)
    assert str(caught.value) == (
        "classes 'empty', 'phone' (8 files skipped: HEIC is not read: install pillow-heif (pip install pillow-heif), "
        f"or convert these files to JPEG or PNG) have no images in {tmp_path}; add some, omit them with `skip_empty`, "
        "or select other classes with `labels`"
    )
    manifest = scan(tmp_path, skip_empty=True)
    assert (manifest.labels, len(manifest.problems)) == (("a", "b"), 8)
    assert manifest.notes == ("classes left out, since they have no training images: empty, phone",)
    assert scan(tmp_path, ["a", "b", "empty"], skip_empty=True).labels == ("a", "b")
    shutil.rmtree(tmp_path / "b")
    with pytest.raises(DataError, match=r"has training images of only 1 classes, .*; classes without: empty, phone"):
        scan(tmp_path, skip_empty=True)


def test_classes_that_are_only_in_test_can_be_left_out(tmp_path: Path) -> None:
    write_classes(tmp_path / "train", ["a", "b"])
    write_classes(tmp_path / "test", ["a", "b", "c", "d"])
    with pytest.raises(DataError, match=r"has no training images of c, d; add some, omit them with `skip_empty`"):
        scan(tmp_path)
    manifest = scan(tmp_path, skip_empty=True)
    assert (manifest.labels, len(manifest.pictures)) == (("a", "b"), 24)


def test_a_format_that_is_read_but_not_its_compression_is_not_called_damaged(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    noise("x").save(buffer, "BMP")
    content = bytearray(buffer.getvalue())
    content[30] = 99  # the compression
    (tmp_path / "odd.bmp").write_bytes(content)
    with pytest.raises(UnusablePictureError, match=r"^a kind of image that is not read: Unsupported BMP compression"):
        decode(tmp_path / "odd.bmp", 16)


def _tiff(samples: np.ndarray) -> bytes:
    """An uncompressed TIFF of any type of samples, written by hand, since neither library writes all of them."""
    height, width = samples.shape[:2]
    channels = 1 if samples.ndim == 2 else samples.shape[2]
    bits = samples.dtype.itemsize * 8
    sample_format = {"u": 1, "i": 2, "f": 3}[samples.dtype.kind]
    data = samples.tobytes()
    entries = [(256, 3, width), (257, 3, height), (259, 3, 1), (262, 3, 2 if channels > 1 else 1), (273, 4, 8),
               (277, 3, channels), (278, 3, height), (279, 4, len(data)), (284, 3, 1)]  # fmt: skip
    after = 8 + len(data) + 2 + 12 * (len(entries) + 2) + 4
    extra = struct.pack(f"<{channels}H", *[bits] * channels) + struct.pack(f"<{channels}H", *[sample_format] * channels)
    if channels > 2:
        wide = [(258, 3, channels, after), (339, 3, channels, after + 2 * channels)]
    else:
        wide, extra = [(258, 3, 1, bits), (339, 3, 1, sample_format)], b""
    fields = sorted([(tag, kind, 1, value) for tag, kind, value in entries] + wide)
    directory = struct.pack("<H", len(fields)) + b"".join(struct.pack("<HHII", *field) for field in fields) + bytes(4)
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + directory + extra


@pytest.mark.parametrize("dtype", ["uint16", "int16", "int32", "uint32", "float32", "float64"])
@pytest.mark.parametrize("channels", [1, 3])
def test_samples_of_any_type_are_read(tmp_path: Path, dtype: str, channels: int) -> None:
    ramp = np.linspace(0, 1000, 40 * 40).reshape(40, 40)
    samples = (ramp if channels == 1 else np.stack([ramp] * 3, axis=2)).astype(dtype)
    (tmp_path / "ramp.tif").write_bytes(_tiff(samples))
    pixels = decode(tmp_path / "ramp.tif", 40)
    top = 1000 if "float" in dtype else 1023
    assert np.abs(pixels[:, :, 0] - ramp * 255 / top).max() <= 1


def _data_set(root: Path, samples: dict[str, np.ndarray], suffix: str) -> Path:
    for name, values in samples.items():
        (root / name[0]).mkdir(parents=True, exist_ok=True)
        path = root / name[0] / f"{name}.{suffix}"
        if values.dtype == np.uint16:
            cv2.imwrite(str(path), values if values.ndim == 2 else values[:, :, ::-1])
        else:
            path.write_bytes(_tiff(values))
    return root


@pytest.mark.parametrize("channels", [(), (3,)])
@pytest.mark.parametrize(("bits", "suffix"), [(10, "png"), (12, "png"), (12, "tif"), (16, "png"), (8, "png")])
def test_one_range_of_bits_for_the_whole_data_set(
    tmp_path: Path, channels: tuple[int, ...], bits: int, suffix: str
) -> None:
    rng = np.random.default_rng(bits)
    samples = {f"{label}{number}": rng.integers(0, 2**bits, (16, 16, *channels), np.uint16)
               for label in "ab" for number in range(3)}  # fmt: skip
    samples["a0"] //= 8  # dark, and stays darker than the others
    pictures = load_pictures(scan(_data_set(tmp_path, samples, suffix)), 16)
    assert pictures.ranges["integer"].high == 2**bits - 1
    for picture, row in zip(pictures.manifest.pictures, pictures.stored, strict=True):
        expected = samples[picture.path.stem] * (255 / (2**bits - 1))
        expected = expected[:, :, None] if expected.ndim == 2 else expected
        assert np.abs(pictures.images[row] - expected).max() <= 0.51
    again = load_pictures(scan(tmp_path), 16)
    assert (again.from_cache, again.ranges) == (True, pictures.ranges)


@pytest.mark.parametrize("channels", [(), (3,)])
def test_floating_point_samples_with_negative_values(tmp_path: Path, channels: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    samples = {f"{label}{number}": rng.uniform(-1000, 1000, (16, 16, *channels)).astype(np.float32)
               for label in "ab" for number in range(3)}  # fmt: skip
    samples["b2"].flat[:4] = [-1000, 1000, np.nan, np.inf]
    pictures = load_pictures(scan(_data_set(tmp_path, samples, "tif")), 16)
    assert (pictures.ranges["float"].low, pictures.ranges["float"].high) == (-1000, 1000)
    expected = np.rint((samples["a1"] + 1000) * (255 / 2000))
    expected = expected[:, :, None] if expected.ndim == 2 else expected
    assert np.abs(pictures.images[pictures.stored[1]] - expected).max() <= 1


def test_transparency_of_sixteen_bits(tmp_path: Path) -> None:
    samples = np.zeros((16, 16, 4), np.uint16)
    samples[:, :, 0] = 65535  # blue for OpenCV
    samples[:8, :, 3] = 65535
    cv2.imwrite(str(tmp_path / "deep.png"), samples)
    pixels = decode(tmp_path / "deep.png", 16)
    assert pixels[0, 0].tolist() == [0, 0, 255]
    assert pixels[15, 15].tolist() == [255, 255, 255]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_deep_samples_are_upright(tmp_path: Path, orientation: int) -> None:
    rng = np.random.default_rng(0)
    gray = rng.integers(0, 255, (24, 16), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(gray).save(tmp_path / "shallow.png", exif=exif)
    Image.fromarray(gray.astype(np.uint16) * 257).save(tmp_path / "deep.png", exif=exif)
    cv2.imwrite(str(tmp_path / "colors.png"), np.repeat(gray.astype(np.uint16)[:, :, None] * 257, 3, axis=2))
    with Image.open(tmp_path / "deep.png") as picture:
        assert picture.mode == "I;16"
    assert np.abs(decode(tmp_path / "deep.png", 48).astype(int) - decode(tmp_path / "shallow.png", 48)).max() <= 1


def test_truncated_deep_pictures_are_damaged(tmp_path: Path) -> None:
    for channels in ((), (3,)):
        file = tmp_path / "deep.png"
        cv2.imwrite(str(file), np.random.default_rng(0).integers(0, 4000, (40, 40, *channels), np.uint16))
        file.write_bytes(file.read_bytes()[:-1000])
        with pytest.raises(UnusablePictureError, match="truncated or corrupt"):
            decode(file, 16)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("sides", [(12000, 9000), (16000, 12000)])
def test_a_jpeg_with_too_many_pixels_is_reduced_while_it_is_decoded(tmp_path: Path, sides: tuple[int, int]) -> None:
    large = Image.linear_gradient("L").resize(sides)
    large.save(tmp_path / "large.jpg", quality=60)
    pixels = decode(tmp_path / "large.jpg", 64)
    assert np.abs(pixels[:, 0, 0] - np.linspace(0, 255, 64)).max() <= 4
    content = (tmp_path / "large.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(content[: len(content) // 2])
    with pytest.raises(UnusablePictureError, match="truncated or corrupt"):
        decode(tmp_path / "cut.jpg", 64)


def test_a_damaged_tiff_is_not_said_to_be_a_text(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    noise("x").save(buffer, "TIFF")
    (tmp_path / "x.tif").write_bytes(buffer.getvalue()[:6])
    with pytest.raises(UnusablePictureError, match="a kind of image that is not read, or a damaged file"):
        decode(tmp_path / "x.tif", 16)
