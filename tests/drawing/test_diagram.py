import itertools
from pathlib import Path
from xml.etree import ElementTree as ET

import keras
import numpy as np
import pytest
from drawn_networks import NAMES, all_networks, chain, laid_out
from keras import layers
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from PIL import Image

from stridednet.conv2d.network import Network
from stridednet.drawing.diagram import diagram, draw_diagram
from stridednet.drawing.diagram_boxes import Kind, boxes_of
from stridednet.drawing.diagram_geometry import Point, measure
from stridednet.errors import InputError, StorageError
from stridednet.models.description import describe


@pytest.fixture(scope="module")
def networks() -> dict[str, Network]:
    return all_networks()


@pytest.mark.parametrize("name", [*NAMES, "chain"])
def test_all_texts_are_legible_and_do_not_overlap(networks: dict[str, Network], name: str) -> None:
    network = networks.get(name) or chain(40)
    figure = diagram(network)
    texts = _texts(figure)
    shown = [text.get_text() for text in texts]
    boxes = boxes_of(network)
    assert network.name in shown
    for box in boxes.boxes:
        assert box.headline in shown
        assert not box.details or ", ".join(box.details) in shown
    for kind in Kind:
        assert (str(kind) in shown) == any(box.kind is kind for box in boxes.boxes)
    assert min(text.get_fontsize() for text in texts) >= 8
    sheet = Bbox([[0, 0], figure.get_size_inches()]).padded(-0.1)
    for text, extent in texts.items():
        assert _holds(sheet, extent), text
    for one, other in itertools.combinations(texts, 2):
        assert not texts[one].overlaps(texts[other]), (one, other)


@pytest.mark.parametrize("name", [*NAMES, "chain"])
def test_boxes_arrows_and_texts_do_not_overlap(networks: dict[str, Network], name: str) -> None:
    network = networks.get(name) or chain(40)
    figure = diagram(network)
    extents = list(_texts(figure).values())
    width, height = figure.get_size_inches()
    boxes, layout = laid_out(network)
    drawn = [patch.get_bbox() for patch in figure.axes[0].patches if isinstance(patch, FancyBboxPatch)]
    geometry = measure(boxes, layout, min(outline.y0 for outline in drawn), width)
    outlines = [
        Bbox([[box.left, height - box.bottom], [box.left + box.width, height - box.top]]) for box in geometry.rectangles
    ]
    for one, other in itertools.combinations(outlines, 2):
        assert not one.overlaps(other)
    for outline, extent in itertools.product(outlines, extents):
        assert _holds(outline, extent) or not outline.overlaps(extent)
    lines = [*geometry.arrows, *geometry.turns]
    assert len(lines) == len(boxes.edges) + layout.columns - 1
    for start, end in itertools.chain.from_iterable(itertools.pairwise(points) for points in lines):
        stroke = _stroke(start, end, height)
        assert not any(stroke.overlaps(outline.padded(-0.02)) for outline in outlines)  # it may touch the edge
        assert not any(stroke.overlaps(extent) for extent in extents)


def test_splitting_and_merging_arrows_do_not_share_a_line() -> None:
    # Below the convolution one arrow arrives from the left and another leaves to the right.
    image = layers.Input((8, 8, 3))
    x = layers.Conv2D(3, 1)(image)
    merged = layers.Concatenate()([layers.Add()([x, image]), layers.Conv2D(4, 1)(x)])
    boxes, layout = laid_out(describe(keras.Model(image, merged)))
    arrows = dict(zip(boxes.edges, measure(boxes, layout, 1.0, 5.0).arrows, strict=True))
    split, add, conv = 1, *(next(n for n, box in enumerate(boxes.boxes) if box.headline.startswith(word))
                            for word in ("Add", "Conv2D 4"))  # fmt: skip
    into_add, out_to_conv = arrows[0, add][-2][1], arrows[split, conv][-2][1]
    assert out_to_conv < into_add < arrows[0, add][-1][1]


