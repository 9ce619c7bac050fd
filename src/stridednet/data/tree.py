"""The folders and files of a data set, without clutter, results of this package and what the user excludes."""

import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from stridednet.data.clutter import is_clutter, is_results
from stridednet.errors import DataError

_CONTROL = ("Cc", "Zl", "Zp")  # Unicode categories: control characters, line and paragraph separators


class Tree:
    """A folder, as a data set is read from it. All lists are sorted.

    Args:
        root: The folder.
        exclude: Patterns of files and folders to ignore, with the wildcards ``*``, ``?`` and ``[...]``. A pattern
            without a slash is compared with names, one with a slash with paths relative to ``root``.
        shown_root: How messages name the root; None for its path.

    Attributes:
        excluded: The number of files and folders that each pattern excluded.
        results: The folders that were ignored since they are runs or sweeps.
    """

    def __init__(self, root: Path, exclude: Sequence[str] = (), shown_root: str | None = None) -> None:
        self.root = root
        self.excluded: Counter[str] = Counter(dict.fromkeys(exclude, 0))
        self.results: set[Path] = set()
        self._shown_root = str(root) if shown_root is None else shown_root
        self._listed: dict[Path, tuple[list[Path], list[Path]]] = {}

    def shown(self, path: Path) -> str:
        """Return how messages name a path: for the content of an archive, below the archive's own path."""
        relative = path.relative_to(self.root)
        return shown(str(Path(self._shown_root) / relative))

    def subfolders(self, folder: Path) -> list[Path]:
        """Return the folders in a folder.

        Raises:
            DataError: The folder cannot be read.
        """
        return self._list(folder)[0]

    def files(self, folder: Path) -> list[Path]:
        """Return the files in a folder itself, links and special files included.

        Raises:
            DataError: The folder cannot be read.
        """
        return self._list(folder)[1]

    def walk(self, folder: Path) -> Iterator[Path]:
        """Yield all files below a folder. Symbolic links to folders that contain them are not followed.

        Raises:
            DataError: A folder cannot be read.
        """
        seen: set[str] = set()
        waiting = [folder]
        while waiting:
            here = waiting.pop()
            real = os.path.realpath(here)
            if real not in seen and not (here != folder and here.is_symlink() and _contains(real, folder)):
                seen.add(real)
                yield from self.files(here)
                waiting += reversed(self.subfolders(here))

    def _list(self, folder: Path) -> tuple[list[Path], list[Path]]:
        if folder not in self._listed:
            try:
                with os.scandir(folder) as entries:
                    found = sorted((entry.name, _is_folder(entry)) for entry in entries if not is_clutter(entry.name))
            except OSError as error:
                raise DataError(f"cannot read the folder {self.shown(folder)}: {error.strerror}") from None
            kept = [(folder / name, is_folder) for name, is_folder in found if not self._is_excluded(folder / name)]
            folders = [path for path, is_folder in kept if is_folder and not self._is_results(path)]
            self._listed[folder] = (folders, [path for path, is_folder in kept if not is_folder])
        return self._listed[folder]

    def _is_excluded(self, path: Path) -> bool:
        if not self.excluded:  # nearly always, and for every file
            return False
        relative = path.relative_to(self.root).as_posix()
        for pattern in self.excluded:
            if fnmatchcase(relative if "/" in pattern.rstrip("/") else path.name, pattern.strip("/")):
                self.excluded[pattern] += 1
                return True
        return False

    def _is_results(self, path: Path) -> bool:
        if not is_results(path):
            return False
        self.results.add(path)
        return True


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself or into a folder that cannot be read: a file that cannot be used
        return False


def _contains(real: str, folder: Path) -> bool:
    """Return whether a folder, by its real path, contains another one, as its path says or after following links."""
    inside = Path(os.path.realpath(folder))
    return inside.is_relative_to(real) or real in map(os.path.realpath, folder.absolute().parents)


def printable(text: str) -> str:
    """Return text with the bytes of a file name that are not valid UTF-8 shown as escape sequences."""
    return text.encode("utf-8", "backslashreplace").decode()


def in_csv(names: Iterable[str]) -> str:
    """Return names separated by commas, quoted where that is necessary, as ``--labels`` takes them."""

    def quoted(name: str) -> str:
        return '"' + name.replace('"', '""') + '"' if "," in name or '"' in name or name != name.strip() else name

    return ", ".join(map(quoted, names))


def shown(text: str) -> str:
    r"""Return text for a message: one line, without control characters.

    >>> print(shown("two\nlines"))
    two\nlines
    """
    return "".join(
        character.encode("unicode_escape").decode() if unicodedata.category(character) in _CONTROL else character
        for character in printable(text)
    )
