"""The pictures of ``stridednet predict --explain``."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from stridednet.data.decode import Pixels, UnusablePictureError
from stridednet.data.tree import printable
from stridednet.deploy.sources import Source
from stridednet.deploy.stream import Answer
from stridednet.evaluation.explanation import LARGEST, Drawing, PictureExplainer
from stridednet.run_directory import RunDirectory
from stridednet.storage import check_writable


class Explanations:
    """Writes a PNG file per picture, in which the parts that speak for its class are colored."""

    def __init__(self, run: RunDirectory, folder: Path) -> None:
        """Load the model.

        Args:
            run: A finished run.
            folder: Where to write; it is made if it does not exist.

        Raises:
            ModelError: The model has no feature maps.
            StorageError: The folder cannot be written.
        """
        check_writable(folder, "choose another folder")
        self._folder = folder
        self._ranges = run.sample_ranges
        self._explainer = PictureExplainer(run)
        self._written: set[Path] = set()

    def write(self, answers: Sequence[Answer]) -> None:
        """Write a file for each picture that was not skipped, named after it: ``cats/1.jpg`` gives ``cats/1.jpg.png``.

        Raises:
            ModelError: The model computes NaN or infinity.
            StorageError: A file cannot be written.
        """
        for _ in self._explainer.draw(self._drawings(answers)):
            pass

    def _drawings(self, answers: Sequence[Answer]) -> Iterator[Drawing]:
        for source, image, probabilities, _ in answers:
            if image is not None and probabilities is not None:
                picture = self._picture(source, image)
                yield Drawing(image, int(probabilities.argmax()), picture, self._free_path(source.within))

    def _picture(self, source: Source, image: Pixels) -> Pixels:
        """Return the picture in its own proportions; the model's image if the file has been removed since."""
        try:
            return source.decoded(LARGEST, self._ranges)
        except UnusablePictureError:
            return image

    def _free_path(self, within: Path) -> Path:
        """Return a path that this command has not written yet, as two folders may contain the same names."""
        name = printable(within.name)
        path, number = self._folder / within.parent / f"{name}.png", 1
        while path in self._written:
            number += 1
            path = self._folder / within.parent / f"{name}-{number}.png"
        self._written.add(path)
        return path
