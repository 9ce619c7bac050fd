"""A diagram in inches: how large its boxes are, and where they and its arrows lie."""

import math
from dataclasses import dataclass

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from stridednet.drawing.diagram_boxes import Box, Boxes
from stridednet.drawing.diagram_layout import Edge, Layout, Place

HEADLINE, SMALL = 9.5, 8.0  # points
LINE_HEIGHT = 0.2
GAP = 0.28  # below a box
NOTE_SPACE = 0.08  # between a box and the note at its right
MARGIN = 0.3
_PADDING = 0.12  # between a box's edge and its text
_FUNNEL = 0.4  # by what part a box is wider whose map is as large as the image
_LANES_WITH_NOTES = 2
_LANES_APART = 0.22
_ARROWS_APART = 0.22
_COLUMNS_APART = 0.6
_TURN_HEIGHT = 0.15

Point = tuple[float, float]  # to the right and down, from the upper left corner


@dataclass(frozen=True)
class Rectangle:
    """A box's outline."""

    left: float
    top: float
    width: float
    height: float

    @property
    def centre(self) -> float:
        """Between left and right."""
        return self.left + self.width / 2

    @property
    def bottom(self) -> float:
        """Where arrows leave."""
        return self.top + self.height


@dataclass(frozen=True)
class Geometry:
    """Outlines of the boxes, the arrows' corners, and the arrows that turn from one column to the next."""

    rectangles: tuple[Rectangle, ...]
    arrows: tuple[tuple[Point, ...], ...]
    turns: tuple[tuple[Point, ...], ...]
    notes_inside: bool  # where many boxes stand side by side, there is no room for notes between them
    width: float
    bottom: float


def text_width(text: str, points: float, *, bold: bool = False) -> float:
    """Return how wide a line of text is, in inches."""
    font = FontProperties(size=points, weight="bold" if bold else "normal")
    return float(text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]) / 72


def note_lines(box: Box) -> list[str]:
    """Return what stands at a box's right: the output's shape and the parameters."""
    shape = "x".join(str(size) for size in box.output_shape)
    return [shape, f"{box.parameters:,} params"] if box.parameters else [shape]


def note_line(box: Box) -> str:
    """Return the same as one line."""
    return "  ·  ".join(note_lines(box))


def measure(network: Boxes, layout: Layout, top: float, least_width: float) -> Geometry:
    """Work out where everything lies.

    Args:
        network: The boxes.
        layout: Their rows and lanes.
        top: Where the first row begins.
        least_width: The figure is at least so wide; a narrower network stands in its middle.
    """
    return _Measure(network, layout).geometry(top, least_width)


