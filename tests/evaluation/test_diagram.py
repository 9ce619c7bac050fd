import itertools
from pathlib import Path
from xml.etree import ElementTree as ET

import keras
import numpy as np
import pytest
from keras import layers
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from PIL import Image

from stridednet.conv2d.network import LayerRecord, Network
from stridednet.errors import InputError, StorageError
from stridednet.evaluation.diagram import diagram, draw_diagram
from stridednet.evaluation.diagram_boxes import Box, Boxes, Kind, boxes_of
from stridednet.evaluation.diagram_geometry import Point, measure
from stridednet.evaluation.diagram_layout import Layout, lay_out
from stridednet.models.catalogue import MODELS, build_model
from stridednet.models.description import describe
from stridednet.models.inception import inception_module
from stridednet.models.residual import bottleneck
from stridednet.models.strided import StridedNet
from stridednet.recipe import Recipe

NAMES = [*MODELS, "unet", "users"]


@pytest.fixture(scope="module")
def networks() -> dict[str, Network]:
    settings = {name: Recipe().replace({"model.name": name}).model for name in MODELS}
    catalogue = {name: describe(build_model(chosen, 96, 4)) for name, chosen in settings.items()}
    return catalogue | {"unet": _unet(), "users": _users()}


def _unet() -> Network:
    image = x = layers.Input((32, 32, 3))
    skips = []
    for filters in (4, 8, 16):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        side = layers.Conv2D(filters, 1, padding="same")(x)
        x = layers.Add()([layers.Conv2D(filters, 3, padding="same")(x), side])
        skips.append(x)
        x = layers.MaxPooling2D()(x)
    for filters, skip in zip((16, 8, 4), reversed(skips), strict=True):
        x = layers.Concatenate()([layers.UpSampling2D()(x), skip])
        x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
    return describe(keras.Model(image, x, name="unet"))


def _users() -> Network:
    """A model inside a model, layers that the catalogue lacks, two outputs, and a name that looks like mathematics."""
    inner = keras.Sequential([layers.Input((16, 16, 8)), layers.Conv2D(8, 3), layers.ReLU()], name="inner")
    image = layers.Input((32, 32, 3))
    x = layers.Conv2D(8, 5, strides=2, padding="same")(image)
    x = inner(layers.SpatialDropout2D(0.1)(layers.LeakyReLU()(x)))
    x = layers.Concatenate()([x, layers.DepthwiseConv2D(3, padding="same")(x)])
    x = layers.GlobalAveragePooling2D()(layers.BatchNormalization()(x))
    return describe(keras.Model(image, [layers.Dense(9, activation="softmax")(x), layers.Dense(1)(x)], name="my $_x$"))


def _laid_out(network: Network) -> tuple[Boxes, Layout]:
    boxes = boxes_of(network)
    return boxes, lay_out(boxes)


def _number(boxes: Boxes, layer: str) -> int:
    (number,) = (number for number, box in enumerate(boxes.boxes) if layer in box.layers)
    return number


def _summary(box: Box) -> tuple[Kind, str, str]:
    return box.kind, box.headline, ", ".join(box.details)


