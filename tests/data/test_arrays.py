from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from stridednet.data.arrays import checked_classes, checked_images, rgb_of_size
from stridednet.data.decode import resize
from stridednet.errors import ArrayError

GRAY = np.arange(2 * 5 * 4, dtype=np.uint8).reshape(2, 5, 4)
RGB = np.random.default_rng(0).integers(0, 256, (3, 9, 7, 3), np.uint8)


def test_images_of_every_shape_get_channels_without_a_copy() -> None:
    assert checked_images(GRAY).shape == (2, 5, 4, 1)
    assert checked_images(GRAY[..., None]).shape == (2, 5, 4, 1)
    assert checked_images(RGB) is RGB
    assert np.shares_memory(checked_images(GRAY), GRAY)
    assert np.array_equal(checked_images(GRAY.astype(np.int64).tolist()), GRAY[..., None])


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (RGB / 255, "images are arrays of integers from 0 to 255; .* Received: an array of float64"),
        (RGB > 9, "Received: an array of bool"),
        ("images", "Received: an array of <U6"),
        (None, "Received: an array of object"),
        (csr_array(GRAY[0]), r"sparse arrays are not images; use X.toarray\(\)"),
        (GRAY.reshape(2, -1), r"reshape rows of pixels with X.reshape\(n, height, width\). Received: shape \(2, 20\)"),
        (np.zeros((1, 2, 2, 4), np.uint8), r"Received: shape \(1, 2, 2, 4\)"),
        (GRAY[:0], r"there are no images or no pixels. Received: shape \(0, 5, 4\)"),
        (GRAY[:, :0], "there are no images or no pixels"),
        (GRAY.astype(int) - 1, "the values of images are from 0 to 255. Received: values from -1 to 38"),
        (RGB.astype(np.uint16) + 1, "Received: values from 1 to 256"),
        ([GRAY[0], GRAY[1, 1:]], "the images have different sizes; resize them first"),
    ],
)
def test_other_arrays_are_refused(images: Any, message: str) -> None:
    with pytest.raises(ArrayError, match=f"^X: .*{message}") as raised:
        checked_images(images)
    assert isinstance(raised.value, ValueError)
    assert "\n" not in str(raised.value)


def test_images_are_resized_as_pictures_of_a_data_set_are() -> None:
    resized = rgb_of_size(RGB, 4, "squash")
    assert all(np.array_equal(found, resize(image, 4)) for found, image in zip(resized, RGB, strict=True))
    gray = rgb_of_size(GRAY[..., None], 3, "squash")
    assert gray.shape == (2, 3, 3, 3)
    assert np.array_equal(gray, rgb_of_size(GRAY[..., None].repeat(3, axis=3), 3, "squash"))
    assert np.array_equal(rgb_of_size(GRAY[:, :3, :3, None], 3, "squash")[..., 1], GRAY[:, :3, :3])  # not transposed


@pytest.mark.parametrize(
    "classes",
    [[0, 1, 0], np.array([True, False, True]), ["a", "b", "a"], np.array(["x", "y", "y"], object), [0.0, 2, 2]],
)
def test_classes_of_every_type(classes: Any) -> None:
    assert np.array_equal(checked_classes(classes, 3), np.asarray(classes))


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (None, "y: a Classifier requires y to be passed, but the target y is None"),
        ([0, 1], "y: one class per image is needed. Received: 2 for 3 images"),
        ([0.0, np.nan, 1], "y: every image needs a class. Received: nan for image 1"),
        ([np.inf, 1, 2], "y: every image needs a class. Received: inf for image 0"),
        (np.array(["a", "b", None], object), "y: every image needs a class. Received: None for image 2"),
        (np.array(["a", float("nan"), "b"], object), "y: every image needs a class. Received: nan for image 1"),
        (np.array([1, "a", 2], object), "y: classes are all strings or all numbers. Received: int and str"),
        ([7, 7, 7], "y: a Classifier needs more than one class. Received: only 7"),
        (["cat"] * 3, "y: a Classifier needs more than one class. Received: only 'cat'"),
        ([0.5, 0.25, 0.1], "Unknown label type: continuous"),
        ([[0, 1], [1, 0], [0, 1]], "y should be a 1d array"),
    ],
)
def test_other_classes_are_refused(classes: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}") as raised:
        checked_classes(classes, 3)
    assert "\n" not in str(raised.value)
