from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from stridednet.data.augment import Augmentation
from stridednet.data.trivial_augment import OPERATIONS, STRENGTHS, trivial_augment

Pixels = np.ndarray


def _picture() -> Pixels:
    """Return a smooth picture with three different channels, so that interpolation makes little difference."""
    y, x = np.mgrid[0:60, 0:60] / 60
    channels = [np.sin(3 * x + 2 * y), np.cos(4 * x * y), x * y]
    return np.dstack([60 + 120 * (one - one.min()) / np.ptp(one) for one in channels]).astype(np.uint8)


PICTURE = _picture()


def _difference(one: Pixels, other: object) -> float:
    return float(np.abs(one.astype(int) - np.asarray(other).astype(int)).max())


def _applied(name: str, strength: float, sign: int = 1) -> Pixels:
    return OPERATIONS[name](PICTURE, strength, sign)


@pytest.mark.parametrize(
    ("name", "enhancer"),
    [
        ("brightness", ImageEnhance.Brightness),
        ("color", ImageEnhance.Color),
        ("contrast", ImageEnhance.Contrast),
        ("sharpness", ImageEnhance.Sharpness),
    ],
)
@pytest.mark.parametrize(("strength", "sign"), [(0.5, 1), (1.0, -1), (0.2, -1), (0.0, 1)])
def test_factors_are_those_of_pillow(name: str, enhancer: Callable, strength: float, sign: int) -> None:
    theirs = np.asarray(enhancer(Image.fromarray(PICTURE)).enhance(1 + sign * 0.99 * strength))
    inside = slice(1, -1)  # Pillow does not smooth the pixels at the edges
    assert _difference(_applied(name, strength, sign)[inside, inside], theirs[inside, inside]) <= 2


@pytest.mark.parametrize("step", [0, 10, 15, 30])
def test_posterize_and_solarize_are_those_of_pillow(step: int) -> None:
    strength, image = step / (STRENGTHS - 1), Image.fromarray(PICTURE)
    assert np.array_equal(_applied("posterize", strength), np.asarray(ImageOps.posterize(image, 8 - round(step / 5))))
    threshold = 255 * (1 - strength)
    assert np.array_equal(_applied("solarize", strength), np.asarray(ImageOps.solarize(image, threshold)))


def test_autocontrast_and_equalize_are_those_of_pillow() -> None:
    assert _difference(_applied("autocontrast", 0), ImageOps.autocontrast(Image.fromarray(PICTURE))) <= 1
    # The two libraries count the pixels of a gray level on either side of it: at most 1.4% of these, or 3.5 levels.
    noise = np.random.default_rng(0).normal(128, 30, (400, 400, 3)).clip(0, 255).astype(np.uint8)
    assert _difference(OPERATIONS["equalize"](noise, 0, 1), ImageOps.equalize(Image.fromarray(noise))) <= 4
    flat = np.full((4, 5, 3), 7, np.uint8)
    assert np.array_equal(OPERATIONS["autocontrast"](flat, 0, 1), flat)


def test_geometric_operations_move_pixels_as_the_paper_says() -> None:
    # A column of 20 pixels at strength 1: a third of 60.
    moved = _applied("translate_x", 1.0)
    assert _difference(moved[:, :40], PICTURE[:, 20:]) <= 1
    assert _difference(moved[:, 40:], np.repeat(PICTURE[:, -1:], 20, axis=1)) <= 1
    assert _difference(_applied("translate_y", 0.5, -1)[10:], PICTURE[:50]) <= 1
    quarter = _applied("rotate", 90 / 135)
    assert min(_difference(quarter, np.rot90(PICTURE, times)) for times in (1, 3)) <= 1
    assert _difference(_applied("rotate", 90 / 135, -1), np.rot90(quarter, 2)) <= 1
    # In the middle row of an image, a horizontal shear moves nothing; 10 rows below, by 9.9 pixels.
    sheared = _applied("shear_x", 1.0)
    assert _difference(sheared[29:31, 5:-5], PICTURE[29:31, 5:-5]) <= 3
    theirs = Image.fromarray(PICTURE).transform((60, 60), Image.Transform.AFFINE, (1, 0.99, -0.99 * 30, 0, 1, 0), 2)
    assert _difference(sheared[25:35, 15:45], np.asarray(theirs)[25:35, 15:45]) <= 1
    turned = np.ascontiguousarray(PICTURE.transpose(1, 0, 2))
    assert _difference(OPERATIONS["shear_y"](turned, 0.7, 1).transpose(1, 0, 2), _applied("shear_x", 0.7)) <= 1


def test_operations_without_strength_change_nothing() -> None:
    for name in set(OPERATIONS) - {"autocontrast", "equalize"}:
        assert _difference(_applied(name, 0.0, -1), PICTURE) <= 1, name


def test_each_image_gets_one_operation_and_all_of_them_are_drawn() -> None:
    images = np.repeat(PICTURE[None], 3000, axis=0)
    changed = trivial_augment(images, np.random.default_rng(0))
    assert changed.shape == images.shape
    assert changed.dtype == np.uint8
    assert np.array_equal(images, np.repeat(PICTURE[None], 3000, axis=0))
    # The identity, and operations that are too weak to change a pixel.
    assert 1 / 14 < (changed == PICTURE).all(axis=(1, 2, 3)).mean() < 0.2
    again = trivial_augment(images, np.random.default_rng(0))
    assert np.array_equal(changed, again)
    assert len({image.tobytes() for image in changed}) > 12 * 10


def test_without_it_random_numbers_are_as_before() -> None:
    plain, trivial = Augmentation(rotation_range=5), Augmentation(rotation_range=5, trivial_augment=True)
    images = np.repeat(PICTURE[None], 8, axis=0)
    one, other = np.random.default_rng(1), np.random.default_rng(1)
    warped, changed = plain(images, one), trivial(images, other)
    assert not np.array_equal(warped, changed)
    assert np.array_equal(changed, trivial_augment(warped, one))
