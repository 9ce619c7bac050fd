"""What kind of file something is: by its name, or by its first bytes.

Files with the usual suffixes are taken for pictures without being opened; a wrong suffix is noticed when a file is
decoded.
"""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})
# Names that say "image", but whose files are opened to see whether they can be read.
_OTHER_IMAGE_SUFFIXES = frozenset(
    {
        ".avif", ".dib", ".gif", ".heic", ".heif", ".hif", ".j2k", ".jfif", ".jp2", ".jpe", ".jxl", ".mpo", ".pbm",
        ".pgm", ".pnm", ".ppm",
    }
)  # fmt: skip
_RAW_SUFFIXES = frozenset({".3fr", ".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".pef", ".raf", ".rw2", ".srw"})
_HEAD = 512  # bytes

_READ = "read"
_HEIC, _AVIF = "HEIC", "AVIF"
_CONVERT = "convert these files to JPEG or PNG"
_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (rb"\xff\xd8\xff", _READ),  # JPEG, whatever its suffix
    (rb"\x89PNG\r\n\x1a\n", _READ),
    (rb"GIF8[79]a", _READ),
    (rb"BM.{4}\0{4}.{4}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0", _READ),
    (rb"II[*+]\0|MM\0[*+]", _READ),  # TIFF
    (rb"RIFF.{4}WEBP", _READ),
    (rb"P[1-6]\s+(#|\d)", _READ),  # PPM, PGM and PBM
    (rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", _READ),  # JPEG 2000
    (rb".{4}ftyp(heic|heix|hevc|hevx|heim|heis|mif1|msf1)", _HEIC),
    (rb".{4}ftyp(avif|avis)", _AVIF),
    (rb"\xff\x0a|\0\0\0\x0cJXL ", "JPEG XL"),
    (rb"8BPS", "Photoshop"),
    (rb".{128}DICM", "DICOM"),
    (rb"%PDF", "PDF"),
    (rb"(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*(<!DOCTYPE svg[^>]*>\s*)?<svg", "SVG"),
)  # fmt: skip
_PATTERNS = tuple((re.compile(pattern, re.DOTALL), kind) for pattern, kind in _SIGNATURES)


@dataclass(frozen=True)
class Kind:
    """What the first bytes of a file say: the name of its format if it is an image, and whether it can be read."""

    image: str | None
    is_read: bool

    @property
    def reason(self) -> str:
        """Why the file cannot be used."""
        if self.image is None:
            return "not an image: neither the file name nor the content is that of an image"
        if self.image == _HEIC:
            return f"HEIC is not read: install pillow-heif (pip install pillow-heif), or {_CONVERT}"
        if self.image == _AVIF:
            return f"AVIF is not read: install Pillow 11.3 or later, or {_CONVERT}"
        return f"{self.image} is not read: {_CONVERT}"


def has_image_name(path: Path) -> bool:
    """Return whether the suffix of a file name is that of an image, whether it can be read or not."""
    return path.suffix.lower() in IMAGE_SUFFIXES | _OTHER_IMAGE_SUFFIXES | _RAW_SUFFIXES


def kind_of(path: Path) -> Kind:
    """Return the kind of a file by its first bytes.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        return kind_of_content(file.read(_HEAD), path.suffix)


def kind_of_content(content: bytes, suffix: str = "") -> Kind:
    """Return the kind of a file by its first bytes, and by its suffix for raw photographs, which are TIFF files."""
    if suffix.lower() in _RAW_SUFFIXES:
        return Kind("raw photograph", is_read=False)
    kind = next((kind for pattern, kind in _PATTERNS if pattern.match(content[:_HEAD])), None)
    if kind is None and re.match(rb".{4}ftyp", content, re.DOTALL) and suffix.lower() in _OTHER_IMAGE_SUFFIXES:
        kind = _HEIC
    if kind in (_HEIC, _AVIF):
        return Kind(kind, is_read=kind in _optional_formats())
    return Kind(kind, is_read=kind == _READ)


@cache
def _optional_formats() -> frozenset[str]:
    """Return which of HEIC and AVIF Pillow can read on this machine."""
    import importlib

    from PIL import features

    found = {_AVIF} if "avif" in features.modules and features.check("avif") else set()
    try:
        importlib.import_module("pillow_heif").register_heif_opener()
    except ImportError:
        return frozenset(found)
    return frozenset({*found, _HEIC})
