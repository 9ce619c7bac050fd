"""What a trial measured on each picture of its fold, compact enough to be kept for every trial."""

import base64
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_SMALLEST = 1e-7  # probability, as in Keras: the loss of a wrong and certain answer stays finite


@dataclass(frozen=True, eq=False)
class PictureResults:
    """Whether each picture was classified correctly, and its log loss (natural logarithm, in float16).

    All are arrays ``(n,)``; ``rows`` are the pictures' places in the data set, in ascending order.
    """

    rows: NDArray[np.int32]
    correct: NDArray[np.bool_]
    losses: NDArray[np.float16]

    @classmethod
    def of(
        cls, rows: NDArray[np.intp], probabilities: NDArray[np.float32], truth: NDArray[np.intp]
    ) -> "PictureResults":
        """Return the results of probabilities ``(n, classes)`` whose true classes are ``truth`` ``(n,)``."""
        order = np.argsort(rows)
        probabilities, truth = probabilities[order], truth[order]
        given = probabilities[np.arange(len(truth)), truth].astype(np.float64)
        return cls(
            rows[order].astype(np.int32),
            probabilities.argmax(axis=1) == truth,
            -np.log(given.clip(_SMALLEST, 1.0)).astype(np.float16),
        )

    def __eq__(self, other: object) -> bool:
        """Whether all pictures and all results are the same."""
        return isinstance(other, PictureResults) and self.to_text() == other.to_text()

    def __hash__(self) -> int:
        """Return a hash of all results."""
        return hash(self.to_text())

    def to_text(self) -> str:
        """Return the results as three words: steps between rows, bits, and losses, compressed and in base 64."""
        steps = np.diff(self.rows, prepend=0).astype("<i4")
        parts = (steps.tobytes(), np.packbits(self.correct).tobytes(), self.losses.astype("<f2").tobytes())
        return " ".join(base64.b64encode(zlib.compress(part, 9)).decode("ascii") for part in parts)

    @classmethod
    def from_text(cls, text: str) -> "PictureResults":
        """Read the text that `to_text` returns."""
        steps, bits, losses = (zlib.decompress(base64.b64decode(part)) for part in text.split(" "))
        rows = np.cumsum(np.frombuffer(steps, "<i4"), dtype=np.int32)
        correct = np.unpackbits(np.frombuffer(bits, np.uint8), count=len(rows)).astype(np.bool_)
        return cls(rows, correct, np.frombuffer(losses, "<f2").astype(np.float16))
