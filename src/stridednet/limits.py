"""What a file from somebody else may contain at most, and readers that check it before memory is allocated.

The readers raise `LimitError`, a `ValueError` with the reason, to which the caller adds the name of the file.
"""

import csv
import io
import json
import math
import os
import tomllib
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

MIB = 2**20
MAX_TOML_BYTES = MIB // 4  # recipes and sweep plans: the largest of ours has 3 KB
MAX_TOML_LINE = 16_384  # characters; the time for a dotted key grows with the square of its length
MAX_JSON_BYTES = 64 * MIB  # reports, and the configuration of a model
MAX_TEXT_BYTES = 64 * MIB  # tables, such as split.csv with about 150 bytes per picture
MAX_VALUES = 2**21  # of a JSON text or a table: each takes many times the memory of its characters
MAX_NESTING = 200  # tables, lists and objects in one another
MAX_IMAGE_SIZE = 1024  # of a model: height and width, in pixels
MAX_PICTURE_BYTES = 512 * MIB
MAX_PIXELS = 89_478_485  # of a picture: Pillow's own limit, 0.25 GiB of 24-bit pixels

MAX_MODEL_MEMBERS = 16
MAX_MODEL_BYTES = 1024 * MIB
MAX_LAYERS = 2000  # of a model: the time to load them grows with the square of their number
MAX_LAYER_VALUES = 2**26  # that a layer needs for one image: 256 MiB of float32
MAX_ARRAYS = 100_000  # in a checkpoint
MAX_ARCHIVE_MEMBERS = 5_000_000
MAX_ARCHIVE_BYTES = 1024 * 1024 * MIB
MAX_RATIO = 200  # unpacked to packed bytes; pictures are compressed already
SMALL = 256 * MIB  # content of which the ratio does not matter


class LimitError(ValueError):
    """A file contains more than it may; the message is the reason."""


def check_members(sizes: Iterable[int], packed: int, most: int, total: int) -> None:
    """Check the members of an archive before they are read.

    Args:
        sizes: Their unpacked sizes, in bytes.
        packed: The size of the archive, in bytes.
        most: The highest number of members.
        total: The highest sum of sizes, in bytes.

    Raises:
        LimitError: There are too many members, or they are too large, or too large for the size of the archive.
    """
    unpacked = 0
    for number, size in enumerate(sizes, 1):
        unpacked += size
        if number > most:
            raise LimitError(f"it has more than {most:,} members")
        if unpacked > total:
            raise LimitError(f"its members have more than {total // MIB:,} MiB")
        if unpacked > max(SMALL, MAX_RATIO * packed):
            raise LimitError(
                f"it is a decompression bomb: its members have more than {MAX_RATIO} times the size of the archive"
            )


def check_zip(archive: zipfile.ZipFile, most: int, total: int) -> None:
    """Check the members of a zip archive; the last arguments and the errors are those of `check_members`.

    The size of the archive is that of its members, as zip archives may have anything before and between them.
    """
    members = archive.infolist()
    packed = sum(member.compress_size for member in members)
    check_members((member.file_size for member in members), packed, most, total)


def read_bytes(path: Path, most: int) -> bytes:
    """Return the content of a file that may have a given number of bytes.

    Raises:
        OSError: The file cannot be read.
        LimitError: It is larger.
    """
    with path.open("rb") as file:
        likely = max(os.fstat(file.fileno()).st_size, MIB)  # of special files, the size is not known
        content = file.read(min(most, likely) + 1)
        while len(content) <= most and (more := file.read(MIB)):
            content += more
    if len(content) > most:
        raise LimitError(f"more than {most // MIB:,} MiB" if most >= MIB else f"more than {most // 1024:,} KiB")
    return content


def check_values(text: str | bytes, marks: str) -> None:
    """Check how many values a text has, before it is parsed.

    Args:
        text: The text.
        marks: The characters of which there is about one for each value.

    Raises:
        LimitError: It has too many.
    """
    found = sum(text.count(mark) if isinstance(text, str) else text.count(mark.encode()) for mark in marks)
    if found > MAX_VALUES:
        raise LimitError(f"more than {MAX_VALUES:,} values")


