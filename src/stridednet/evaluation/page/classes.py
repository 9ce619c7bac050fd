"""The table of the classes: recall, precision and F1 with their intervals."""

from dataclasses import dataclass

from stridednet.data.tree import printable
from stridednet.evaluation.intervals import Interval
from stridednet.evaluation.page.evaluated import Material
from stridednet.evaluation.page.verdict import training_sizes
from stridednet.evaluation.scores import Score, class_scores, confusion_matrix


@dataclass(frozen=True)
class ClassRow:
    """A class. A measure and its interval are None where there is nothing to measure it on."""

    label: str
    trained: int
    pictures: int
    recall: float | None
    recall_interval: Interval | None
    precision: float | None
    precision_interval: Interval | None
    f1: float | None
    f1_interval: Interval | None


def class_rows(material: Material) -> list[ClassRow]:
    """Return the rows of the table, the class with the lowest F1 score first and classes without pictures last."""
    trained = training_sizes(material)
    rows = [
        ClassRow(
            one.label,
            trained[printable(one.label)],
            one.pictures,
            *_parts(one.recall),
            *_parts(one.precision),
            *_parts(one.f1),
        )
        for one in class_scores(material.labels, confusion_matrix(material.predictions))
    ]
    return sorted(rows, key=lambda row: 2.0 if row.f1 is None else row.f1)


def _parts(score: Score | None) -> tuple[float | None, Interval | None]:
    return (None, None) if score is None else (score.value, score.interval)
