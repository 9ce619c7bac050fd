"""Random crops: their distribution against torchvision's algorithm, their pixels against slices and block means."""

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import ks_2samp, kstest

from stridednet.data.augment import Augmentation, Warps, warp
from stridednet.data.batches import BatchStream
from stridednet.data.crops import Crops, draw_crops

Pair = tuple[float, float]
N = 4000


def _of_torchvision(side: int, scale: Pair, ratio: Pair, rng: np.random.Generator) -> tuple[float, float, float, float]:
    """``torchvision.transforms.RandomResizedCrop.get_params`` (version 0.20): left, top, width and height."""
    log_ratio = math.log(ratio[0]), math.log(ratio[1])
    for _ in range(10):
        target_area = side * side * rng.uniform(*scale)
        aspect_ratio = math.exp(rng.uniform(*log_ratio))
        w = round(math.sqrt(target_area * aspect_ratio))
        h = round(math.sqrt(target_area / aspect_ratio))
        if 0 < w <= side and 0 < h <= side:
            return rng.integers(0, side - w + 1), rng.integers(0, side - h + 1), w, h
    if ratio[0] > 1:
        w, h = side, round(side / ratio[0])
    elif ratio[1] < 1:
        w, h = round(side * ratio[1]), side
    else:
        w = h = side
    return (side - w) // 2, (side - h) // 2, w, h


@pytest.mark.parametrize(
    ("scale", "ratio"),
    [((0.08, 1.0), (3 / 4, 4 / 3)), ((0.6, 1.0), (0.5, 2.0)), ((0.9, 1.0), (1.5, 2.0)), ((0.5, 0.9), (0.2, 0.6))],
)
def test_the_distribution_is_that_of_torchvision(scale: Pair, ratio: Pair) -> None:
    side = 1000  # so that its rounding to pixels does not matter
    rng = np.random.default_rng(0)
    theirs = np.array([_of_torchvision(side, scale, ratio, rng) for _ in range(N)]).T / side
    crops = draw_crops(N, scale, ratio, np.random.default_rng(1))
    ours = np.stack([crops.left, crops.top, crops.width, crops.height])
    assert (ours >= 0).all()
    assert (ours[0] + ours[2]).max() <= 1 + 1e-12
    assert (ours[1] + ours[3]).max() <= 1 + 1e-12

    def described(boxes: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        left, top, width, height = boxes
        ratios = width / height
        return {
            "left": left, "top": top, "area": width * height, "ratio": ratios, "width": width, "height": height,
        }  # fmt: skip

    for name, found in described(ours).items():
        expected = np.round(described(theirs)[name], 2)  # values that many crops have, such as 0, are ties
        assert ks_2samp(np.round(found, 2), expected).pvalue > 1e-3, name


def test_area_and_ratio_are_uniform_where_every_crop_fits() -> None:
    crops = draw_crops(N, (0.1, 0.5), (0.75, 4 / 3), np.random.default_rng(2))
    assert kstest(crops.width * crops.height, "uniform", (0.1, 0.4)).pvalue > 1e-3
    logarithm = np.log(crops.width / crops.height)
    low, high = math.log(0.75), math.log(4 / 3)
    assert kstest(logarithm, "uniform", (low, high - low)).pvalue > 1e-3
    for place, part in ((crops.left, crops.width), (crops.top, crops.height)):
        assert kstest(place / (1 - part), "uniform").pvalue > 1e-3
    drawn = [crops.width * crops.height, logarithm, crops.left / (1 - crops.width), crops.top / (1 - crops.height)]
    assert np.abs(np.corrcoef(drawn) - np.eye(4)).max() < 0.08, "parameters are drawn independently"


def test_a_ratio_that_never_fits_gives_the_largest_part_in_the_center() -> None:
    crops = draw_crops(3, (1.0, 1.0), (2.0, 3.0), np.random.default_rng(0))
    assert crops.width.tolist() == [1, 1, 1]
    assert crops.height == pytest.approx(0.5)
    assert crops.left.tolist() == [0, 0, 0]
    assert crops.top == pytest.approx(0.25)


def _still(crops: Crops) -> Warps:
    none, one = np.zeros(1), np.ones(1)
    return Warps(none, none, none, none, one, one, np.zeros(1, bool), crops)


def _crop(left: float, top: float, width: float, height: float) -> Crops:
    return Crops(*(np.array([value]) for value in (left, top, width, height)))


@pytest.fixture(scope="module")
def picture() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 64, (1, 16, 16, 3), np.uint8) * 4


