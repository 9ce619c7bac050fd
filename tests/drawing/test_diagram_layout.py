import itertools

import keras
import pytest
from drawn_networks import NAMES, all_networks, chain, laid_out, number_of
from keras import layers

from stridednet.conv2d.network import Network
from stridednet.drawing.diagram_boxes import Box, Kind, boxes_of
from stridednet.drawing.diagram_layout import lay_out
from stridednet.models.description import describe
from stridednet.models.inception import inception_module
from stridednet.models.residual import bottleneck
from stridednet.models.strided import StridedNet


@pytest.fixture(scope="module")
def networks() -> dict[str, Network]:
    return all_networks()


def _summary(box: Box) -> tuple[Kind, str, str]:
    return box.kind, box.headline, ", ".join(box.details)


def test_the_boxes_of_stridednet() -> None:
    boxes, layout = laid_out(describe(StridedNet.build(96, 96, 3, 4, None)))
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
    assert boxes.boxes[3].parameters == 9248 + 4 * 32  # the convolution's and the batch normalization's
    assert boxes.edges == tuple((number, number + 1) for number in range(10))
    assert [(place.column, place.row, place.lane, place.lanes) for place in layout.places] == [
        (0, row, 0, 1) for row in range(11)
    ]


def test_the_boxes_of_a_users_model(networks: dict[str, Network]) -> None:
    assert [_summary(box) for box in boxes_of(networks["users"]).boxes[:6]] == [
        (Kind.INPUT, "Input", ""),
        (Kind.STRIDED, "Conv2D 8, 5x5, strides 2, same", "LeakyReLU, spatial dropout 0.1"),
        (Kind.CONVOLUTION, "Conv2D 8, 3x3, valid", "ReLU"),  # of the nested model
        (Kind.CONVOLUTION, "DepthwiseConv2D 8", ""),
        (Kind.MERGE, "Concatenate", "batch norm"),
        (Kind.POOLING, "GlobalAveragePooling2D", ""),
    ]


def test_an_output_with_several_readers_ends_a_box() -> None:
    # Pre-activation: the shortcut starts before the normalization.
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
    boxes, layout = laid_out(describe(keras.Model(image, merged)))
    assert set(boxes.edges) == {(0, 1), (1, 2), (0, 2)}
    assert [place.lane for place in layout.ways[0, 2]] == [-1]


def test_rescaling_joins_the_input_box_only_as_its_single_reader() -> None:
    image = layers.Input((8, 8, 3))
    boxes = boxes_of(describe(keras.Model(image, layers.Concatenate()([image, layers.Rescaling(0.1)(image)]))))
    assert [box.headline for box in boxes.boxes] == ["Input", "Rescaling", "Concatenate"]
    assert set(boxes.edges) == {(0, 1), (1, 2), (0, 2)}
    boxes = boxes_of(describe(keras.Model(image, layers.Conv2D(4, 3)(layers.Rescaling(0.1)(image)))))
    assert [_summary(box)[1:] for box in boxes.boxes] == [("Input", "rescaling"), ("Conv2D 4, 3x3, valid", "")]


def test_nested_branches_have_lanes_of_their_own() -> None:
    image = layers.Input((8, 8, 3))
    x = layers.Conv2D(9, 1)(image)
    inner = layers.Concatenate()([layers.Conv2D(filters, 1)(x) for filters in (2, 3)])
    other = layers.Conv2D(4, 1)(image)
    outer = layers.Concatenate()([inner, layers.Conv2D(5, 1)(layers.Conv2D(6, 1)(other))])
    boxes, layout = laid_out(describe(keras.Model(image, outer)))
    where = {box.headline: place for box, place in zip(boxes.boxes, layout.places, strict=True) if box.kind != "merge"}
    assert {filters: (where[f"Conv2D {filters}, 1x1, valid"].row, where[f"Conv2D {filters}, 1x1, valid"].lane)
            for filters in (9, 2, 3, 4, 6, 5)} == {
        9: (1, 0), 2: (2, 0), 3: (2, 1), 4: (1, 2), 6: (2, 2), 5: (3, 2),
    }  # fmt: skip


def test_the_shortcuts_of_residual_blocks() -> None:
    image = layers.Input((8, 8, 3))
    x = bottleneck(image, 4, strides=2, name="changed")
    boxes, layout = laid_out(describe(keras.Model(image, bottleneck(x, 4, name="kept"))))
    # The first block's shortcut is a convolution in a lane of its own, with an arrow that passes two rows.
    shortcut, add = number_of(boxes, "changed_shortcut"), number_of(boxes, "changed_add")
    main = [layout.places[number_of(boxes, f"changed_{part}")] for part in ("reduce", "conv", "expand")]
    assert [(place.row, place.lane, place.lanes) for place in main] == [(1, 0, 2), (2, 0, 2), (3, 0, 2)]
    assert (layout.places[shortcut].row, layout.places[shortcut].lane) == (1, 1)
    assert [(place.row, place.lane) for place in layout.ways[shortcut, add]] == [(2, 1), (3, 1)]
    assert boxes.boxes[shortcut].kind is Kind.STRIDED
    # The second block's shortcut is an arrow that passes three boxes.
    end = number_of(boxes, "kept_add")
    assert (layout.places[add].row, layout.places[end].row) == (4, 8)
    assert [(place.row, place.lane, place.lanes) for place in layout.ways[add, end]] == [
        (5, -1, 1), (6, -1, 1), (7, -1, 1)
    ]  # fmt: skip


def test_the_four_lanes_of_an_inception_module() -> None:
    image = layers.Input((8, 8, 3))
    boxes, layout = laid_out(describe(keras.Model(image, inception_module(image, name="m"))))
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
    concatenated = layout.places[number_of(boxes, "m_concat")]
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
def test_arrows_lead_down_and_places_are_unique(networks: dict[str, Network], name: str) -> None:
    boxes, layout = laid_out(networks[name])
    cells = [*layout.places, *itertools.chain.from_iterable(layout.ways.values())]
    assert len({(cell.column, cell.row, cell.lane) for cell in cells}) == len(cells)
    feet = [max(place.row for place in layout.places if place.column == column) for column in range(layout.columns)]
    for source, target in boxes.edges:
        start, end = layout.places[source], layout.places[target]
        first_row = start.row + 1
        if end.column != start.column:  # from the bottom of one column to the top of the next
            assert (end.column, start.row) == (start.column + 1, feet[start.column])
            first_row = 0
        assert [place.row for place in layout.ways[source, target]] == list(range(first_row, end.row))
        assert {place.column for place in layout.ways[source, target]} <= {end.column}


def test_long_networks_are_in_columns(networks: dict[str, Network]) -> None:
    columns = {name: lay_out(boxes_of(network)).columns for name, network in networks.items()}
    assert columns == {
        "stridednet": 1, "stridednet_pooled": 1, "vgg": 1, "allconv": 1, "residual": 2, "inception": 2, "fire": 2,
        "efficientnet_lite0": 3, "efficientnet_lite2": 3,
        "unet": 1,  # its skip connections leave no place to cut
        "users": 1,
    }  # fmt: skip
    straight = lay_out(boxes_of(chain(16)))
    assert (straight.columns, straight.rows) == (1, 16)
    straight = lay_out(boxes_of(chain(17)))
    assert (straight.columns, straight.rows) == (2, 9)
    straight = lay_out(boxes_of(chain(90)))
    assert (straight.columns, straight.rows) == (3, 30)
