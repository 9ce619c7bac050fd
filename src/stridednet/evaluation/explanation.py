"""Heatmaps of pictures, as a run's model sees them."""

import itertools
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from stridednet.data.decode import Pixels, centered
from stridednet.data.given_images import Given, GivenImage
from stridednet.errors import InputError
from stridednet.evaluation.grad_cam import Explainer, overlay
from stridednet.executor.predictor import Predictor
from stridednet.run_directory import RunDirectory
from stridednet.settings import ResizeRule
from stridednet.storage import user_path, written_whole

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
        rule: How the picture became the square that the heatmap is of; see `stridednet.data.decode.resize`.
    """

    picture: Pixels
    heatmap: NDArray[np.float32]
    label: str
    probability: float
    rule: ResizeRule = "squash"

    @property
    def overlay(self) -> Pixels:
        """The heatmap over the picture, RGB, uint8, ``(height, width, 3)``; small pictures are enlarged."""
        return _overlay(self.picture, self.heatmap, self.rule)

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
        write_overlay(file, self.picture, self.heatmap, self.rule)

    def png(self) -> bytes:
        """Return the overlay as a PNG file."""
        return _png(self.overlay)

    _repr_png_ = png  # how notebooks show it


class Drawing(NamedTuple):
    """A picture to draw with what speaks for a class.

    Args:
        image: The picture as the model takes it, ``(size, size, 3)``, RGB.
        column: The class to explain, as a column of the model's output.
        picture: The picture in its own proportions, ``(height, width, 3)``, RGB.
        png: The file to write.
    """

    image: Pixels
    column: int
    picture: Pixels
    png: Path


class PictureExplainer:
    """Explains pictures with the model of a run, which decodes them as the training does."""

    def __init__(self, run: RunDirectory) -> None:
        """Load the model.

        Args:
            run: A finished run.

        Raises:
            ModelError: The model has no feature maps.
            RunError: The model's file is damaged.
        """
        model = run.model()
        self._explainer = Explainer(model)
        self._predictor = Predictor(model)
        self._labels = run.labels
        self._size = run.recipe.image_size
        self._rule = run.recipe.resize
        self._ranges = run.sample_ranges

    def explain(self, given: Given, label: str | None = None) -> Explanation:
        """Explain one picture; arguments and errors are those of `stridednet.Run.explain`."""
        if label is not None and label not in self._labels:
            raise InputError(f"label: not one of the run's classes, which `Run.labels` lists. Received: {label!r}")
        image, picture = self.read(given)
        return self.explained(image, picture, label)

    def explained(self, image: Pixels, picture: Pixels, label: str | None = None) -> Explanation:
        """Explain a picture that `read` returned; errors are those of `explain`."""
        probabilities = self._predictor.predict(image[None])[0]
        column = int(probabilities.argmax()) if label is None else self._labels.index(label)
        heatmap = self._explainer.heatmaps(image[None], [column])[0]
        return Explanation(picture, heatmap, self._labels[column], float(probabilities[column]), self._rule)

    def read(self, given: Given) -> tuple[Pixels, Pixels]:
        """Return a picture as the model takes it, ``(size, size, 3)``, and as it is drawn, at most 512 pixels long.

        Raises:
            InputError: It is not a readable picture.
        """
        opened = GivenImage(given, self._ranges)
        return opened.resized(self._size, self._rule), _shrunk(opened.decoded(LARGEST))

    def draw(self, drawings: Iterable[Drawing]) -> Iterator[Path]:
        """Write the heatmaps of many pictures over them.

        Args:
            drawings: They are read a few at a time.

        Yields:
            Each PNG file, after it was written.

        Raises:
            ModelError: The model computes NaN or infinity.
            StorageError: A file cannot be written.
        """
        remaining = iter(drawings)
        while part := list(itertools.islice(remaining, _BATCH_SIZE)):
            images = np.stack([drawing.image for drawing in part])
            heatmaps = self._explainer.heatmaps(images, [drawing.column for drawing in part])
            for drawing, heatmap in zip(part, heatmaps, strict=True):
                write_overlay(drawing.png, drawing.picture, heatmap, self._rule)
                yield drawing.png


def write_overlay(path: Path, image: Pixels, heatmap: NDArray[np.float32], rule: ResizeRule = "squash") -> None:
    """Write an image with its heatmap over it as PNG; its longer side becomes 256 to 512 pixels long.

    Args:
        path: The file; its folder is made if needed.
        image: RGB, uint8, ``(height, width, 3)``.
        heatmap: Values from 0 to 1, ``(size, size)``, of the square that the model saw.
        rule: How the image became that square.

    Raises:
        StorageError: The file cannot be written.
    """
    png = _png(_overlay(_shrunk(image), heatmap, rule))
    with written_whole(path) as beside:
        beside.write_bytes(png)


def _overlay(picture: Pixels, heatmap: NDArray[np.float32], rule: ResizeRule) -> Pixels:
    enlarged = _enlarged(picture)
    height, width = enlarged.shape[:2]
    return overlay(enlarged, over_picture(heatmap, height, width, rule))


def over_picture(heatmap: NDArray[np.float32], height: int, width: int, rule: ResizeRule) -> NDArray[np.float32]:
    """Return the heatmap of a square as a heatmap of the picture that the square was made of.

    Args:
        heatmap: ``(size, size)``.
        height: Of the picture, in pixels.
        width: Of the picture, in pixels.
        rule: How the picture became the square.

    Returns:
        ``(height, width)`` or, if the square is the whole picture, the heatmap itself. It is 0 where the model did not
        see the picture.
    """
    if rule == "squash" or height == width:
        return heatmap
    side = min(height, width) if rule == "crop" else max(height, width)
    heat = np.asarray(cv2.resize(heatmap, (side, side), interpolation=cv2.INTER_LINEAR), np.float32)
    if rule == "pad":
        return heat[centered(height, side), centered(width, side)]
    whole = np.zeros((height, width), np.float32)
    whole[centered(side, height), centered(side, width)] = heat
    return whole


def _png(pixels: Pixels) -> bytes:
    _, encoded = cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    return encoded.tobytes()


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
