"""The layers of the model with their arithmetic, and the advice on them."""

from dataclasses import dataclass

from stridednet.conv2d.advice import advise
from stridednet.conv2d.finding import Finding
from stridednet.errors import ModelError
from stridednet.evaluation.page.evaluated import Material
from stridednet.models.description import describe
from stridednet.pages.layer_table import LEGEND, LayerRow, layer_rows, total_row, unknown_note


@dataclass(frozen=True)
class Architecture:
    """The lines of the table and the advice; ``problem`` says why there are none, if so."""

    rows: tuple[LayerRow, ...] = ()
    total: LayerRow | None = None
    legend: str = ""
    findings: tuple[Finding, ...] = ()
    problem: str = ""


def architecture(material: Material) -> Architecture:
    """Describe the model's layers."""
    try:
        network = describe(material.model)
    except ModelError as error:  # it accepts images of any size
        return Architecture(problem=str(error))
    legend = "; ".join(text for text in (LEGEND, unknown_note(network)) if text)
    return Architecture(tuple(layer_rows(network)), total_row(network), legend, advise(network))
