"""Which pictures the command ``stridednet predict`` is asked about: files, folders, patterns, standard input."""

import glob
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from stridednet.data.decode import Pixels, read_content, read_picture
from stridednet.data.kinds import has_image_name, kind_of, kind_of_content
from stridednet.data.samples import Ranges
from stridednet.data.tree import Tree, shown
from stridednet.errors import InputError
from stridednet.storage import user_path

CHUNK = 32  # pictures that are decoded by one task and computed at once
STDIN = "-"
_BLOCK = 2**16  # bytes


class Source(NamedTuple):
    """A picture to decode.

    Args:
        path: The file; ``-`` for a picture from standard input.
        folder: The folder that was named, if ``path`` was found in it.
        content: The bytes of a picture from standard input.
    """

    path: Path
    folder: Path | None = None
    content: bytes | None = None

    @property
    def within(self) -> Path:
        """The path relative to the folder that was named; the file's name if the file itself was named."""
        if self.folder is not None:
            return self.path.relative_to(self.folder)
        return Path(self.path.name if self.content is None else "stdin")

    def decoded(self, size: int, ranges: Ranges) -> Pixels:
        """Decode the picture; arguments, result and errors are those of `decode.read_picture`."""
        content = read_content(self.path) if self.content is None else self.content
        return read_picture(content, size, ranges)


def listed(arguments: Sequence[str]) -> list[Source]:
    """Return the pictures that some arguments name: files, folders, which are walked, and patterns such as ``*.jpg``.

    In folders, files that are not images, hidden files, and runs and sweeps are ignored. A file that is named itself is
    always returned.

    Raises:
        InputError: A path does not exist, or a pattern matches nothing.
        DataError: A folder cannot be read.
    """
    return [source for argument in arguments for path in _paths(argument) for source in _below(path)]


def in_chunks(sources: Sequence[Source]) -> Iterator[Sequence[Source]]:
    """Yield the pictures in parts of at most `CHUNK`."""
    for start in range(0, len(sources), CHUNK):
        yield sources[start : start + CHUNK]


def from_stdin(descriptor: int = 0) -> Iterator[Sequence[Source]]:
    """Yield the pictures that standard input names or contains, as soon as it does.

    If it starts as an image file does, it is one picture. Otherwise it has one path a line; if it contains a NUL
    character, as after ``find -print0``, paths end with that instead.

    Args:
        descriptor: The file descriptor. It is read directly, since a thread that waits for a buffered stream could
            not be ended.
    """
    block = os.read(descriptor, _BLOCK)
    if kind_of_content(block).image is not None:
        parts = [block]
        while part := os.read(descriptor, _BLOCK):
            parts.append(part)
        yield [Source(Path(STDIN), content=b"".join(parts))]
        return
    end = b"\0" if b"\0" in block else b"\n"
    rest = b""
    while block:
        *lines, rest = (rest + block).split(end)
        yield from in_chunks([source for line in lines for source in _named(line, end)])
        block = os.read(descriptor, _BLOCK)
    yield from in_chunks(_named(rest, end))


def _named(line: bytes, end: bytes) -> list[Source]:
    if end == b"\n":
        line = line.removesuffix(b"\r")
    if not line.strip():
        return []
    path = user_path(os.fsdecode(line), "standard input")
    return _below(path) if path.is_dir() else [Source(path)]


def _paths(argument: str) -> list[Path]:
    path = user_path(argument, "image")
    if path.exists():
        return [path]
    if not glob.has_magic(argument):
        what = "broken symbolic link" if path.is_symlink() else "no such file or folder"
        raise InputError(f"{what}: {shown(str(path))}")
    # Path.glob takes no absolute patterns.
    found = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207
    if not found:
        raise InputError(f"no file matches the pattern. Received: {shown(argument)!r}")
    return [Path(name) for name in found]


def _below(path: Path) -> list[Source]:
    if not path.is_dir():
        return [Source(path)]
    return [Source(file, path) for file in Tree(path).walk(path) if _may_be_image(file)]


def _may_be_image(path: Path) -> bool:
    """Return whether a file in a folder is an image by its name or its content; it may still be damaged."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe or a device, of which reading might never end
            return False
        return has_image_name(path) or kind_of(path).image is not None
    except OSError:
        return has_image_name(path)  # such as a broken symbolic link, which is reported when it is decoded