def _texts(figure: Figure) -> dict[Text, Bbox]:
    """Return the extents of all texts, in inches from the lower left corner."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    (axes,) = figure.axes
    return {text: Bbox(text.get_window_extent(renderer).get_points() / figure.dpi) for text in axes.texts}


def _holds(outer: Bbox, inner: Bbox) -> bool:
    return bool((outer.min <= inner.min).all() and (inner.max <= outer.max).all())


def _stroke(start: Point, end: Point, height: float) -> Bbox:
    """Return the extent of a straight segment of an arrow, including its line width."""
    (left, top), (right, bottom) = np.minimum(start, end), np.maximum(start, end)
    assert left == right or top == bottom
    return Bbox([[left, height - bottom], [right, height - top]]).padded(0.01)


def test_it_writes_a_png(networks: dict[str, Network], tmp_path: Path) -> None:
    draw_diagram(networks["fire"], tmp_path / "fire.PNG")
    with Image.open(tmp_path / "fire.PNG") as image:
        assert image.format == "PNG"
        pixels = np.asarray(image.convert("RGB"))
    width, height = diagram(networks["fire"]).get_size_inches()
    assert pixels.shape[:2] == (int(height * 150), int(width * 150))
    # Input, convolution, strided convolution, pooling, dense and merge; each has boxes and a legend entry.
    colors = {color: (pixels == color).all(axis=2).sum() for color in _colors("fire", networks)}
    assert len(colors) == 6
    assert min(colors.values()) > 10_000
    assert [path.name for path in tmp_path.iterdir()] == ["fire.PNG"]


def _colors(name: str, networks: dict[str, Network]) -> set[tuple[int, ...]]:
    boxes = [patch for patch in diagram(networks[name]).axes[0].patches if isinstance(patch, FancyBboxPatch)]
    return {tuple(round(255 * part) for part in patch.get_facecolor()[:3]) for patch in boxes}


def test_it_writes_an_svg(networks: dict[str, Network], tmp_path: Path) -> None:
    draw_diagram(networks["users"], tmp_path / "users.svg")
    # Matplotlib writes the texts of an SVG as comments next to their outlines.
    parser = ET.XMLParser(target=ET.TreeBuilder(insert_comments=True))  # noqa: S314  -- our own file
    root = ET.parse(tmp_path / "users.svg", parser).getroot()  # noqa: S314
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    said = [element.text.strip() for element in root.iter() if element.tag is ET.Comment and element.text]
    for text in (
        "my $_x$", "Conv2D 8, 5x5, strides 2, same", "LeakyReLU, spatial dropout 0.1", "16x16x8", "608 params",
        "Conv2D 8, 3x3, valid", "strided convolution",
    ):  # fmt: skip
        assert text in said


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_the_same_network_gives_the_same_file(networks: dict[str, Network], tmp_path: Path, suffix: str) -> None:
    for name in ("a", "b"):
        draw_diagram(networks["users"], tmp_path / f"{name}{suffix}")
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


def test_other_formats_and_folders_are_rejected(networks: dict[str, Network], tmp_path: Path) -> None:
    for name in ("diagram.pdf", "diagram"):
        with pytest.raises(InputError, match=r"^output file .*diagram(\.pdf)?: the name must end in \.png or \.svg$"):
            draw_diagram(networks["vgg"], tmp_path / name)
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(InputError, match="is a folder; choose another name"):
        draw_diagram(networks["vgg"], tmp_path / "folder.png")
    assert [path.name for path in tmp_path.iterdir()] == ["folder.png"]


def test_a_failed_write_leaves_the_previous_file(
    networks: dict[str, Network], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "vgg.png"
    target.write_text("old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StorageError, match=r"cannot write .*vgg\.png: No space left"):
        draw_diagram(networks["vgg"], target)
    assert [path.name for path in tmp_path.iterdir()] == ["vgg.png"]
    assert target.read_text() == "old"
