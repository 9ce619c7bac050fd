"""The labels that may be wrong."""

from dataclasses import dataclass

from stridednet.errors import InputError
from stridednet.evaluation.page.evaluated import Material
from stridednet.evaluation.page.frame import percent
from stridednet.evaluation.page.gallery import Gallery, Thumbnail
from stridednet.evaluation.suspected_labels import suspected

_RELIABLE = 0.9  # accuracy below which a disagreement says more about the model than about the label


@dataclass(frozen=True)
class ShownSuspect:
    """A picture whose label may be wrong."""

    path: str
    given: str
    suggested: str
    score: float
    thumbnail: Thumbnail


@dataclass(frozen=True)
class Suspects:
    """The suspects that are shown, of ``count``; ``problem`` says what is missing to find them, if something is.

    ``warning`` says that most of them are rather the model's mistakes, if it makes many.
    """

    count: int
    shown: tuple[ShownSuspect, ...]
    problem: str = ""
    warning: str = ""


def suspects(material: Material, gallery: Gallery, most: int) -> Suspects:
    """Return the pictures whose labels may be wrong, the worst first."""
    try:
        found = suspected(material.predictions)
    except InputError as error:  # cleanlab is not installed
        return Suspects(0, (), str(error))
    paths = material.predictions.paths
    shown = tuple(
        ShownSuspect(paths[one.row], one.given, one.suggested, one.score, gallery(one.row)) for one in found[:most]
    )
    warning = ""
    accuracy = 1 - len(material.predictions.wrong) / max(1, len(paths))
    if accuracy < _RELIABLE:
        warning = (
            f"The model is right about only {percent(accuracy)} of the pictures: many of these labels are correct."
        )
    return Suspects(len(found), shown, warning=warning)
