"""Pictures with what speaks for their class in color, as files."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from stridednet.data.decode import Pixels, UnusablePictureError, read_content, read_picture
from stridednet.data.tree import printable
from stridednet.deploy.run_model import sample_ranges
from stridednet.deploy.sources import Source
from stridednet.deploy.stream import Answer
from stridednet.evaluation.grad_cam import Explainer, overlay
from stridednet.run_directory import RunDirectory
from stridednet.storage import check_writable, written_whole

_LARGEST = 512  # pixels; larger pictures are reduced


class Explanations:
    """Writes a PNG file per picture: its own colors are gray, and the parts that speak for the class are colored."""

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
        self._ranges = sample_ranges(run)
        self._explainer = Explainer(run.model())
        self._written: set[Path] = set()

    def write(self, answers: Sequence[Answer]) -> None:
        """Write a file for each picture that was not skipped, named after it: ``cats/1.jpg`` gives ``cats/1.jpg.png``.

        Raises:
            StorageError: A file cannot be written.
        """
        found = [(answer.source, answer.image) for answer in answers if answer.image is not None]
        if not found:
            return
        heatmaps = self._explainer.heatmaps(np.stack([image for _, image in found]))
        for (source, image), heatmap in zip(found, heatmaps, strict=True):
            with written_whole(self._free_path(source.within)) as beside, beside.open("wb") as file:
                Image.fromarray(overlay(self._picture(source, image), heatmap)).save(file, "PNG")

    def _picture(self, source: Source, image: Pixels) -> Pixels:
        """Return the picture in its own proportions; the model's image if the file has been removed since."""
        try:
            content = read_content(source.path) if source.content is None else source.content
            picture = Image.fromarray(read_picture(content, _LARGEST, self._ranges))
        except UnusablePictureError:
            return image
        picture.thumbnail((_LARGEST, _LARGEST))
        return np.asarray(picture)

    def _free_path(self, within: Path) -> Path:
        """Return a path that this command has not written yet, as two folders may contain the same names."""
        name = printable(within.name)
        path, number = self._folder / within.parent / f"{name}.png", 1
        while path in self._written:
            number += 1
            path = self._folder / within.parent / f"{name}-{number}.png"
        self._written.add(path)
        return path
