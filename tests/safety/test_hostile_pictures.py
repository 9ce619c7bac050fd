"""Small pictures that decode to more memory than there is."""

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from bounded_reader import Opened, opened
from hostile_runs import write_finished
from PIL import Image

from conftest import Command
from tiny_pictures import noise

_LIMIT = 1024  # MiB
_FEW = 128  # MiB
_SIDE = 64 * 625


def _saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def _png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _zlib(block: bytes, count: int) -> bytes:
    """Return many equal blocks, compressed in an instant."""
    packer = zlib.compressobj(9, wbits=-15)
    packed = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = 1
    for _ in range(count):
        checksum = zlib.adler32(block, checksum)
    return b"\x78\xda" + packed * count + packer.flush() + struct.pack(">I", checksum)


def _png(side: int, depth: int, text: bytes = b"") -> bytes:
    """Return a complete grayscale PNG, with all pixels black."""
    rows = _zlib(bytes(1 + side * depth // 8) * 64, side // 64)
    header = struct.pack(">IIBBBBB", side, side, depth, 0, 0, 0, 0)
    chunks = _png_chunk(b"IHDR", header) + text + _png_chunk(b"IDAT", rows) + _png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def _jpeg(*, progressive: bool = False) -> bytes:
    """A JPEG whose header says 65,500x65,500, more than Pillow and OpenCV decode."""
    content = bytearray(_saved(noise(0, 16, 16), "JPEG", progressive=progressive))
    frame = content.index(b"\xff\xc2" if progressive else b"\xff\xc0")
    content[frame + 5 : frame + 9] = struct.pack(">HH", 65_500, 65_500)
    return bytes(content)


def _gif() -> bytes:
    content = bytearray(_saved(noise(0, 16, 16), "GIF"))
    content[6:10] = struct.pack("<HH", 65_535, 65_535)
    return bytes(content)


def _gif_frame() -> bytes:
    """A GIF of 16x16 whose first frame is larger than the picture."""
    content = bytearray(_saved(noise(0, 16, 16), "GIF"))
    frame = content.index(b",\0\0\0\0\x10\0\x10\0")
    content[frame + 5 : frame + 9] = struct.pack("<HH", 65_535, 65_535)
    return bytes(content)


def _bmp() -> bytes:
    content = bytearray(_saved(noise(0, 16, 16), "BMP"))
    content[18:26] = struct.pack("<ii", _SIDE, _SIDE)
    return bytes(content)


def _tiff(bits: int = 8) -> bytes:
    picture = noise(0, 16, 16).convert("L")
    content = bytearray(_saved(picture, "TIFF"))
    (directory,) = struct.unpack_from("<I", content, 4)
    (entries,) = struct.unpack_from("<H", content, directory)
    values = {256: _SIDE, 257: _SIDE, 258: bits, 278: _SIDE}  # width, length, bits per sample, rows per strip
    for entry in range(directory + 2, directory + 2 + 12 * entries, 12):
        (tag,) = struct.unpack_from("<H", content, entry)
        if tag in values:
            struct.pack_into("<HII", content, entry + 2, 4, 1, values[tag])
    return bytes(content)


def _webp() -> bytes:
    """A WebP whose lossless header says 16,384x16,384."""
    content = bytearray(_saved(noise(0, 16, 16), "WEBP", lossless=True))
    start = content.index(b"VP8L") + 9
    content[start : start + 4] = struct.pack("<I", 16_383 | 16_383 << 14)
    return bytes(content)


@dataclass(frozen=True)
class _Attack:
    suffix: str
    content: Callable[[], bytes]
    reason: str


_NO_MEMORY_FOR_WEBP = "could not create decoder object"
_PIXELS = "more than 89,478,485 pixels, the limit against decompression bombs; resize it"

_ATTACKS = {
    "png": _Attack(".png", lambda: _png(_SIDE, 1), _PIXELS),
    "png-16": _Attack(".png", lambda: _png(64 * 300, 16), _PIXELS),
    "png-16-of-100-megapixels": _Attack(".png", lambda: _png(64 * 160, 16), _PIXELS),
    "gif": _Attack(".gif", _gif, _PIXELS),
    "gif-frame": _Attack(".gif", _gif_frame, _PIXELS),
    "bmp": _Attack(".bmp", _bmp, _PIXELS),
    "tiff": _Attack(".tiff", _tiff, _PIXELS),
    "tiff-16": _Attack(".tiff", lambda: _tiff(16), _PIXELS),
    "webp": _Attack(".webp", _webp, _PIXELS),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the pictures."""
    folder = tmp_path_factory.mktemp("pictures")
    for name, attack in _ATTACKS.items():
        (folder / f"{name}{attack.suffix}").write_bytes(attack.content())
    return folder


@pytest.fixture(scope="module")
def outcomes(folder: Path) -> dict[str, list[Opened]]:
    """Return what became of each picture with Pillow without its limit, and with our decoder."""
    both = zip(opened("naive picture", folder, _LIMIT), opened("picture", folder, _LIMIT), strict=True)
    return {naive.name.partition(".")[0]: [naive, ours] for naive, ours in both}


@pytest.mark.parametrize("name", _ATTACKS)
def test_a_decompression_bomb_is_refused(name: str, outcomes: dict[str, list[Opened]]) -> None:
    naive, ours = outcomes[name]
    assert naive.error == "MemoryError" or naive.grown > 250 or naive.message == _NO_MEMORY_FOR_WEBP
    assert ours.is_ours
    assert ours.message == _ATTACKS[name].reason
    assert ours.grown < _FEW


def test_the_command_skips_bombs(folder: Path, tmp_path: Path, main_command: Command) -> None:
    run = write_finished(tmp_path / "run")
    done = main_command("predict", run, folder)
    assert (done.returncode, done.stdout.count("\n")) == (1, 1)  # the title
    *lines, total = done.stderr.splitlines()
    assert total == f"skipped {len(_ATTACKS)} of {len(_ATTACKS)} pictures"
    assert sorted(lines) == sorted(
        f"skipped {folder}/{name}{_ATTACKS[name].suffix}: {_ATTACKS[name].reason}" for name in _ATTACKS
    )


def test_text_in_a_png_is_not_unpacked(tmp_path: Path) -> None:
    packed = _zlib(bytes(2**24), 96)
    assert len(zlib.decompressobj().decompress(packed, 2**28)) == 2**28  # and 1.25 GiB more
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "1.png").write_bytes(_png(64, 8, _png_chunk(b"zTXt", b"Comment\0\0" + packed)))
    (ours,) = opened("picture", folder, _LIMIT)
    assert ours.is_ours
    assert ours.message.startswith("truncated or corrupt: Decompressed data too large")
    assert ours.grown < _FEW


def test_a_jpeg_with_a_large_header(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "1.jpg").write_bytes(_jpeg())
    (naive,), (ours,) = opened("naive picture", folder, _LIMIT), opened("picture", folder, _LIMIT)
    assert naive.error == "MemoryError"
    assert ours.is_ours
    assert ours.grown < _FEW


def test_a_jpeg_with_a_large_header_and_comments(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    comment = b"\xff\xfe\xff\xff" + bytes(2**16 - 3)
    for number, progressive in enumerate((False, True)):
        content = _jpeg(progressive=progressive)
        (folder / f"{number}.jpg").write_bytes(content[:2] + comment * 68 + content[2:])  # as long as it has to be
    for ours, most in zip(opened("picture", folder, _LIMIT), ("1,073,741,824", "134,217,728"), strict=True):
        assert ours.is_ours
        assert ours.message == f"more than {most} pixels, the limit against decompression bombs; resize it"
        assert ours.grown < _FEW
