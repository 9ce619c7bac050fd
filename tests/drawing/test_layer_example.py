from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stridednet.conv2d.arithmetic import Conv2DFacts, Conv2DLayer, Shape, chain
from stridednet.drawing.kernel_path import small_grid
from stridednet.drawing.layer_example import drawable, load_picture, named_example
from stridednet.errors import DataError, InputError


def _facts(shape: Shape, *arguments: object) -> Conv2DFacts:
    return chain(shape, [Conv2DLayer(1, *arguments)])[0]  # type: ignore[arg-type]


@pytest.fixture
def halves(tmp_path: Path) -> Path:
    """A picture of 40x60 pixels, red on the left and white on the right."""
    pixels = np.full((40, 60, 3), 255, np.uint8)
    pixels[:, :30, 1:] = 0
    Image.fromarray(pixels).save(tmp_path / "halves.png")
    return tmp_path / "halves.png"


def test_the_picture_takes_the_layers_shape(halves: Path) -> None:
    example = named_example(_facts((20, 12, 3), (3, 3)), halves, None)
    assert example.picture.shape == example.values.shape == (20, 12, 3)
    assert example.values[:, :6].tolist() == [[[1, 0, 0]] * 6] * 20
    assert example.values[:, 6:].min() == 1
    assert example.origin == "halves.png"


def test_one_channel_is_the_luminance(halves: Path) -> None:
    example = named_example(_facts((20, 12, 1), (3, 3)), halves, None)
    assert example.values.shape == (20, 12, 1)
    assert example.values[0, 0, 0] == pytest.approx(0.299)
    assert example.values[0, 11, 0] == pytest.approx(1)


def test_edge_finds_the_edge(halves: Path) -> None:
    example = named_example(_facts((20, 12, 3), (3, 3)), halves, "edge")
    assert [one.name for one in example.filters] == ["edge"]
    row = example.maps[5, :, 0]
    assert row.nonzero()[0].tolist() == [4, 5]  # the windows that contain columns 5 and 6
    assert row[4] == pytest.approx(1 - 0.299)


def test_without_a_name_all_kernels_are_shown(halves: Path) -> None:
    assert [one.name for one in named_example(_facts((9, 9, 3), (3, 3)), halves, None).filters] == [
        "edge",
        "blur",
        "sharpen",
    ]


def test_a_1x1_kernel_shows_the_picture(halves: Path) -> None:
    example = named_example(_facts((9, 9, 1), (1, 1)), halves, None)
    assert [one.name for one in example.filters] == ["identity"]
    np.testing.assert_array_equal(example.maps, example.values)


def test_on_a_smaller_grid_the_same_picture_is_averaged(halves: Path) -> None:
    example = named_example(_facts((60, 60, 3), (3, 3)), halves, "blur")
    small = example.on(small_grid(example.facts))
    assert small.picture.shape == (9, 9, 3)
    assert small.maps.shape == (7, 7, 1)
    np.testing.assert_allclose(small.values.mean(axis=(0, 1)), example.values.mean(axis=(0, 1)), atol=1e-3)


def test_the_built_in_digit_is_bright_on_black() -> None:
    picture = load_picture(None, (56, 56, 1))
    assert picture.shape == (56, 56, 3)
    assert picture[0].max() == 0
    assert picture.max() > 200


def test_what_cannot_be_drawn_is_rejected(halves: Path) -> None:
    with pytest.raises(InputError, match=r"1 or 3 input channels can be drawn. Received: 8 channels"):
        named_example(_facts((9, 9, 8), (3, 3)), halves, None)
    with pytest.raises(InputError, match=r"groups=1 can be drawn\. Received: groups=3"):
        named_example(chain((9, 9, 3), [Conv2DLayer(3, (3, 3), groups=3)])[0], halves, None)
    with pytest.raises(InputError, match=r"up to 1024x1024 pixels can be drawn\. Received: 2000x9"):
        named_example(_facts((2000, 9, 3), (3, 3)), halves, None)
    with pytest.raises(DataError, match=r"^image .*none.png: cannot be read: No such file"):
        named_example(_facts((9, 9, 3), (3, 3)), halves.with_name("none.png"), None)


def test_names_are_shortened_and_printable() -> None:
    assert drawable("Käse $1$.png") == "Käse $1$.png"
    assert drawable("图\n.png") == "??.png"
    assert drawable("a" * 41) == "a" * 37 + "..."
