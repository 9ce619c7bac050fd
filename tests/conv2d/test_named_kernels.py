import numpy as np
import pytest

from stridednet.conv2d.named_kernels import KERNELS, named_kernel, over_channels
from stridednet.errors import InputError

SIZES = ((1, 2), (2, 1), (2, 2), (3, 3), (3, 5), (4, 4), (7, 7))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_uniform_area_is_kept_or_becomes_zero(size: tuple[int, int]) -> None:
    for name, total in (("edge", 0), ("blur", 1), ("sharpen", 1)):
        kernel = named_kernel(name, size)
        assert kernel.shape == size
        assert kernel.sum() == pytest.approx(total, abs=1e-6), name


@pytest.mark.parametrize("size", [size for size in SIZES if size[1] > 1], ids=str)
def test_the_response_of_edge_is_1_from_black_to_white(size: tuple[int, int]) -> None:
    step = np.zeros(size)
    step[:, -(size[1] // 2) :] = 1
    kernel = named_kernel("edge", size)
    assert (kernel * step).sum() == pytest.approx(1)
    assert (kernel * step[:, ::-1]).sum() == pytest.approx(-1)
    assert (kernel * np.linspace(0, 1, size[0])[:, None]).sum() == pytest.approx(0, abs=1e-6)  # a horizontal edge


def test_edge_of_one_column_detects_horizontal_edges() -> None:
    assert named_kernel("edge", (3, 1)).tolist() == [[-1], [0], [1]]


def test_small_kernels_by_hand() -> None:
    assert named_kernel("edge", (2, 2)).tolist() == [[-0.5, 0.5], [-0.5, 0.5]]
    assert named_kernel("blur", (2, 2)).tolist() == [[0.25, 0.25], [0.25, 0.25]]
    assert named_kernel("sharpen", (2, 2)).tolist() == [[1.75, -0.25], [-0.25, -0.25]]


def test_sharpen_and_blur_add_up_to_twice_the_pixel() -> None:
    both = named_kernel("sharpen", (5, 3)) + named_kernel("blur", (5, 3))
    assert both[2, 1] == pytest.approx(2)
    assert np.abs(both).sum() == pytest.approx(2)


def test_over_channels_weights_by_luminance() -> None:
    kernel = over_channels(named_kernel("blur", (3, 3)), 3)
    assert kernel.shape == (3, 3, 3)
    np.testing.assert_allclose(kernel.sum(axis=(0, 1)), (0.299, 0.587, 0.114), atol=1e-6)
    assert over_channels(named_kernel("blur", (3, 3)), 1).sum() == pytest.approx(1)


def test_invalid_kernels_raise() -> None:
    for name in KERNELS:
        with pytest.raises(InputError, match=r"a 1x1 kernel reads a single pixel .*use a larger kernel_size"):
            named_kernel(name, (1, 1))
    with pytest.raises(InputError, match=r"the kernel's name must be edge, blur or sharpen. Received: 'emboss'"):
        named_kernel("emboss", (3, 3))
