import numpy as np
import pytest
from PIL import Image, ImageEnhance

from stridednet.data.color import ColorJitter, recolor

# Away from black and white, so that Pillow, which clips after each of the three, clips nothing.
IMAGES = np.random.default_rng(0).integers(90, 160, (12, 20, 24, 3)).astype(np.uint8)


def test_it_is_what_pillow_does_one_after_another() -> None:
    rng = np.random.default_rng(1)
    factors = [rng.uniform(0.7, 1.3, len(IMAGES)) for _ in range(3)]
    changed = recolor(IMAGES, *factors)
    for image, ours, brightness, contrast, saturation in zip(IMAGES, changed, *factors, strict=True):
        step = ImageEnhance.Brightness(Image.fromarray(image)).enhance(brightness)
        step = ImageEnhance.Contrast(step).enhance(contrast)
        theirs = np.asarray(ImageEnhance.Color(step).enhance(saturation)).astype(int)
        assert np.abs(ours.astype(int) - theirs).max() <= 3  # it rounds down three times, and the grey as well


def test_factors_of_one_change_nothing_and_pixels_stay_within_0_to_255() -> None:
    one = np.ones(len(IMAGES))
    assert np.array_equal(recolor(IMAGES, one, one, one), IMAGES)
    bright = recolor(IMAGES, 10 * one, one, one)
    assert (bright == 255).all()


def test_each_range_is_used_to_its_ends_and_evenly() -> None:
    white = np.full((4000, 1, 1, 3), 100, np.uint8)
    changed = ColorJitter(brightness=0.5)(white, np.random.default_rng(2))[:, 0, 0, 0].astype(float)
    assert (changed.min(), changed.max()) == (pytest.approx(50, abs=1), pytest.approx(150, abs=1))
    assert changed.std() == pytest.approx(100 / 12**0.5, rel=0.05)


def test_nothing_is_drawn_unless_asked_for() -> None:
    rng = np.random.default_rng(3)
    assert ColorJitter()(IMAGES, rng) is IMAGES
    assert rng.random() == np.random.default_rng(3).random()
