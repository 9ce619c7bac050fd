from typing import Any

import cv2
import numpy as np
import pytest

from stridednet.errors import InputError
from stridednet.evaluation.grad_cam import overlay


def _image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)


def test_without_heat_the_image_is_gray_and_with_heat_it_is_colored() -> None:
    heatmap = np.zeros((30, 40), np.float32)
    heatmap[:, 20:] = 1
    drawn = overlay(_image(), heatmap)
    assert (drawn.shape, drawn.dtype) == ((30, 40, 3), np.uint8)
    cold, hot = drawn[:, :20].astype(int), drawn[:, 20:].astype(int)
    assert (np.ptp(cold, axis=2) == 0).all()
    luminance = _image()[:, :20] @ [0.299, 0.587, 0.114]  # ITU-R BT.601
    assert np.corrcoef(cold[:, :, 0].ravel(), luminance.ravel())[0, 1] > 0.999
    # The hottest color of plasma is yellow: red and green, hardly any blue. The image shines through.
    assert (hot[:, :, :2].min(axis=2) > hot[:, :, 2] + 100).all()
    assert hot.std(axis=(0, 1)).min() > 2


def test_more_heat_is_brighter_on_any_background() -> None:
    heatmap = np.repeat(np.linspace(0.3, 1, 40, dtype=np.float32)[None], 30, axis=0)
    for level in (0, 100, 255):
        drawn = overlay(np.full((30, 40, 3), level, np.uint8), heatmap).astype(np.int64)
        yellow_minus_blue = drawn[0, :, 0] + drawn[0, :, 1] - 2 * drawn[0, :, 2]
        assert (np.diff(yellow_minus_blue[::5]) > 0).all()


def test_a_coarse_heatmap_is_stretched() -> None:
    heatmap = np.array([[0, 1], [0, 0.5]], np.float64)
    stretched = cv2.resize(heatmap.astype(np.float32), (40, 30), interpolation=cv2.INTER_LINEAR)
    assert np.array_equal(overlay(_image(), heatmap), overlay(_image(), stretched))


@pytest.mark.parametrize(
    ("image", "heatmap", "message"),
    [
        (np.zeros((4, 4), np.uint8), np.zeros((4, 4)), r"image: an RGB image .* Received: \(4, 4\), uint8"),
        (np.zeros((4, 4, 1), np.uint8), np.zeros((4, 4)), r"image: .* Received: \(4, 4, 1\), uint8"),
        (np.zeros((4, 4, 3)), np.zeros((4, 4)), r"image: .* Received: \(4, 4, 3\), float64"),
        (np.zeros((0, 4, 3), np.uint8), np.zeros((4, 4)), r"image: .* Received: \(0, 4, 3\), uint8"),
        (np.zeros((4, 4, 3), np.uint8), np.zeros((1, 4, 4)), r"heatmap: values from 0 to 1 .*shape \(1, 4, 4\)"),
        (np.zeros((4, 4, 3), np.uint8), np.zeros((0, 4)), r"heatmap: .*shape \(0, 4\)"),
        (np.zeros((4, 4, 3), np.uint8), np.full((4, 4), 1.5), r"heatmap: .*, 1\.5 to 1\.5"),
        (np.zeros((4, 4, 3), np.uint8), np.full((4, 4), np.nan), r"heatmap: .*, nan to nan"),
    ],
)
def test_wrong_arguments(image: Any, heatmap: Any, message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}"):
        overlay(image, heatmap)