def test_the_boxes_of_stridednet() -> None:
    boxes, layout = _laid_out(describe(StridedNet.build(96, 96, 3, 4, None)))
    plain, strided = Kind.CONVOLUTION, Kind.STRIDED
    assert [_summary(box) for box in boxes.boxes] == [
        (Kind.INPUT, "Input", ""),
        (strided, "Conv2D 16, 7x7, strides 2, valid", ""),
        (plain, "Conv2D 32, 3x3, same", "ReLU, batch norm"),
        (strided, "Conv2D 32, 3x3, strides 2, same", "ReLU, batch norm, dropout 0.25"),
        (plain, "Conv2D 64, 3x3, same", "ReLU, batch norm"),
        (strided, "Conv2D 64, 3x3, strides 2, same", "ReLU, batch norm, dropout 0.25"),
        (plain, "Conv2D 128, 3x3, same", "ReLU, batch norm"),
        (strided, "Conv2D 128, 3x3, strides 2, same", "ReLU, batch norm, dropout 0.25"),
        (Kind.OTHER, "Flatten", ""),
        (Kind.DENSE, "Dense 512", "ReLU, batch norm, dropout 0.5"),
        (Kind.DENSE, "Dense 4", "softmax"),
    ]
    assert [box.output_shape for box in boxes.boxes[:4]] == [(96, 96, 3), (45, 45, 16), (45, 45, 32), (23, 23, 32)]
    assert boxes.boxes[3].parameters == 9248 + 4 * 32  # the convolution's and the batch normalisation's
    assert boxes.edges == tuple((number, number + 1) for number in range(10))
    assert [(place.column, place.row, place.lane, place.lanes) for place in layout.places] == [
        (0, row, 0, 1) for row in range(11)
    ]


def test_the_boxes_of_a_users_model(networks: dict[str, Network]) -> None:
    assert [_summary(box) for box in boxes_of(networks["users"]).boxes[:6]] == [
        (Kind.INPUT, "Input", ""),
        (Kind.STRIDED, "Conv2D 8, 5x5, strides 2, same", "LeakyReLU, spatial dropout 0.1"),
        (Kind.OTHER, "Sequential inner", ""),
        (Kind.CONVOLUTION, "DepthwiseConv2D 8", ""),
        (Kind.MERGE, "Concatenate", "batch norm"),
        (Kind.POOLING, "GlobalAveragePooling2D", ""),
    ]


def test_what_several_layers_read_ends_a_box() -> None:
    # Normalisation in front of the convolutions, and the way past them begins before it.
    image = layers.Input((8, 8, 3))
    x = layers.Conv2D(4, (1, 3), strides=(1, 2), activation="gelu")(image)
    y = layers.ReLU()(layers.BatchNormalization()(x))
    y = layers.Conv2D(4, 3, padding="same", dilation_rate=2, groups=2)(y)
    boxes = boxes_of(describe(keras.Model(image, layers.Add()([x, y]))))
    assert [_summary(box) for box in boxes.boxes] == [
        (Kind.INPUT, "Input", ""),
        (Kind.STRIDED, "Conv2D 4, 1x3, strides 1x2, valid", "GELU"),
        (Kind.OTHER, "BatchNormalization", "ReLU"),
        (Kind.CONVOLUTION, "Conv2D 4, 3x3, same, dilation 2, groups 2", ""),
        (Kind.MERGE, "Add", ""),
    ]
    assert set(boxes.edges) == {(0, 1), (1, 2), (2, 3), (1, 4), (3, 4)}


def test_a_merge_with_the_image_itself() -> None:
    image = layers.Input((8, 8, 3))
    merged = layers.Concatenate()([image, layers.Conv2D(4, 3, padding="same")(image)])
    boxes, layout = _laid_out(describe(keras.Model(image, merged)))
    assert set(boxes.edges) == {(0, 1), (1, 2), (0, 2)}
    assert [place.lane for place in layout.ways[0, 2]] == [-1]


def test_what_others_read_besides_the_image_is_no_part_of_the_input() -> None:
    image = layers.Input((8, 8, 3))
    boxes = boxes_of(describe(keras.Model(image, layers.Concatenate()([image, layers.Rescaling(0.1)(image)]))))
    assert [box.headline for box in boxes.boxes] == ["Input", "Rescaling", "Concatenate"]
    assert set(boxes.edges) == {(0, 1), (1, 2), (0, 2)}
    boxes = boxes_of(describe(keras.Model(image, layers.Conv2D(4, 3)(layers.Rescaling(0.1)(image)))))
    assert [_summary(box)[1:] for box in boxes.boxes] == [("Input", "rescaling"), ("Conv2D 4, 3x3, valid", "")]


