"""How ``stridednet predict`` prints predictions: as a table, CSV or JSON, each picture as soon as it is known."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, TextIO

from rich.cells import cell_len

from stridednet.data.tree import printable, shown
from stridednet.deploy.prediction import Prediction
from stridednet.storage import csv_text, path_text

_NARROWEST_PATH, _WIDEST_PATH = 30, 60  # columns; longer paths are not truncated, but their rows are not aligned


class Output(Protocol):
    """Prints predictions."""

    def start(self, paths: Sequence[Path]) -> None:
        """Print what comes first; ``paths`` are those that are known beforehand."""
        ...

    def write(self, path: Path, prediction: Prediction) -> None:
        """Print the prediction for a picture."""
        ...


def output_for(stream: TextIO, labels: Sequence[str], topk: int, as_json: bool, as_csv: bool) -> Output:
    """Return what prints in the chosen format.

    Args:
        stream: Where to.
        labels: All classes.
        topk: Number of classes per picture.
        as_json: Whether to print JSON Lines.
        as_csv: Whether to print CSV.
    """
    if as_json:
        return _JsonLines(stream, topk)
    return _Csv(stream, topk) if as_csv else _Table(stream, labels, topk)


class _JsonLines:
    """One JSON object per line (https://jsonlines.org), so that the first can be read before the last is computed."""

    def __init__(self, stream: TextIO, topk: int) -> None:
        self._stream = stream
        self._topk = topk

    def start(self, _: Sequence[Path]) -> None:
        pass

    def write(self, path: Path, prediction: Prediction) -> None:
        ranked = [{"label": label, "probability": number} for label, number in _rounded(prediction, self._topk)]
        row = {"path": path_text(path), **ranked[0], "top": ranked}
        self._stream.write(json.dumps(row) + "\n")


class _Csv:
    """The columns are path, label, probability, label_2, probability_2 and so on."""

    def __init__(self, stream: TextIO, topk: int) -> None:
        self._stream = stream
        self._topk = topk

    def start(self, _: Sequence[Path]) -> None:
        more = [f"{name}_{rank}" for rank in range(2, self._topk + 1) for name in ("label", "probability")]
        self._stream.write(csv_text(("path", "label", "probability", *more), ()))

    def write(self, path: Path, prediction: Prediction) -> None:
        cells = [text for label, number in _rounded(prediction, self._topk) for text in (printable(label), str(number))]
        self._stream.write(csv_text((path_text(path), *cells), ()))


class _Table:
    """Aligned columns for a reader: a picture per line, with the most probable class first."""

    def __init__(self, stream: TextIO, labels: Sequence[str], topk: int) -> None:
        self._stream = stream
        self._topk = topk
        self._label_width = max(cell_len(shown(label)) for label in labels)
        self._path_width = 0

    def start(self, paths: Sequence[Path]) -> None:
        if not paths:  # those of standard input become known one by one
            return
        widths = [cell_len(shown(str(path))) for path in paths]
        self._path_width = max([_NARROWEST_PATH, *(width for width in widths if width <= _WIDEST_PATH)])
        row = _padded("picture", self._path_width), _padded("label", self._label_width), "probability"
        self._line([*row, *(["followed by"] if self._topk > 1 else [])])

    def write(self, path: Path, prediction: Prediction) -> None:
        if not self._path_width:
            self.start([path])
        (label, probability), *others = [
            (_padded(shown(label), self._label_width), f"{number:.4f}") for label, number in prediction.top(self._topk)
        ]
        row = _padded(shown(str(path)), self._path_width), label, probability.rjust(len("probability"))
        self._line([*row, *(f"{name} {number}" for name, number in others)])

    def _line(self, cells: Sequence[str]) -> None:
        self._stream.write("  ".join(cells).rstrip() + "\n")


def _rounded(prediction: Prediction, topk: int) -> list[tuple[str, float]]:
    """Return the classes with six digits of their probabilities: as many as NumPy and PyTorch agree on."""
    return [(label, round(number, 6)) for label, number in prediction.top(topk)]


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cell_len(text))