def check_json_size(size: int) -> None:
    """Check the size of a JSON text, in bytes.

    Raises:
        LimitError: It is too long.
    """
    if size > MAX_JSON_BYTES:
        raise LimitError(f"more than {MAX_JSON_BYTES // MIB} MiB of JSON")


def parse_json(text: str | bytes) -> Any:
    """Return the content of a JSON text.

    Raises:
        LimitError: It is too long, has too many values, or is nested too deeply.
        ValueError: It is not valid JSON.
    """
    check_json_size(len(text))
    check_values(text, ",[{")
    try:
        return _shallow(json.loads(text))
    except RecursionError:
        raise _too_deep() from None


def parse_object(text: str | bytes) -> dict[str, Any]:
    """Return the content of a JSON text that contains an object; errors as for `parse_json`."""
    content = parse_json(text)
    if not isinstance(content, dict):
        raise LimitError("it does not contain a JSON object")
    return content


def parse_toml(text: str) -> dict[str, Any]:
    """Return the content of a TOML text.

    Raises:
        LimitError: It is too long, or nested too deeply.
        ValueError: It is not valid TOML.
    """
    if len(text) > MAX_TOML_BYTES:
        raise LimitError(f"more than {MAX_TOML_BYTES // 1024} KiB of TOML")
    if max(map(len, text.split("\n"))) > MAX_TOML_LINE:
        raise LimitError(f"a line has more than {MAX_TOML_LINE:,} characters")
    try:
        content: dict[str, Any] = _shallow(tomllib.loads(text))
    except RecursionError:
        raise _too_deep() from None
    return content


def parse_csv(text: str, *headers: Sequence[str]) -> Iterator[list[str]]:
    """Yield the rows of a CSV text that follow the first.

    Args:
        text: The text.
        headers: What the first row may be.

    Raises:
        ValueError, csv.Error: The first row is another, a row has more or fewer columns, or there are too many values.
    """
    check_values(text, ",\n\r")
    rows = csv.reader(io.StringIO(text, newline=""))
    header = next(rows, [])
    if header not in map(list, headers):
        raise ValueError(f"its columns should be {', '.join(headers[0])}")
    for row in rows:
        if len(row) != len(header):
            raise ValueError(f"line {rows.line_num} should have {len(header)} columns. Received: {len(row)}")
        yield row


def read_toml(path: Path) -> dict[str, Any]:
    """Return the content of a TOML file; a byte order mark, which some editors write, is skipped.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is not valid TOML in UTF-8, or exceeds a limit.
    """
    return parse_toml(read_bytes(path, MAX_TOML_BYTES).decode("utf-8-sig").replace("\r\n", "\n"))


def read_arrays(path: Path) -> dict[str, NDArray[np.generic]]:
    """Return the arrays of a ``.npz`` file, never pickled objects. Their sizes are checked before memory is allocated.

    Raises:
        OSError: The file cannot be opened.
        ValueError: It is damaged, contains a pickle, or exceeds a limit.
    """
    with path.open("rb") as file:
        try:
            return _arrays(file)
        except LimitError:
            raise
        except Exception as error:  # NumPy, zipfile, zlib and tokenize raise many kinds for flipped bytes
            raise ValueError(f"not readable as arrays: {error}") from error


def _arrays(file: IO[bytes]) -> dict[str, NDArray[np.generic]]:
    with zipfile.ZipFile(file) as archive:
        check_zip(archive, MAX_ARRAYS, MAX_MODEL_BYTES)
        for member in archive.infolist():
            with archive.open(member) as stream:
                _check_header(stream, member.file_size)
        file.seek(0)
        with np.load(file, allow_pickle=False) as arrays:
            return dict(arrays)


def _check_header(stream: Any, size: int) -> None:
    version = np.lib.format.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise LimitError(f"an array of format {version}")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(stream)
    if dtype.hasobject:
        raise LimitError("an array of Python objects, which are pickled")
    if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize > size:
        raise LimitError(f"an array declares the shape {shape}, which is more than the file contains")


def _shallow(content: Any) -> Any:
    """Return the content of a file unless it is nested too deeply."""
    level = [content]
    for _ in range(MAX_NESTING):
        level = [
            part
            for outer in level
            if isinstance(outer, (dict, list))
            for part in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return content
    raise _too_deep()


def _too_deep() -> LimitError:
    return LimitError(f"nested more than {MAX_NESTING} levels deep")
