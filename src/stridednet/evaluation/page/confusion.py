"""The confusion matrix, and the pictures behind each of its cells."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stridednet.evaluation.page.evaluated import Material
from stridednet.evaluation.page.gallery import Gallery, Thumbnail
from stridednet.evaluation.page.thumbnails import LOSSLESS, data_address

MOST_CLASSES = 20  # of a matrix with a button in each cell
_MOST_CONFUSIONS = 60  # cells with pictures, of more classes than that
_RIGHT, _WRONG = (79, 130, 235), (219, 98, 52)  # visible on light and on dark pages


@dataclass(frozen=True)
class Shown:
    """A picture of a cell."""

    path: str
    confidence: float
    thumbnail: Thumbnail


@dataclass(frozen=True)
class Cell:
    """The pictures of a class that are classified as a class; ``share`` is of all pictures of the true class."""

    truth: int
    guess: int
    count: int
    share: float
    pictures: tuple[Shown, ...] = ()
    other_paths: tuple[str, ...] = ()

    @property
    def anchor(self) -> str:
        """The id of the cell's pictures on the page."""
        return f"cell-{self.truth}-{self.guess}"

    @property
    def right(self) -> bool:
        """Whether these pictures are classified correctly."""
        return self.truth == self.guess

    @property
    def hidden(self) -> int:
        """The number of pictures that are neither shown nor listed."""
        return self.count - len(self.pictures) - len(self.other_paths)


@dataclass(frozen=True)
class Confusion:
    """The matrix; ``opened`` are the cells with their pictures.

    The matrix is ``rows``, or of more than `MOST_CLASSES` classes ``drawn``: a ``data:`` address of an image with one
    pixel for each cell.
    """

    rows: tuple[tuple[Cell, ...], ...]
    drawn: str | None
    opened: tuple[Cell, ...]
    mistakes: int  # number of different confusions


@dataclass(frozen=True)
class Limits:
    """How many pictures are shown: of each cell, and of all cells of mistakes and of correct pictures together.

    ``paths_per_cell`` more are listed without a picture.
    """

    wrong_per_cell: int = 16
    right_per_cell: int = 6
    wrong: int = 160
    right: int = 90
    paths_per_cell: int = 40


def confusion(material: Material, gallery: Gallery, limits: Limits) -> Confusion:
    """Return the confusion matrix with the pictures behind its cells.

    Of mistakes, those come first that the model is the most confident about; of correct pictures, those that it is the
    least confident about.
    """
    predictions = material.predictions
    classes = len(predictions.labels)
    counts = np.zeros((classes, classes), int)
    np.add.at(counts, (predictions.truth, predictions.guess), 1)
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))

    def cell(truth: int, guess: int) -> Cell:
        return Cell(truth, guess, int(counts[truth, guess]), float(shares[truth, guess]))

    filled = [cell(truth, guess) for truth, guess in np.argwhere(counts).tolist()]
    wrong = [one for one in filled if not one.right]
    wrong.sort(key=lambda one: -one.count)  # stable: in the order of the classes
    right = [one for one in filled if one.right]
    compact = classes > MOST_CLASSES
    rows = () if compact else tuple(tuple(cell(truth, guess) for guess in range(classes)) for truth in range(classes))
    opened = []
    for cells, per_cell, most in (
        (wrong[:_MOST_CONFUSIONS] if compact else wrong, limits.wrong_per_cell, limits.wrong),
        ([] if compact else right, limits.right_per_cell, limits.right),
    ):
        left = most
        for one in cells:
            shown = _with_pictures(one, material, gallery, min(per_cell, left), limits.paths_per_cell)
            left -= len(shown.pictures)
            opened.append(shown)
    return Confusion(rows, _drawn(shares) if compact else None, tuple(opened), len(wrong))


def _drawn(shares: NDArray[np.float64]) -> str:
    """Draw a matrix with one pixel for each cell; the larger its share, the more opaque."""
    pixels = np.zeros((*shares.shape, 4), np.uint8)
    pixels[:, :, :3] = _WRONG
    np.einsum("iic->ic", pixels)[:, :3] = _RIGHT
    pixels[:, :, 3] = np.where(shares > 0, np.rint(255 * (0.35 + 0.65 * shares)), 0)
    return data_address(pixels, LOSSLESS)


def _with_pictures(cell: Cell, material: Material, gallery: Gallery, most: int, listed: int) -> Cell:
    predictions = material.predictions
    members = np.flatnonzero((predictions.truth == cell.truth) & (predictions.guess == cell.guess))
    confidence = predictions.confidence[members]
    members = members[np.argsort(confidence if cell.right else -confidence, kind="stable")]
    return Cell(
        cell.truth,
        cell.guess,
        cell.count,
        cell.share,
        tuple(
            Shown(predictions.paths[row], float(predictions.confidence[row]), gallery(row))
            for row in map(int, members[:most])
        ),
        tuple(predictions.paths[row] for row in members[most : most + listed]),
    )
