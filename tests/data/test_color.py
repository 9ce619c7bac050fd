import numpy as np
import pytest
from PIL import Image, ImageEnhance

from stridednet.data.color import ColorJitter, recolor

# Far from black and white, so that Pillow, which clips after each of the three steps, does not clip.
IMAGES = np.random.default_rng(0).integers(90, 160, (12, 20, 24, 3)).astype(np.uint8)


def test_the_result_equals_that_of_pillow() -> None:
    rng = np.random.default_rng(1)
    factors = [rng.uniform(0.7, 1.3, len(IMAGES)) for _ in range(3)]
    changed = recolor(IMAGES, *factors)
    for image, ours, brightness, contrast, saturation in zip(IMAGES, changed, *factors, strict=True):
        step = ImageEnhance.Brightness(Image.fromarray(image)).enhance(brightness)
        step = ImageEnhance.Contrast(step).enhance(contrast)
        theirs = np.asarray(ImageEnhance.Color(step).enhance(saturation)).astype(int)
        assert np.abs(ours.astype(int) - theirs).max() <= 3  # Pillow rounds down three times, and the gray level too


def test_factors_of_one_change_nothing_and_pixels_are_clipped() -> None:
    one = np.ones(len(IMAGES))
    assert np.array_equal(recolor(IMAGES, one, one, one), IMAGES)
    bright = recolor(IMAGES, 10 * one, one, one)
    assert (bright == 255).all()


def test_factors_are_uniform_over_the_whole_range() -> None:
    gray = np.full((4000, 1, 1, 3), 100, np.uint8)
    changed = ColorJitter(brightness=0.5)(gray, np.random.default_rng(2))[:, 0, 0, 0].astype(float)
    assert (changed.min(), changed.max()) == (pytest.approx(50, abs=1), pytest.approx(150, abs=1))
    assert changed.std() == pytest.approx(100 / 12**0.5, rel=0.05)


def test_the_default_draws_no_random_numbers() -> None:
    rng = np.random.default_rng(3)
    assert ColorJitter()(IMAGES, rng) is IMAGES
    assert rng.random() == np.random.default_rng(3).random()