def test_a_crop_at_the_pixels_of_the_picture_is_a_slice(picture: NDArray[np.uint8]) -> None:
    found = warp(picture, _still(_crop(4 / 16, 6 / 16, 0.5, 0.5)), (8, 8))[0]
    assert np.array_equal(found, picture[0, 6:14, 4:12])


def test_a_crop_that_is_halved_is_the_mean_of_blocks(picture: NDArray[np.uint8]) -> None:
    found = warp(picture, _still(Crops.whole(1)), (8, 8))[0]
    assert np.array_equal(found, picture[0].reshape(8, 2, 8, 2, 3).mean(axis=(1, 3)).astype(np.uint8))
    wide = warp(picture, _still(_crop(0, 2 / 16, 1, 0.5)), (8, 8))[0]  # halved horizontally, not vertically
    assert np.array_equal(wide, picture[0, 2:10].reshape(8, 8, 2, 3).mean(axis=2).round().astype(np.uint8))


def test_the_crop_is_flipped_turned_and_moved(picture: NDArray[np.uint8]) -> None:
    still = _still(_crop(4 / 16, 4 / 16, 0.5, 0.5))
    part = picture[0, 4:12, 4:12]
    assert np.array_equal(warp(picture, replace(still, flip=np.array([True])), (8, 8))[0], part[:, ::-1])
    turned = warp(picture, replace(still, angle=np.array([90.0])), (8, 8))[0]
    assert any(np.array_equal(turned, np.rot90(part, times)) for times in (1, 3))
    moved = warp(picture, replace(still, shift_x=np.array([3.0])), (8, 8))[0]
    assert np.array_equal(moved, picture[0, 4:12, 7:15])  # what comes in is the picture, not a repeated edge
    beyond = warp(picture, replace(still, shift_x=np.array([6.0])), (8, 8))[0]
    assert np.array_equal(beyond[:, :6], picture[0, 4:12, 10:])
    assert (beyond[:, 6:] == picture[0, 4:12, 15:]).all()


def test_without_crops_nothing_else_is_drawn() -> None:
    """The numbers, and those that follow, are the ones that were drawn before there were crops."""
    augment = Augmentation(20, 0.2, 0.1, 0.15, 0.15, horizontal_flip=True)
    rng, before = np.random.default_rng(3), np.random.default_rng(3)
    found = augment.draw(5, 96, 96, rng)
    for name, limit, center in (
        ("angle", 20, 0), ("shift_x", 0.2 * 96, 0), ("shift_y", 0.1 * 96, 0), ("shear", 0.15, 0),
        ("zoom_x", 0.15, 1), ("zoom_y", 0.15, 1),
    ):  # fmt: skip
        assert np.array_equal(getattr(found, name), center + before.uniform(-limit, limit, 5))
    assert np.array_equal(found.flip, before.random(5) < 0.5)
    assert found.crops is None
    assert rng.random() == before.random()
    cropped = replace(augment, scale=(0.3, 1.0)).draw(5, 96, 96, np.random.default_rng(3))
    assert all(np.array_equal(getattr(cropped, name), getattr(found, name)) for name in ("angle", "zoom_y", "flip"))


def test_batches_have_the_size_of_the_images() -> None:
    images = np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3), np.uint8)
    targets = np.eye(12, dtype=np.float32)
    augment = Augmentation(scale=(0.25, 0.25))
    stream = BatchStream(images, np.arange(12), targets, 4, augment, 7, image_size=16)
    batches, again = list(stream.epoch(2)), list(stream.epoch(2))
    assert [batch.images.shape for batch in batches] == [(4, 16, 16, 3)] * 3
    for batch, same in zip(batches, again, strict=True):
        assert np.array_equal(batch.images, same.images)
    # Each image is a part of its picture, at the picture's own pixels: between four of them.
    for batch in batches:
        for image, target in zip(batch.images, batch.targets, strict=True):
            source = images[target.argmax()].astype(float)
            best = min(
                np.abs(image[4:12, 4:12] - source[row : row + 8, column : column + 8]).mean()
                for row in range(24)
                for column in range(24)
            )
            assert best < 50  # pixels of another picture differ by 85 in the mean
