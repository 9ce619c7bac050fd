"""The mistakes, each with what in the picture speaks for the answer and for the truth."""

from dataclasses import dataclass

import numpy as np

from stridednet.errors import ModelError
from stridednet.evaluation.grad_cam import Explainer, overlay
from stridednet.evaluation.page.evaluated import Material
from stridednet.evaluation.page.gallery import Gallery, Thumbnail
from stridednet.evaluation.page.thumbnails import SIDE, data_address, shrunk


@dataclass(frozen=True)
class Mistake:
    """A misclassified picture; ``for_guess`` and ``for_truth`` are ``data:`` addresses, or None without heatmaps."""

    path: str
    truth: str
    guess: str
    confidence: float  # probability of the answer
    probability: float  # of the true class
    thumbnail: Thumbnail
    for_guess: str | None
    for_truth: str | None


@dataclass(frozen=True)
class Mistakes:
    """The mistakes that are shown, of ``count``; ``problem`` says why there are no heatmaps, if there are none."""

    count: int
    shown: tuple[Mistake, ...]
    problem: str


def mistakes(material: Material, gallery: Gallery, most: int) -> Mistakes:
    """Return the mistakes that the model is the most confident about.

    Args:
        material: The evaluation.
        gallery: The pictures of the page.
        most: The number of mistakes that are shown.
    """
    predictions = material.predictions
    rows = [int(row) for row in predictions.wrong[:most]]
    overlays, problem = _overlays(material, rows)
    shown = tuple(
        Mistake(
            predictions.paths[row],
            predictions.labels[predictions.truth[row]],
            predictions.labels[predictions.guess[row]],
            float(predictions.confidence[row]),
            float(predictions.probabilities[row, predictions.truth[row]]),
            gallery(row),
            *(overlays[number] if overlays else (None, None)),
        )
        for number, row in enumerate(rows)
    )
    return Mistakes(len(predictions.wrong), shown, problem)


def _overlays(material: Material, rows: list[int]) -> tuple[list[tuple[str, str]], str]:
    """Return the overlays of each picture for its answer and for its true class, or why there are none."""
    if not rows:
        return [], ""
    predictions = material.predictions
    images = [material.evaluation.image(row) for row in rows]
    both = np.stack([image for image in images for _ in range(2)])
    columns = [column for row in rows for column in (predictions.guess[row], predictions.truth[row])]
    try:
        heatmaps = Explainer(material.model).heatmaps(both, columns)
    except ModelError as error:
        return [], str(error)
    drawn = [data_address(overlay(_enlarged(image), heat)) for image, heat in zip(both, heatmaps, strict=True)]
    return list(zip(drawn[::2], drawn[1::2], strict=True)), ""


def _enlarged(image: np.ndarray) -> np.ndarray:
    """Return an image at the size of a thumbnail, so that its heatmap is smooth."""
    import cv2

    if max(image.shape[:2]) >= SIDE:
        return shrunk(image)
    factor = SIDE / max(image.shape[:2])
    height, width = (round(side * factor) for side in image.shape[:2])
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
