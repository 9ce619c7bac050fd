"""The pictures of a page: each is embedded once, and shown in any number of places."""

from typing import NamedTuple

from stridednet.evaluation.page.evaluated import Evaluated
from stridednet.evaluation.page.thumbnails import data_address, shrunk, small_picture


class Thumbnail(NamedTuple):
    """A small picture: its number on the page, its size in pixels, and its content as a ``data:`` address."""

    number: int
    width: int
    height: int
    content: str


class Gallery:
    """The small pictures that the sections of a page have asked for, by their row in the predictions."""

    def __init__(self, evaluation: Evaluated) -> None:
        self._evaluation = evaluation
        self._by_row: dict[int, Thumbnail] = {}

    def __call__(self, row: int) -> Thumbnail:
        """Return the small copy of a picture; of a file that is gone, what the model was given."""
        if row not in self._by_row:
            pixels = small_picture(self._evaluation.file(row))
            if pixels is None:
                pixels = shrunk(self._evaluation.image(row))
            height, width = pixels.shape[:2]
            self._by_row[row] = Thumbnail(row, width, height, data_address(pixels))
        return self._by_row[row]

    def copy(self) -> "Gallery":
        """Return a gallery with the same pictures, to which others can be added."""
        copy = Gallery(self._evaluation)
        copy._by_row.update(self._by_row)
        return copy

    @property
    def thumbnails(self) -> list[Thumbnail]:
        """All pictures of the page."""
        return list(self._by_row.values())
