"""What the network has learned: the filters of its first layer, and what its stages compute for one picture."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stridednet.errors import ModelError
from stridednet.evaluation.feature_maps import first_filters, stages
from stridednet.evaluation.page.evaluated import Material
from stridednet.evaluation.page.gallery import Gallery, Thumbnail
from stridednet.evaluation.page.thumbnails import LOSSLESS, Pixels, data_address

_MOST_FILTERS = 64
_MOST_MAPS = 16  # of a stage: those that vary the most over the picture
_TILE, _GAP = 48, 8  # pixels


@dataclass(frozen=True)
class Sheet:
    """Filters or feature maps in one image; ``size`` is its width and height in pixels."""

    name: str
    about: str
    size: tuple[int, int]
    content: str  # a ``data:`` address


@dataclass(frozen=True)
class Layers:
    """The sheets; ``filters`` or ``stages`` are empty where the model has none, and ``problem`` says why."""

    filters: Sheet | None
    stages: tuple[Sheet, ...]
    example: Thumbnail | None
    path: str
    label: str
    problem: str


def layers(material: Material, gallery: Gallery, row: int | None) -> Layers:
    """Draw the first filters, and the feature maps for one picture.

    Args:
        material: The evaluation.
        gallery: The pictures of the page.
        row: The picture; None if there is none.
    """
    problems = []
    filters: Sheet | None = None
    sheets: tuple[Sheet, ...] = ()
    try:
        filters = _filters(first_filters(material.model))
    except ModelError as error:
        problems.append(str(error))
    if row is None:
        return Layers(filters, (), None, "", "", "; ".join(problems))
    try:
        sheets = tuple(
            _stage(name, maps) for name, maps in stages(material.model, material.evaluation.image(row)) if maps.size
        )
    except ModelError as error:
        problems.append(str(error))
    if not sheets and not problems:
        problems.append("The model has no feature maps: no output of a layer with a kernel has several positions.")
    predictions = material.predictions
    label = predictions.labels[predictions.guess[row]]
    return Layers(filters, sheets, gallery(row), predictions.paths[row], label, "; ".join(dict.fromkeys(problems)))


def _filters(kernels: list[Pixels]) -> Sheet:
    shown = kernels[:_MOST_FILTERS]
    height, width = shown[0].shape[:2]
    which = f"all {len(kernels)}" if len(shown) == len(kernels) else f"{len(shown)} of {len(kernels)}"
    tiles = [_tile(kernel, cv2.INTER_NEAREST) for kernel in shown]
    return _sheet("first layer", f"{which} filters of {width}x{height} pixels", tiles)


def _stage(name: str, maps: NDArray[np.float32]) -> Sheet:
    height, width, channels = maps.shape
    spread = maps.reshape(-1, channels).std(axis=0)
    chosen = np.argsort(-spread, kind="stable")[:_MOST_MAPS]
    which = f"all {channels}" if channels <= _MOST_MAPS else f"{len(chosen)} of {channels}"
    tiles = [_tile(_gray(maps[:, :, channel]), cv2.INTER_NEAREST) for channel in chosen]
    return _sheet(name, f"{which} maps of {width}x{height} positions", tiles)


def _gray(values: NDArray[np.float32]) -> Pixels:
    """Return a map as gray levels from its lowest to its highest value."""
    low, high = float(values.min()), float(values.max())
    scaled = (values - low) / ((high - low) or 1.0)
    return np.asarray(np.rint(np.nan_to_num(scaled) * 255), np.uint8)[:, :, None].repeat(3, axis=2)


def _tile(pixels: Pixels, interpolation: int) -> Pixels:
    factor = max(1, round(_TILE / max(pixels.shape[:2])))
    height, width = pixels.shape[0] * factor, pixels.shape[1] * factor
    if max(height, width) > 2 * _TILE:
        factor_down = 2 * _TILE / max(height, width)
        height, width = max(1, round(height * factor_down)), max(1, round(width * factor_down))
        interpolation = cv2.INTER_AREA
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=interpolation), np.uint8)


def _sheet(name: str, about: str, tiles: list[Pixels]) -> Sheet:
    """Put tiles of the same size into rows, with transparent gaps, which the page colors."""
    height, width = tiles[0].shape[:2]
    columns = min(len(tiles), max(1, math.ceil(math.sqrt(len(tiles)))))
    rows = math.ceil(len(tiles) / columns)
    sheet = np.zeros((rows * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP, 4), np.uint8)
    for number, tile in enumerate(tiles):
        top, left = number // columns * (height + _GAP), number % columns * (width + _GAP)
        sheet[top : top + height, left : left + width, :3] = tile
        sheet[top : top + height, left : left + width, 3] = 255
    return Sheet(name, about, (sheet.shape[1], sheet.shape[0]), data_address(sheet, LOSSLESS))
