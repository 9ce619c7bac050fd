"""The confusion matrix, and the pictures behind each of its cells."""

from dataclasses import dataclass

import numpy as np

from stridednet.evaluation.page.evaluated import Material
from stridednet.evaluation.page.gallery import Gallery, Thumbnail

MOST_CLASSES = 20  # of a matrix with a button in each cell
_LISTED = 40  # paths of a cell that are listed without a picture
_MOST_CONFUSIONS = 60  # cells with pictures, of more classes than that


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
    """The matrix: ``opened`` are the cells with their pictures, ``rows`` the matrix, or all cells of a compact one."""

    rows: tuple[tuple[Cell, ...], ...]
    compact: bool
    opened: tuple[Cell, ...]
    mistakes: int  # number of different confusions

    @property
    def filled(self) -> tuple[Cell, ...]:
        """The cells with pictures, whether they can be opened or not."""
        return tuple(cell for row in self.rows for cell in row if cell.count)


@dataclass(frozen=True)
class Limits:
    """How many pictures are shown: of each cell, and of all cells of mistakes and of correct pictures together."""

    wrong_per_cell: int = 16
    right_per_cell: int = 6
    wrong: int = 160
    right: int = 90


def confusion(material: Material, gallery: Gallery, limits: Limits) -> Confusion:
    """Return the confusion matrix with the pictures behind its cells.

    Of mistakes, those come first that the model is the most confident about; of correct pictures, those that it is the
    least confident about.
    """
    predictions = material.predictions
    classes = len(predictions.labels)
    counts = np.zeros((classes, classes), int)
    np.add.at(counts, (predictions.truth, predictions.guess), 1)
    totals = counts.sum(axis=1)
    rows = tuple(
        tuple(
            Cell(truth, guess, int(counts[truth, guess]), float(counts[truth, guess] / max(1, totals[truth])))
            for guess in range(classes)
        )
        for truth in range(classes)
    )
    compact = classes > MOST_CLASSES
    wrong = [cell for row in rows for cell in row if cell.count and not cell.right]
    wrong.sort(key=lambda cell: -cell.count)  # stable: in the order of the classes
    right = [rows[column][column] for column in range(classes) if rows[column][column].count]
    opened = []
    for cells, per_cell, most in (
        (wrong[:_MOST_CONFUSIONS] if compact else wrong, limits.wrong_per_cell, limits.wrong),
        ([] if compact else right, limits.right_per_cell, limits.right),
    ):
        left = most
        for cell in cells:
            filled = _with_pictures(cell, material, gallery, min(per_cell, left))
            left -= len(filled.pictures)
            opened.append(filled)
    return Confusion(rows, compact, tuple(opened), len(wrong))


def _with_pictures(cell: Cell, material: Material, gallery: Gallery, most: int) -> Cell:
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
        tuple(predictions.paths[row] for row in members[most : most + _LISTED]),
    )
