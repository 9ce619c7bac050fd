"""Heatmaps of pictures, as a run's model sees them."""

import itertools
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray

from stridednet.data.decode import Pixels, UnusablePictureError, read_content, read_image, read_picture, resize
from stridednet.data.samples import Ranges, SampleRange
from stridednet.errors import DataError, InputError
from stridednet.evaluation.grad_cam import Explainer, overlay
from stridednet.executor.predictor import Predictor
from stridednet.run_directory import RunDirectory
from stridednet.storage import user_path, written_whole

Image = str | os.PathLike[str] | Pixels | PIL.Image.Image

LARGEST, SMALLEST = 512, 256  # longer side of an overlay, in pixels
_BATCH_SIZE = 16


@dataclass(frozen=True)
class Explanation:
    """Which parts of a picture speak for a class.

    Args:
        picture: RGB, uint8, ``(height, width, 3)``, the longer side at most 512 pixels.
        heatmap: ``(image_size, image_size)``, float32, from 0 to 1; 0 everywhere if nothing speaks for the class.
        label: Name of the class.
        probability: Probability of the class.
    """

    picture: Pixels
    heatmap: NDArray[np.float32]
    label: str
    probability: float

    @property
    def overlay(self) -> Pixels:
        """The heatmap over the picture, RGB, uint8, ``(height, width, 3)``; small pictures are enlarged."""
        return overlay(_enlarged(self.picture), self.heatmap)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the overlay as PNG.

        Raises:
            InputError: ``path`` does not end in ``.png``, or is a folder.
            StorageError: The file cannot be written.
        """
        file = user_path(path, "path")
        if file.suffix.lower() != ".png":
            raise InputError(f"path: the file name must end in .png. Received: {file}")
        if file.is_dir():
            raise InputError(f"path: {file} is a folder; choose another file name")
        write_overlay(file, self.picture, self.heatmap)

    def _repr_png_(self) -> bytes:  # how notebooks show it
        return _png(self.overlay)


class FileToExplain(NamedTuple):
    """A picture, the class to explain as a column of the model's output, and the PNG file to write."""

    picture: Path
    column: int
    png: Path


class PictureExplainer:
    """Explains pictures with the model of a run, which decodes them as the training does."""

    def __init__(self, run: RunDirectory) -> None:
        """Load the model.

        Raises:
            ModelError: The model has no feature maps.
            RunError: The model's file is damaged.
        """
        model = run.model()
        self._explainer = Explainer(model)
        self._predictor = Predictor(model)
        self._labels = run.labels
        self._size = run.recipe.image_size
        used = run.report.get("data", {}).get("sample_ranges", {})
        self._ranges: Ranges = {kind: SampleRange(*values) for kind, values in used.items()}

    def explain(self, image: Image, label: str | None = None) -> Explanation:
        """Explain one picture; arguments and errors are those of `stridednet.Run.explain`."""
        if label is not None and label not in self._labels:
            raise InputError(f"label: not one of the run's classes, which `Run.labels` lists. Received: {label!r}")
        pixels, picture = self._read(image)
        probabilities = self._predictor.predict(pixels[None])[0]
        column = int(probabilities.argmax()) if label is None else self._labels.index(label)
        heatmap = self._explainer.heatmaps(pixels[None], [column])[0]
        return Explanation(picture, heatmap, self._labels[column], float(probabilities[column]))

    def explain_files(self, files: Iterable[FileToExplain]) -> Iterator[Path]:
        """Write the overlays of many pictures.

        Yields:
            Each PNG file, after it was written.

        Raises:
            DataError: A file is not a readable image.
            ModelError: The model computes NaN or infinity.
            StorageError: A file cannot be written.
        """
        remaining = iter(files)
        while part := list(itertools.islice(remaining, _BATCH_SIZE)):
            read = [self._read(file.picture) for file in part]
            heatmaps = self._explainer.heatmaps(
                np.stack([pixels for pixels, _ in read]), [file.column for file in part]
            )
            for file, (_, picture), heatmap in zip(part, read, heatmaps, strict=True):
                write_overlay(file.png, picture, heatmap)
                yield file.png

    def _read(self, image: Image) -> tuple[Pixels, Pixels]:
        """Return the pixels that the model takes, and the picture to draw."""
        if isinstance(image, np.ndarray):
            whole = smaller = _checked(image)
        elif isinstance(image, PIL.Image.Image):
            try:
                whole = smaller = read_image(image, self._ranges)
            except UnusablePictureError as error:
                raise DataError(f"image: {error}") from None
        elif isinstance(image, str | os.PathLike):
            path = user_path(image, "image")
            try:
                content = read_content(path)
                whole, smaller = (read_picture(content, size, self._ranges) for size in (self._size, LARGEST))
            except UnusablePictureError as error:
                raise DataError(f"image {path}: {error}") from None
        else:
            raise InputError(f"image: a path, an array or a Pillow image is needed. Received: {type(image).__name__}")
        return resize(whole, self._size), _shrunk(smaller)


def write_overlay(path: Path, image: Pixels, heatmap: NDArray[np.float32]) -> None:
    """Write an image with its heatmap over it as PNG; its longer side becomes 256 to 512 pixels long.

    Args:
        path: The file; its folder is made if needed.
        image: RGB, uint8, ``(height, width, 3)``.
        heatmap: Values from 0 to 1, ``(rows, columns)``, stretched to the image.

    Raises:
        StorageError: The file cannot be written.
    """
    png = _png(overlay(_enlarged(_shrunk(image)), heatmap))
    with written_whole(path) as beside:
        beside.write_bytes(png)


def _png(pixels: Pixels) -> bytes:
    _, encoded = cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    return encoded.tobytes()


def _checked(image: NDArray[np.generic]) -> Pixels:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise InputError(
            f"image: an RGB array (height, width, 3) of type uint8 is needed. Received: {image.shape}, {image.dtype}"
        )
    return np.asarray(image, np.uint8)


def _shrunk(pixels: Pixels) -> Pixels:
    return (
        _scaled(pixels, LARGEST / max(pixels.shape[:2]), cv2.INTER_AREA) if max(pixels.shape[:2]) > LARGEST else pixels
    )


def _enlarged(pixels: Pixels) -> Pixels:
    """Enlarge a small picture by a whole number, so that its pixels stay squares."""
    times = -(-SMALLEST // max(pixels.shape[:2]))
    return _scaled(pixels, times, cv2.INTER_NEAREST) if times > 1 else pixels


def _scaled(pixels: Pixels, factor: float, interpolation: int) -> Pixels:
    height, width = (max(1, round(side * factor)) for side in pixels.shape[:2])
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=interpolation), np.uint8)