def test_branches_of_a_branch_stand_beside_each_other() -> None:
    image = layers.Input((8, 8, 3))
    x = layers.Conv2D(9, 1)(image)
    inner = layers.Concatenate()([layers.Conv2D(filters, 1)(x) for filters in (2, 3)])
    other = layers.Conv2D(4, 1)(image)
    outer = layers.Concatenate()([inner, layers.Conv2D(5, 1)(layers.Conv2D(6, 1)(other))])
    boxes, layout = _laid_out(describe(keras.Model(image, outer)))
    where = {box.headline: place for box, place in zip(boxes.boxes, layout.places, strict=True) if box.kind != "merge"}
    assert {filters: (where[f"Conv2D {filters}, 1x1, valid"].row, where[f"Conv2D {filters}, 1x1, valid"].lane)
            for filters in (9, 2, 3, 4, 6, 5)} == {
        9: (1, 0), 2: (2, 0), 3: (2, 1), 4: (1, 2), 6: (2, 2), 5: (3, 2),
    }  # fmt: skip


def test_the_ways_past_a_residual_block() -> None:
    image = layers.Input((8, 8, 3))
    x = bottleneck(image, 4, strides=2, name="changed")
    boxes, layout = _laid_out(describe(keras.Model(image, bottleneck(x, 4, name="kept"))))
    # The first block's shortcut is a convolution: a lane of its own, and an arrow from there past two rows.
    shortcut, add = _number(boxes, "changed_shortcut"), _number(boxes, "changed_add")
    main = [layout.places[_number(boxes, f"changed_{part}")] for part in ("reduce", "conv", "expand")]
    assert [(place.row, place.lane, place.lanes) for place in main] == [(1, 0, 2), (2, 0, 2), (3, 0, 2)]
    assert (layout.places[shortcut].row, layout.places[shortcut].lane) == (1, 1)
    assert [(place.row, place.lane) for place in layout.ways[shortcut, add]] == [(2, 1), (3, 1)]
    assert boxes.boxes[shortcut].kind is Kind.STRIDED
    # The second block's is an arrow past three boxes that stand alone.
    end = _number(boxes, "kept_add")
    assert (layout.places[add].row, layout.places[end].row) == (4, 8)
    assert [(place.row, place.lane, place.lanes) for place in layout.ways[add, end]] == [
        (5, -1, 1), (6, -1, 1), (7, -1, 1)
    ]  # fmt: skip


def test_the_four_lanes_of_an_inception_module() -> None:
    image = layers.Input((8, 8, 3))
    boxes, layout = _laid_out(describe(keras.Model(image, inception_module(image, name="m"))))
    lanes: dict[int, list[str]] = {}
    for box, place in zip(boxes.boxes, layout.places, strict=True):
        if place.lanes == 4:
            lanes.setdefault(place.lane, []).append(box.headline)
    assert lanes == {
        0: ["Conv2D 64, 1x1, same"],
        1: ["Conv2D 96, 1x1, same", "Conv2D 128, 3x3, same"],
        2: ["Conv2D 16, 1x1, same", "Conv2D 32, 5x5, same"],
        3: ["MaxPooling2D 3x3", "Conv2D 32, 1x1, same"],
    }
    concatenated = layout.places[_number(boxes, "m_concat")]
    assert (concatenated.row, concatenated.lanes) == (3, 1)


@pytest.mark.parametrize("name", NAMES)
def test_each_layer_is_in_one_box_and_each_edge_is_drawn(networks: dict[str, Network], name: str) -> None:
    network = networks[name]
    boxes = boxes_of(network)
    assert sorted(layer for box in boxes.boxes for layer in box.layers) == sorted(network.by_name)
    assert sum(box.parameters for box in boxes.boxes) == network.parameters
    box_of = {layer: number for number, box in enumerate(boxes.boxes) for layer in box.layers}
    expected = set()
    for layer in network.layers:
        sources = [box_of[source] for source in layer.inputs] or [0]
        expected |= {(source, box_of[layer.name]) for source in sources if source != box_of[layer.name]}
    assert set(boxes.edges) == expected
    assert len(boxes.edges) == len(expected)


