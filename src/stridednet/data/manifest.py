"""What a data set contains: pictures with their classes and subsets, and the files that cannot be used."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from stridednet.data.layout import Subset
from stridednet.data.tree import printable, shown


@dataclass(frozen=True)
class Picture:
    """An image file, its class, and its subset if the data set has predefined subsets."""

    path: Path
    label: str
    subset: Subset | None = None


@dataclass(frozen=True)
class Problem:
    """A file that cannot be used, and the reason."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Manifest:
    """The contents of a data set, as returned by `scan`.

    Attributes:
        root: The folder of the data set.
        labels: The classes, in the order of the model's outputs.
        pictures: The pictures, in a fixed order.
        problems: The files that cannot be used.
        ignored_folders: Names of the folders that are neither a class nor a subset.
        notes: What else the user should know about how the data set was read, one line each.
        archive: For an archive, its path and the path in it of ``root``, into which it was unpacked; else empty.
    """

    root: Path
    labels: tuple[str, ...]
    pictures: tuple[Picture, ...]
    problems: tuple[Problem, ...] = ()
    ignored_folders: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    archive: str = ""

    @property
    def has_subsets(self) -> bool:
        """Whether the data set has predefined subsets."""
        return any(picture.subset is not None for picture in self.pictures)

    @property
    def shown_root(self) -> str:
        """How messages name the data set: the folder, or the archive."""
        return shown(self.archive or str(self.root))

    def relative(self, path: Path) -> str:
        """Return a path relative to the root of the data set, with forward slashes, as run directories list it."""
        return printable(path.relative_to(self.root).as_posix())

    def without(self, problems: Sequence[Problem]) -> "Manifest":
        """Return the manifest with the pictures of ``problems`` removed and the problems added."""
        removed = {problem.path for problem in problems}
        kept = tuple(picture for picture in self.pictures if picture.path not in removed)
        return replace(self, pictures=kept, problems=(*self.problems, *problems))
