"""Files of random data sets: pictures of every kind, damaged ones, and files that are none."""

import io
import struct
import zlib
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")
READABLE = (
    "jpeg", "jpeg", "jpeg gray", "jpeg cmyk", "jpeg turned", "gif", "animated gif", "bmp", "webp", "tiff", "tiff 16",
    "tiff float", "png", "png 16", "png as jpg", "jpeg without suffix", "jpeg.JPG", "gif as png", "palette with alpha",
    *(f"png {mode}" for mode in _MODES),
)  # fmt: skip
BROKEN = ("truncated jpeg", "truncated png", "empty", "html", "noise", "huge")
OTHER = ("text", "xml", "json", "movie")
_SIZES = ((40, 40), (40, 40), (64, 48), (1, 1), (1, 500), (500, 1), (3, 3), (17, 90))


@dataclass(frozen=True)
class Made:
    """A file: its suffix, its bytes, whether it can be decoded, and whether it looks like a picture."""

    suffix: str
    content: bytes
    is_readable: bool
    looks_like_picture: bool = True

    @staticmethod
    def of(kind: str, seed: int) -> "Made":
        """Return a file of a kind, of random size and content."""
        rng = np.random.default_rng(seed)
        if kind in OTHER:
            text = {"text": "three of them are sevens", "xml": "<annotation/>", "json": '{"boxes": []}', "movie": "\0"}
            suffix = {"text": ".txt", "movie": ".mp4"}.get(kind, f".{kind}")
            return Made(suffix, f"{text[kind]} {seed}".encode(), False, False)
        if kind in BROKEN:
            return _broken(kind, rng, seed)
        width, height = _SIZES[rng.integers(len(_SIZES))]
        return _readable(kind, rng.integers(0, 256, (height, width, 3), np.uint8), rng)


def _readable(kind: str, pixels: np.ndarray, rng: np.random.Generator) -> Made:
    picture = Image.fromarray(pixels)
    if kind.startswith("png ") and kind[4:] in _MODES:
        mode = kind[4:]
        if mode == "I;16":
            picture = Image.fromarray(rng.integers(0, 4096, pixels.shape[:2], np.uint16))
            return Made(".png", _saved(picture, "PNG"), True)
        return Made(".png", _saved(picture.convert(mode), "PNG"), True)
    exif = Image.Exif()
    exif[0x0112] = 6
    deep = rng.integers(0, 65536, pixels.shape, np.uint16)
    makers = {
        "jpeg": lambda: (".jpg", _saved(picture, "JPEG")),
        "jpeg.JPG": lambda: (".JPG", _saved(picture, "JPEG", progressive=True)),
        "jpeg gray": lambda: (".jpeg", _saved(picture.convert("L"), "JPEG")),
        "jpeg cmyk": lambda: (".jpg", _saved(picture.convert("CMYK"), "JPEG")),
        "jpeg turned": lambda: (".jpg", _saved(picture, "JPEG", exif=exif)),
        "jpeg without suffix": lambda: ("", _saved(picture, "JPEG")),
        "gif": lambda: (".gif", _saved(picture, "GIF")),
        "animated gif": lambda: (".gif", _saved(picture, "GIF", save_all=True, append_images=[picture.rotate(180)])),
        "gif as png": lambda: (".png", _saved(picture, "GIF")),
        "bmp": lambda: (".bmp", _saved(picture, "BMP")),
        "webp": lambda: (".webp", _saved(picture, "WEBP")),
        "tiff": lambda: (".tif", _saved(picture, "TIFF")),
        "tiff 16": lambda: (".tiff", cv2.imencode(".tiff", deep)[1].tobytes()),
        "tiff float": lambda: (".tif", _saved(Image.fromarray(rng.random(pixels.shape[:2], np.float32)), "TIFF")),
        "png": lambda: (".png", _saved(picture, "PNG")),
        "png 16": lambda: (".png", cv2.imencode(".png", deep)[1].tobytes()),
        "png as jpg": lambda: (".jpg", _saved(picture, "PNG")),
        "palette with alpha": lambda: (".png", _saved(picture.convert("P"), "PNG", transparency=0)),
    }
    suffix, content = makers[kind]()
    return Made(suffix, content, True)


def _broken(kind: str, rng: np.random.Generator, seed: int) -> Made:
    picture = Image.fromarray(rng.integers(0, 256, (64, 64, 3), np.uint8))
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    huge = b"IHDR" + header
    jpeg, png = _saved(picture, "JPEG"), _saved(picture, "PNG")
    suffix, content = {
        "truncated jpeg": (".jpg", jpeg[: len(jpeg) // 2]),
        "truncated png": (".png", png[: len(png) // 2]),
        "empty": (".jpg", b""),
        "html": (".jpg", f"<html>404 Not Found {seed}</html>".encode()),
        "noise": (".png", rng.bytes(300)),
        "huge": (".png", png[:8] + struct.pack(">I", 13) + huge + struct.pack(">I", zlib.crc32(huge)) + png[33:]),
    }[kind]
    return Made(suffix, content, False)


def _saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()