@pytest.mark.parametrize("name", NAMES)
def test_arrows_lead_down_and_nothing_stands_on_anything_else(networks: dict[str, Network], name: str) -> None:
    boxes, layout = _laid_out(networks[name])
    cells = [*layout.places, *itertools.chain.from_iterable(layout.ways.values())]
    assert len({(cell.column, cell.row, cell.lane) for cell in cells}) == len(cells)
    feet = [max(place.row for place in layout.places if place.column == column) for column in range(layout.columns)]
    for source, target in boxes.edges:
        start, end = layout.places[source], layout.places[target]
        first_row = start.row + 1
        if end.column != start.column:  # out at the foot, in at the head
            assert (end.column, start.row) == (start.column + 1, feet[start.column])
            first_row = 0
        assert [place.row for place in layout.ways[source, target]] == list(range(first_row, end.row))
        assert {place.column for place in layout.ways[source, target]} <= {end.column}


def test_long_networks_stand_in_columns(networks: dict[str, Network]) -> None:
    columns = {name: lay_out(boxes_of(network)).columns for name, network in networks.items()}
    assert columns == {
        "stridednet": 1, "stridednet_pooled": 1, "vgg": 1, "allconv": 1, "residual": 2, "inception": 2, "fire": 2,
        "unet": 1,  # its arrows past everything leave no place to cut
        "users": 1,
    }  # fmt: skip
    chain = lay_out(boxes_of(_chain(16)))
    assert (chain.columns, chain.rows) == (1, 16)
    chain = lay_out(boxes_of(_chain(17)))
    assert (chain.columns, chain.rows) == (2, 9)
    chain = lay_out(boxes_of(_chain(90)))
    assert (chain.columns, chain.rows) == (3, 30)


def _chain(boxes: int) -> Network:
    """The input and layers behind it, so many boxes in all."""
    names = [f"flatten{number}" for number in range(boxes - 1)]
    before: list[tuple[str, ...]] = [(), *((name,) for name in names)]
    records = [
        LayerRecord(name, "Flatten", inputs, (3,), (3,), 0, 0, None, (1, 1))
        for name, inputs in zip(names, before, strict=False)
    ]
    return Network("chain", (1, 1, 3), tuple(records))


@pytest.mark.parametrize("name", [*NAMES, "chain"])
def test_everything_can_be_read(networks: dict[str, Network], name: str) -> None:
    network = networks.get(name) or _chain(40)
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
def test_boxes_and_arrows_leave_each_other_and_the_text_alone(networks: dict[str, Network], name: str) -> None:
    network = networks.get(name) or _chain(40)
    figure = diagram(network)
    extents = list(_texts(figure).values())
    width, height = figure.get_size_inches()
    boxes, layout = _laid_out(network)
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
        assert not any(stroke.overlaps(outline.padded(-0.02)) for outline in outlines)  # it may end at its edge
        assert not any(stroke.overlaps(extent) for extent in extents)


def test_arrows_that_part_and_arrows_that_meet_do_not_share_a_line() -> None:
    # Below the convolution one arrow comes in from the left, and another leaves to the right.
    image = layers.Input((8, 8, 3))
    x = layers.Conv2D(3, 1)(image)
    merged = layers.Concatenate()([layers.Add()([x, image]), layers.Conv2D(4, 1)(x)])
    boxes, layout = _laid_out(describe(keras.Model(image, merged)))
    arrows = dict(zip(boxes.edges, measure(boxes, layout, 1.0, 5.0).arrows, strict=True))
    split, add, conv = 1, *(next(n for n, box in enumerate(boxes.boxes) if box.headline.startswith(word))
                            for word in ("Add", "Conv2D 4"))  # fmt: skip
    into_add, out_to_conv = arrows[0, add][-2][1], arrows[split, conv][-2][1]
    assert out_to_conv < into_add < arrows[0, add][-1][1]


