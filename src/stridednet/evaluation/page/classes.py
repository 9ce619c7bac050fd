"""The table of the classes: recall, precision and F1 with their intervals."""

from dataclasses import dataclass

from stridednet.data.tree import printable
from stridednet.evaluation.intervals import Interval, f1_interval, wilson
from stridednet.evaluation.page.evaluated import Material
from stridednet.evaluation.page.verdict import training_sizes


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
    predictions = material.predictions
    trained = training_sizes(material)
    rows = []
    for column, label in enumerate(predictions.labels):
        there, said = predictions.truth == column, predictions.guess == column
        hits, misses, alarms = int((there & said).sum()), int((there & ~said).sum()), int((said & ~there).sum())
        of, claimed = hits + misses, hits + alarms
        rows.append(
            ClassRow(
                label,
                trained[printable(label)],
                of,
                hits / of if of else None,
                wilson(hits, of) if of else None,
                hits / claimed if claimed else None,
                wilson(hits, claimed) if claimed else None,
                2 * hits / (of + claimed) if of else None,
                f1_interval(hits, alarms, misses) if of else None,
            )
        )
    return sorted(rows, key=lambda row: 2.0 if row.f1 is None else row.f1)