class _Measure:
    def __init__(self, network: Boxes, layout: Layout) -> None:
        self.network, self.layout = network, layout
        pairs = list(zip(network.boxes, layout.places, strict=True))
        self.inside = any(place.lanes > _LANES_WITH_NOTES for place in layout.places)
        self.height = (4 if self.inside else 3) * LINE_HEIGHT - 0.1
        notes = NOTE_SPACE + max(text_width(line, SMALL) for box in network.boxes for line in note_lines(box))
        self.notes = 0.0 if self.inside else notes
        # Boxes beside each other have one width; a box alone is the wider, the larger its map is.
        beside = max((self._text_width(box) for box, place in pairs if place.lanes > 1), default=0.0)
        alone = max(self._text_width(box) for box, place in pairs if place.lanes == 1)
        largest = max(1, *(_side(box) for box in network.boxes))
        self.widths = [
            beside if place.lanes > 1 else alone * (1 + _FUNNEL * math.sqrt(_side(box) / largest))
            for box, place in pairs
        ]
        self.pitch = beside + self.notes + _LANES_APART

    def _text_width(self, box: Box) -> float:
        lines = [", ".join(box.details), *([note_line(box)] if self.inside else [])]
        return 2 * _PADDING + max(
            text_width(box.headline, HEADLINE, bold=True), *(text_width(line, SMALL) for line in lines)
        )

    def geometry(self, top: float, least_width: float) -> Geometry:
        axes, content = self._axes()
        shift = max(0.0, least_width - content) / 2
        self.axes = [axis + shift for axis in axes]
        self.top = top
        self.rectangles = [
            Rectangle(
                self.axes[place.column] + self._beside_axis(place) - width / 2, self._row(place.row), width, self.height
            )
            for place, width in zip(self.layout.places, self.widths, strict=True)
        ]
        arrows = tuple(self._arrow(edge) for edge in self.network.edges)
        return Geometry(
            rectangles=tuple(self.rectangles),
            arrows=arrows,
            turns=tuple(self._turn(column) for column in range(1, self.layout.columns)),
            notes_inside=self.inside,
            width=content + 2 * shift,
            bottom=self._row(self.layout.rows) - GAP,
        )

    def _axes(self) -> tuple[list[float], float]:
        """Return where each column's middle lies, and how wide all columns are."""
        axes, edge = [], MARGIN
        for column in range(self.layout.columns):
            boxes = [
                (self._beside_axis(place), width / 2)
                for place, width in zip(self.layout.places, self.widths, strict=True)
                if place.column == column
            ]
            arrows = [self._beside_axis(place) for place in self._passed(column)]
            left = min([middle - half for middle, half in boxes] + arrows)
            right = max(middle + half + self.notes for middle, half in boxes)
            axes.append(edge - left)
            edge += right - left + _COLUMNS_APART
        return axes, edge - _COLUMNS_APART + MARGIN

    def _passed(self, column: int) -> list[Place]:
        return [place for way in self.layout.ways.values() for place in way if place.column == column]

    def _beside_axis(self, place: Place) -> float:
        """Return how far to the right of its column's middle a place is."""
        first = -(place.lanes - 1) / 2 * self.pitch
        if place.lane >= 0:
            return first + place.lane * self.pitch
        rows = {passed.row for passed in self._passed(place.column)}
        widest = max(
            (
                width / 2 + (other.lanes - 1) / 2 * self.pitch
                for other, width in zip(self.layout.places, self.widths, strict=True)
                if other.column == place.column and other.row in rows and other.lanes == place.lanes
            ),
            default=0.0,
        )
        return -widest + place.lane * _ARROWS_APART

    def _row(self, row: int) -> float:
        return self.top + row * (self.height + GAP)

    def _arrow(self, edge: Edge) -> tuple[Point, ...]:
        """Return the corners from the source's foot, or from its column's turn, to the target's head."""
        source, target = (self.rectangles[box] for box in edge)
        column = self.layout.places[edge[1]].column
        turned = self.layout.places[edge[0]].column != column
        points = [self._head(column) if turned else (source.centre, source.bottom)]
        for place in self.layout.ways[edge]:
            x = self.axes[column] + self._beside_axis(place)
            if x != points[-1][0]:
                # Just below the source where arrows part, so that those that meet do so in another line.
                level = self._row(place.row) - 0.65 * GAP
                points += [(points[-1][0], level), (x, level)]
        if target.centre != points[-1][0]:
            parts = len(points) == 1 and self._readers(edge[0]) > 1
            level = target.top - (0.65 if parts else 0.5) * GAP
            points += [(points[-1][0], level), (target.centre, level)]
        return (*points, (target.centre, target.top))

    def _readers(self, box: int) -> int:
        return sum(source == box for source, _ in self.network.edges)

    def _turn(self, column: int) -> tuple[Point, ...]:
        """Return the corners from the foot of the column before to the head of this one."""
        places = self.layout.places
        before = [box for box, place in enumerate(places) if place.column == column - 1]
        foot = self.rectangles[max(before, key=lambda box: places[box].row)]
        here = [rectangle for rectangle, place in zip(self.rectangles, places, strict=True) if place.column == column]
        passed = [self.axes[column] + self._beside_axis(place) for place in self._passed(column)]
        gutter = min([rectangle.left for rectangle in here] + passed) - _COLUMNS_APART / 2
        low, head = foot.bottom + 0.5 * GAP, self._head(column)
        high = head[1] - _TURN_HEIGHT
        points = [(foot.centre, foot.bottom), (foot.centre, low), (gutter, low), (gutter, high), (head[0], high), head]
        return tuple(points)

    def _head(self, column: int) -> Point:
        """Return where the arrow from the column before ends, and those into this one begin."""
        return self.axes[column], self._row(0) - GAP


def _side(box: Box) -> int:
    return box.output_shape[0] if len(box.output_shape) == 3 else 0
