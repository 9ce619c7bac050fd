"""Write ``report.html``: a run and its evaluation as one self-contained page."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from stridednet.evaluation.page.architecture import architecture
from stridednet.evaluation.page.calibration import calibration
from stridednet.evaluation.page.classes import class_rows
from stridednet.evaluation.page.confusion import Limits, confusion
from stridednet.evaluation.page.curves import curves
from stridednet.evaluation.page.data_set import data_set
from stridednet.evaluation.page.evaluated import Evaluated, Material
from stridednet.evaluation.page.frame import MAX_BYTES, render, size_of
from stridednet.evaluation.page.gallery import Gallery
from stridednet.evaluation.page.layers import layers
from stridednet.evaluation.page.mistakes import mistakes
from stridednet.evaluation.page.suspects import suspects
from stridednet.evaluation.page.verdict import kind_of_pictures, verdict
from stridednet.run_directory import RunDirectory

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Size:
    """How much a page shows: of cells, mistakes, suspected labels and classes."""

    cells: Limits
    mistakes: int
    suspects: int
    classes: int


# As much of these as fits into `frame.MAX_BYTES`. The first one usually does: it is about 1 MB.
_SIZES = (
    Size(Limits(), 24, 24, 1000),
    Size(Limits(6, 3, 60, 30, 20), 12, 12, 1000),
    Size(Limits(2, 1, 20, 10, 5), 4, 4, 300),
    Size(Limits(0, 0, 0, 0, 2), 0, 0, 100),
)


def write_report_page(
    run: RunDirectory,
    evaluation: Evaluated,
    *,
    model: "keras.Model | None" = None,
    report: Mapping[str, Any] | None = None,
) -> None:
    """Write ``report.html`` of a run.

    Args:
        run: The run directory.
        evaluation: What the model says about pictures whose classes are known.
        model: The trained model; None to load that of the run.
        report: The content of ``report.json``; None to read it.

    Raises:
        RunError: A file of the run is missing or damaged.
        StorageError: The page cannot be written.
    """
    material = Material(
        run.recipe,
        run.history,
        run.split,
        run.report if report is None else report,
        run.model() if model is None else model,
        evaluation,
    )
    run.write_page(report_page(material))


def report_page(material: Material) -> str:
    """Return the page as HTML of at most `frame.MAX_BYTES` bytes."""
    gallery, html = Gallery(material.evaluation), ""
    values = {
        "material": material,
        "pictures": kind_of_pictures(material.evaluation.subset),
        "verdict": verdict(material),
        "curves": curves(material) if material.history else None,
        "classes": class_rows(material),
        "calibration": calibration(material.predictions),
        "architecture": architecture(material),
        "layers": layers(material, gallery, _example(material)),
        "data": data_set(material, _example(material)),
        "recipe": material.recipe.to_toml(),
        "training": material.report.get("training", {}),
        "device": material.report.get("device", {}),
        "versions": material.report.get("versions", {}),
    }
    for size in _SIZES:
        shown = gallery.copy()
        html = render(
            "report.html.j2",
            values
            | {
                "confusion": confusion(material, shown, size.cells),
                "mistakes": mistakes(material, shown, size.mistakes),
                "suspects": suspects(material, shown, size.suspects),
                "thumbnails": shown.thumbnails,
                "most_classes": size.classes,
            },
        )
        if size_of(html) <= MAX_BYTES:
            break
    return html


def _example(material: Material) -> int | None:
    """Return the picture that the model is the most confident about among the correct ones, or among all."""
    predictions = material.predictions
    if not len(predictions.truth):
        return None
    right = np.flatnonzero(predictions.guess == predictions.truth)
    rows = right if len(right) else np.arange(len(predictions.truth))
    return int(rows[predictions.confidence[rows].argmax()])