def _texts(figure: Figure) -> dict[Text, Bbox]:
    """The texts and where they stand, in inches from the lower left corner."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    (axes,) = figure.axes
    return {text: Bbox(text.get_window_extent(renderer).get_points() / figure.dpi) for text in axes.texts}


def _holds(outer: Bbox, inner: Bbox) -> bool:
    return bool((outer.min <= inner.min).all() and (inner.max <= outer.max).all())


def _stroke(start: Point, end: Point, height: float) -> Bbox:
    """A straight piece of an arrow, as wide as a line is."""
    (left, top), (right, bottom) = np.minimum(start, end), np.maximum(start, end)
    assert left == right or top == bottom
    return Bbox([[left, height - bottom], [right, height - top]]).padded(0.01)


def test_it_writes_a_picture(networks: dict[str, Network], tmp_path: Path) -> None:
    draw_diagram(networks["fire"], tmp_path / "fire.PNG")
    with Image.open(tmp_path / "fire.PNG") as image:
        assert image.format == "PNG"
        pixels = np.asarray(image.convert("RGB"))
    width, height = diagram(networks["fire"]).get_size_inches()
    assert pixels.shape[:2] == (int(height * 150), int(width * 150))
    # Convolutions with strides and without, pooling, dense and merge; each kind has a box and a spot in the legend.
    colours = {colour: (pixels == colour).all(axis=2).sum() for colour in _colours("fire", networks)}
    assert len(colours) == 6
    assert min(colours.values()) > 10_000
    assert [path.name for path in tmp_path.iterdir()] == ["fire.PNG"]


def _colours(name: str, networks: dict[str, Network]) -> set[tuple[int, ...]]:
    boxes = [patch for patch in diagram(networks[name]).axes[0].patches if isinstance(patch, FancyBboxPatch)]
    return {tuple(round(255 * part) for part in patch.get_facecolor()[:3]) for patch in boxes}


def test_it_writes_a_drawing(networks: dict[str, Network], tmp_path: Path) -> None:
    draw_diagram(networks["users"], tmp_path / "users.svg")
    # Matplotlib writes the text of an SVG as comments beside its outlines.
    parser = ET.XMLParser(target=ET.TreeBuilder(insert_comments=True))  # noqa: S314  -- our own file
    root = ET.parse(tmp_path / "users.svg", parser).getroot()  # noqa: S314
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    said = [element.text.strip() for element in root.iter() if element.tag is ET.Comment and element.text]
    for text in (
        "my $_x$", "Conv2D 8, 5x5, strides 2, same", "LeakyReLU, spatial dropout 0.1", "16x16x8", "608 params",
        "Sequential inner", "convolution with strides",
    ):  # fmt: skip
        assert text in said


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_the_same_network_gives_the_same_file(networks: dict[str, Network], tmp_path: Path, suffix: str) -> None:
    for name in ("a", "b"):
        draw_diagram(networks["users"], tmp_path / f"{name}{suffix}")
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


def test_other_files_are_refused(networks: dict[str, Network], tmp_path: Path) -> None:
    for name in ("diagram.pdf", "diagram"):
        with pytest.raises(InputError, match=r"diagram(\.pdf)?: the name must end in \.png or \.svg$"):
            draw_diagram(networks["vgg"], tmp_path / name)
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(InputError, match="is a folder; name a file"):
        draw_diagram(networks["vgg"], tmp_path / "folder.png")
    assert [path.name for path in tmp_path.iterdir()] == ["folder.png"]


def test_what_cannot_be_written_leaves_the_old_file(
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
