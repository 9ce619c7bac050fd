"""Zip archives that unpack to much more than they have, made in an instant."""

import struct
import zlib
from pathlib import Path

_BLOCK = 2**24


def write_zip_bomb(file: Path, name: str, size: int) -> Path:
    """Write an archive with one member of ``size`` zeros, in about a thousandth of its size."""
    packer = zlib.compressobj(9, wbits=-15)
    block = packer.compress(bytes(_BLOCK)) + packer.flush(zlib.Z_FULL_FLUSH)
    end = zlib.compressobj(9, wbits=-15).flush()
    blocks = size // _BLOCK
    checksum = 0
    for _ in range(blocks):
        checksum = zlib.crc32(bytes(_BLOCK), checksum)
    return _write(file, name, block * blocks + end, blocks * _BLOCK, checksum)


def _write(file: Path, name: str, packed: bytes, size: int, checksum: int) -> Path:
    sizes = struct.pack("<5HIIIHH", 20, 0, 8, 0, 33, checksum, len(packed), size, len(name), 0)
    local = b"PK\3\4" + sizes + name.encode() + packed
    entry = b"PK\1\2" + struct.pack("<H", 20) + sizes + struct.pack("<HHHII", 0, 0, 0, 0, 0) + name.encode()
    end = b"PK\5\6" + struct.pack("<4HIIH", 0, 0, 1, 1, len(entry), len(local), 0)
    file.write_bytes(local + entry + end)
    return file
