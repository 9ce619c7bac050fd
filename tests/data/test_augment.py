from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from keras.src.legacy.preprocessing.image import ImageDataGenerator, apply_affine_transform
from numpy.typing import NDArray
from scipy.stats import ks_2samp, kstest

from stridednet.data.augment import Augmentation, Warps, warp
from stridednet.data.decode import decode
from stridednet.data.scan import scan
from stridednet.errors import InputError

TUTORIAL = Augmentation(
    rotation_range=20,
    width_shift_range=0.2,
    height_shift_range=0.2,
    shear_range=0.15,
    zoom_range=0.15,
    horizontal_flip=True,
)


def _one(**fields: float | bool) -> Warps:
    still: dict[str, float | bool] = {
        "angle": 0.0, "shift_x": 0.0, "shift_y": 0.0, "shear": 0.0, "zoom_x": 1.0, "zoom_y": 1.0, "flip": False,
    }  # fmt: skip
    return Warps(**{name: np.array([value]) for name, value in (still | fields).items()})


@pytest.fixture(scope="module")
def picture(digits: Path) -> NDArray[np.uint8]:
    return decode(min((digits / "4").iterdir()), 64)


@pytest.mark.filterwarnings("ignore:Please import `affine_transform`:DeprecationWarning")
def test_each_warp_equals_that_of_the_former_keras_class(picture: NDArray[np.uint8]) -> None:
    rng = np.random.default_rng(5)
    for _ in range(40):
        angle, shear = rng.uniform(-30, 30, 2)
        shift_x, shift_y = rng.uniform(-20, 20, 2)
        zoom_x, zoom_y = rng.uniform(0.7, 1.3, 2)
        expected = apply_affine_transform(
            picture.astype(np.float32), angle, shift_x, shift_y, shear, zoom_x, zoom_y,
            row_axis=0, col_axis=1, channel_axis=2, fill_mode="nearest", order=1,
        )  # fmt: skip
        warps = _one(angle=angle, shift_x=shift_x, shift_y=shift_y, shear=shear, zoom_x=zoom_x, zoom_y=zoom_y)
        assert np.abs(warp(picture[None], warps)[0] - expected).max() <= 1.0  # only one of them rounds
        flipped = warp(picture[None], replace(warps, flip=np.array([True])))[0]
        assert np.abs(flipped - expected[:, ::-1]).max() <= 1.0


def test_the_distribution_equals_that_of_the_former_keras_class() -> None:
    size, n = 96, 4000
    generator = ImageDataGenerator(
        rotation_range=20, zoom_range=0.15, width_shift_range=0.2, height_shift_range=0.2, shear_range=0.15,
        horizontal_flip=True, fill_mode="nearest",
    )  # fmt: skip
    old = [generator.get_random_transform((size, size, 3), seed=seed) for seed in range(n)]
    new = TUTORIAL.draw(n, size, size, np.random.default_rng(0))
    # As documented: uniform within these limits.
    limits = {
        "angle": ("theta", -20, 20),
        "shift_x": ("tx", -0.2 * size, 0.2 * size),
        "shift_y": ("ty", -0.2 * size, 0.2 * size),
        "shear": ("shear", -0.15, 0.15),
        "zoom_x": ("zx", 0.85, 1.15),
        "zoom_y": ("zy", 0.85, 1.15),
    }
    for name, (old_name, low, high) in limits.items():
        drawn = getattr(new, name)
        deviation = (high - low) / 12**0.5
        assert abs(drawn.mean() - (low + high) / 2) < 4 * deviation / n**0.5, name
        assert drawn.std() == pytest.approx(deviation, rel=0.03), name
        assert kstest(drawn, "uniform", (low, high - low)).pvalue > 1e-3, name
        assert ks_2samp(drawn, [transform[old_name] for transform in old]).pvalue > 1e-3, name
    assert new.flip.mean() == pytest.approx(0.5, abs=0.03)
    assert np.mean([transform["flip_horizontal"] for transform in old]) == pytest.approx(0.5, abs=0.03)
    correlation = np.corrcoef([new.angle, new.shift_x, new.shift_y, new.shear, new.zoom_x, new.zoom_y, new.flip])
    assert np.abs(correlation - np.eye(7)).max() < 0.08, "parameters are drawn independently"


def test_each_shift_moves_along_its_axis(picture: NDArray[np.uint8]) -> None:
    right = warp(picture[None], _one(shift_x=-5.0))[0]
    assert np.array_equal(right[:, 5:], picture[:, :-5])
    down = warp(picture[None], _one(shift_y=-7.0))[0]
    assert np.array_equal(down[7:], picture[:-7])


def test_the_nearest_edge_pixel_is_repeated_outside() -> None:
    photo = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(1, 8, 8, 3)
    shifted = warp(photo, _one(shift_x=3.0, shift_y=-2.0))[0]
    expected = np.pad(photo[0], ((2, 0), (0, 3), (0, 0)), mode="edge")[:8, 3:]
    assert np.array_equal(shifted, expected)


def test_zoom_is_about_the_center_and_zooms_out_above_one(picture: NDArray[np.uint8]) -> None:
    inked = (warp(picture[None], _one(zoom_x=z, zoom_y=z))[0] > 127 for z in (0.5, 1.0, 2.0))
    large, whole, small = (mask.mean() for mask in inked)
    assert large > whole > small
    dot = np.zeros((1, 65, 65, 3), np.uint8)
    dot[0, 32, 32] = 200
    assert warp(dot, _one(zoom_x=1.15, zoom_y=0.85, angle=17.0, shear=5.0))[0, 32, 32, 0] == 200


def test_the_default_changes_nothing_and_the_input_is_not_modified(digits: Path) -> None:
    manifest = scan(digits, ["0", "1"])
    images = np.stack([decode(item.path, 28) for item in manifest.pictures[:16]])
    before = images.copy()
    assert np.array_equal(Augmentation()(images, np.random.default_rng(0)), images)
    warped = TUTORIAL(images, np.random.default_rng(0))
    assert np.array_equal(images, before)
    assert warped.shape == images.shape
    assert warped.dtype == np.uint8
    assert not np.array_equal(warped, images)
    assert np.array_equal(warped, TUTORIAL(images, np.random.default_rng(0)))


def test_a_single_image_is_rejected(picture: NDArray[np.uint8]) -> None:
    with pytest.raises(
        InputError, match=r"expected shape \(batch, height, width, channels\)\. Received: \(64, 64, 3\)"
    ):
        TUTORIAL(picture, np.random.default_rng(0))
