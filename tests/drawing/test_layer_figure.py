from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from PIL import Image

import stridednet  # noqa: F401  -- before keras, to choose its backend

import keras  # isort: skip

from stridednet.conv2d.arithmetic import Conv2DFacts, Conv2DLayer, chain
from stridednet.drawing.layer_example import LayerExample, named_example
from stridednet.drawing.layer_figure import check_target, draw_layer, layer_figure
from stridednet.errors import InputError, StorageError


def _facts(*arguments: object, shape: tuple[int, int, int] = (28, 28, 3)) -> Conv2DFacts:
    return chain(shape, [Conv2DLayer(1, *arguments)])[0]  # type: ignore[arg-type]


def _panels(example: LayerExample) -> dict[str, list[Axes]]:
    panels: dict[str, list[Axes]] = {}
    for axes in layer_figure(example).get_axes():
        title = axes.get_title() or axes.get_title(loc="left")
        panels.setdefault(title.split(":")[0], []).append(axes)
    return panels


@pytest.mark.parametrize(
    "facts",
    [_facts((7, 7), (2, 2)), _facts((3, 3), (2, 2), "same"), _facts((3, 5), (1, 1), "same", (2, 2))],
    ids=lambda facts: str(facts.layer),
)
def test_the_maps_that_are_drawn_are_keras_outputs(facts: Conv2DFacts) -> None:
    example = named_example(facts, None, None)
    panels = _panels(example)
    layer = facts.layer
    for number, one in enumerate(example.filters):
        theirs = keras.layers.Conv2D(
            1, layer.kernel_size, layer.strides, layer.padding, dilation_rate=layer.dilation_rate
        )
        theirs.build((None, *facts.input_shape))
        theirs.set_weights([one.kernel[..., None], np.zeros(1)])
        output = keras.ops.convert_to_numpy(theirs(example.values[None]))[0, :, :, 0]
        before, after = (panels[name][number].images[0] for name in ("before ReLU", "after ReLU"))
        np.testing.assert_allclose(before.get_array(), output, atol=1e-5)
        np.testing.assert_allclose(after.get_array(), keras.ops.convert_to_numpy(keras.ops.relu(output)), atol=1e-5)
        lowest, highest = before.get_clim()
        assert lowest == -highest < 0  # 0 is the color in the middle
        assert after.get_clim()[0] == 0
        assert f"{output.shape[0]}x{output.shape[1]}" in panels["before ReLU"][number].get_title()


def test_the_input_has_its_padding_around_it() -> None:
    example = named_example(_facts((3, 3), (2, 2), "same"), None, None)  # no padding above, one row below
    drawn = np.asarray(_panels(example)["input"][0].images[0].get_array())
    assert drawn.shape == (29, 29, 3)
    np.testing.assert_allclose(drawn[:28, :28], example.picture / 255)
    np.testing.assert_allclose(drawn[28], np.tile(to_rgb("#56B4E9"), (29, 1)))


def test_the_weights_of_a_kernel_are_written_into_it() -> None:
    panel = _panels(named_example(_facts((2, 2)), None, "sharpen"))["sharpen"][0]
    assert [text.get_text() for text in panel.texts] == ["1.75", "-0.25", "-0.25", "-0.25"]


def test_the_caption_explains_a_smaller_input() -> None:
    def caption(facts: Conv2DFacts) -> str:
        figure = layer_figure(named_example(facts, None, "blur"))
        return "".join(part.get_supxlabel() for part in figure.subfigs)

    text = caption(_facts((3, 3), (4, 4), shape=(99, 99, 3)))
    assert "Shown for 15x15 pixels" in text
    assert "for 99x99 pixels, the kernel continues in the same way, with 25x25 outputs." in text
    assert "Crossed out: pixels that no window reads." in text
    assert "A weight of 0 is white." in text
    assert "Hatched" not in text
    assert "Shown for" not in caption(_facts((3, 3), shape=(9, 9, 3)))


def test_small_kernels_on_rgb_are_drawn_in_color_around_gray() -> None:
    example = named_example(_facts((3, 3)), None, "edge")
    many = replace(example, filters=example.filters * 4)
    figure = layer_figure(many)
    assert "A weight of 0 is gray." in "".join(part.get_supxlabel() for part in figure.subfigs)
    kernel = np.asarray(_panels(many)["edge"][0].images[0].get_array())
    np.testing.assert_allclose(kernel[:, 1], 0.5)  # the middle column of the edge kernel is 0


def test_a_map_of_zeros_is_drawn(tmp_path: Path) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "black.png")
    draw_layer(named_example(_facts((3, 3)), tmp_path / "black.png", None), tmp_path / "show.png")
    draw_layer(named_example(_facts((3, 3)), tmp_path / "black.png", None), tmp_path / "show.gif")
    with Image.open(tmp_path / "show.png") as figure:
        assert figure.width == 1300
    with Image.open(tmp_path / "show.gif") as animation:
        assert animation.n_frames == 49


def test_file_names_with_special_characters_are_drawn(tmp_path: Path) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "$a^$图.png")
    for name in ("show.png", "show.gif"):
        draw_layer(named_example(_facts((3, 3)), tmp_path / "$a^$图.png", None), tmp_path / name)
        assert (tmp_path / name).is_file()


def test_the_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "show.gif").write_text("before")

    def fail(_: object, path: Path) -> None:
        path.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("stridednet.drawing.layer_figure.write_animation", fail)
    with pytest.raises(StorageError, match=r"cannot write .*show.gif: No space left on device"):
        draw_layer(named_example(_facts((3, 3)), None, None), tmp_path / "show.gif")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"show.gif": "before"}


def test_a_kernel_that_needs_too_many_cells_is_rejected(tmp_path: Path) -> None:
    example = named_example(_facts((3, 3), (70, 70), shape=(200, 200, 3)), None, None)
    with pytest.raises(InputError, match="need 130x130 cells, but at most 48x48 can be drawn"):
        draw_layer(example, tmp_path / "show.png")


def test_an_output_file_that_cannot_be_written_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^output file .*show.jpg: the name must end in .png or .gif"):
        check_target(tmp_path / "show.jpg", None)
    with pytest.raises(InputError, match=r"there is no folder .*none; create it first"):
        check_target(tmp_path / "none" / "show.png", None)
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(InputError, match="is a folder; choose another name"):
        check_target(tmp_path / "folder.png", None)
    (tmp_path / "photo.png").touch()
    (tmp_path / "link.png").symlink_to("photo.png")
    with pytest.raises(InputError, match="would overwrite the image; choose another name"):
        check_target(tmp_path / "link.png", tmp_path / "photo.png")
    check_target(tmp_path / "show.PNG", tmp_path / "photo.png")
