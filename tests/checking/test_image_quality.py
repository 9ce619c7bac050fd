import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from stridednet.checking.image_quality import Quality, find_unusual, measure, measure_files
from stridednet.checking.issue import BLANK, BLURRED, DARK, SHAPE, SIZE


def _png(pixels: NDArray[np.uint8]) -> bytes:
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return content.getvalue()


def _textured(seed: int, width: int = 60, height: int = 40) -> NDArray[np.uint8]:
    """Return noise with details of every size, as photographs have them."""
    rng = np.random.default_rng(seed)
    total = sum(
        cv2.resize(rng.normal(0, 12, (side, side)), (width, height), interpolation=cv2.INTER_CUBIC)
        for side in (3, 8, 20, 40)
    )
    return np.clip(120 + np.stack([total] * 3, axis=2), 0, 255).astype(np.uint8)


def test_measures_equal_those_computed_by_hand() -> None:
    gray = np.random.default_rng(0).integers(0, 256, (9, 11), np.uint8)
    found = measure(_png(np.stack([gray] * 3, axis=2)))
    exact = gray.astype(float)
    assert (found.width, found.height) == (11, 9)
    assert found.mean == pytest.approx(exact.mean())
    assert found.deviation == pytest.approx(exact.std())
    # The Laplacian: the four neighbors minus four times the pixel, with the border reflected without its edge.
    framed = np.pad(exact, 1, mode="reflect")
    laplacian = framed[:-2, 1:-1] + framed[2:, 1:-1] + framed[1:-1, :-2] + framed[1:-1, 2:] - 4 * exact
    assert found.sharpness == pytest.approx(laplacian.var(), rel=1e-5)


def test_sharpness_does_not_depend_on_the_size_of_large_pictures() -> None:
    large = cv2.resize(_textured(0, 300, 280), (1200, 1120), interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    small = cv2.resize(large, (300, 280), interpolation=cv2.INTER_AREA)
    assert measure(_png(large)).sharpness == pytest.approx(measure(_png(small)).sharpness, rel=0.25)


def test_the_size_is_that_of_the_upright_picture() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    content = io.BytesIO()
    Image.fromarray(_textured(0, 60, 40)).save(content, "JPEG", exif=exif)
    found = measure(content.getvalue())
    assert (found.width, found.height) == (40, 60)


def test_made_pictures_are_found_and_others_are_not() -> None:
    usual = [_textured(seed) for seed in range(60)]
    made = {
        "black": np.zeros((40, 60, 3), np.uint8),
        "gray": np.full((40, 60, 3), 128, np.uint8),
        "dark": (_textured(100) // 4).astype(np.uint8),
        "blurred": cv2.GaussianBlur(_textured(101), (0, 0), 4),
        "wide": _textured(102, 200, 40),
        "tall": _textured(103, 40, 120),
        "large": _textured(104, 600, 400),
        "small": _textured(105, 12, 8),
    }
    names = [*(f"usual {number}" for number in range(60)), *made]
    qualities = [measure(_png(pixels)) for pixels in (*usual, *made.values())]
    found = {(names[unusual.row], unusual.kind) for unusual in find_unusual(qualities)}
    expected = {("black", BLANK), ("gray", BLANK), ("dark", DARK), ("blurred", BLURRED), ("wide", SHAPE)}
    expected |= {("tall", SHAPE), ("large", SIZE), ("small", SIZE)}
    # A picture of another size has other details per pixel, so that it may also be blurred.
    assert found - {("large", BLURRED)} == expected


@pytest.mark.parametrize("blur", [2.0, 4.0, 8.0])
def test_a_stronger_blur_has_a_lower_score(blur: float) -> None:
    sharp = _textured(0, 200, 150)
    weak, strong = (cv2.GaussianBlur(sharp, (0, 0), sigma).astype(np.uint8) for sigma in (blur / 2, blur))
    values = [measure(_png(pixels)).sharpness for pixels in (sharp, weak, strong)]
    assert values == sorted(values, reverse=True)


def test_a_data_set_of_dark_pictures_has_no_dark_ones() -> None:
    dark = [Quality(28, 28, mean, 70.0, 1000.0) for mean in range(18, 45)]
    assert find_unusual(dark) == []


def test_half_of_the_pictures_are_not_unusual() -> None:
    both = [Quality(200, 100, 100, 50, 500)] * 30 + [Quality(100, 200, 100, 50, 5)] * 30
    assert find_unusual(both) == []


def test_scores_and_order() -> None:
    usual = [Quality(100, 100, 100.0, 50.0, 100.0)] * 40
    found = find_unusual([*usual, Quality(100, 100, 100, 50, 10), None, Quality(100, 100, 100, 50, 1)])
    assert [(unusual.row, unusual.kind, unusual.score) for unusual in found] == [
        (42, BLURRED, 0.01),
        (40, BLURRED, 0.1),
    ]
    assert "0.010 times the median" in found[0].details
    assert find_unusual([None, None]) == []


def test_files_that_cannot_be_read_have_no_measures(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(_png(_textured(0)))
    (tmp_path / "b.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    first, *others = measure_files([tmp_path / "a.png", tmp_path / "b.png", tmp_path / "none.png"])
    assert first is not None
    assert (first.width, first.height) == (60, 40)
    assert others == [None, None]
