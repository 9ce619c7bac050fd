"""The geometry of a diagram, in inches: sizes and positions of boxes and arrows."""

import math
from dataclasses import dataclass

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from stridednet.drawing.diagram_boxes import Box, Boxes
from stridednet.drawing.diagram_layout import Edge, Layout, Place

HEADLINE, SMALL = 9.5, 8.0  # points
LINE_HEIGHT = 0.2
GAP = 0.28  # below a box
NOTE_SPACE = 0.08  # between a box and the note on its right
MARGIN = 0.3
_PADDING = 0.12  # between a box's edge and its text
_FUNNEL = 0.4  # extra width of a box whose output is as large as the image, as a fraction
_LANES_WITH_NOTES = 2
_LANES_APART = 0.22
_ARROWS_APART = 0.22
_COLUMNS_APART = 0.6
_TURN_HEIGHT = 0.15

Point = tuple[float, float]  # to the right and down, from the upper left corner


@dataclass(frozen=True)
class Rectangle:
    """The outline of a box."""

    left: float
    top: float
    width: float
    height: float

    @property
    def center(self) -> float:
        """The horizontal center."""
        return self.left + self.width / 2

    @property
    def bottom(self) -> float:
        """The bottom edge, where arrows start."""
        return self.top + self.height


@dataclass(frozen=True)
class Geometry:
    """Outlines of the boxes, corners of the arrows, and corners of the arrows between columns."""

    rectangles: tuple[Rectangle, ...]
    arrows: tuple[tuple[Point, ...], ...]
    turns: tuple[tuple[Point, ...], ...]
    notes_inside: bool  # with many boxes side by side there is no room for notes between them
    width: float
    bottom: float


def text_width(text: str, points: float, *, bold: bool = False) -> float:
    """Return the width of a line of text, in inches."""
    font = FontProperties(size=points, weight="bold" if bold else "normal")
    return float(text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]) / 72


def note_lines(box: Box) -> list[str]:
    """Return the note on the right of a box: output shape and number of parameters."""
    shape = "x".join(str(size) if size else "?" for size in box.output_shape)
    return [shape, f"{box.parameters:,} params"] if box.parameters else [shape]


def note_line(box: Box) -> str:
    """Return the note of a box as one line."""
    return "  ·  ".join(note_lines(box))


def measure(network: Boxes, layout: Layout, top: float, least_width: float) -> Geometry:
    """Compute the positions of all boxes and arrows.

    Args:
        network: The boxes.
        layout: Their rows and lanes.
        top: Top of the first row, in inches.
        least_width: Minimum width of the figure, in inches; a narrower network is centered.
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
        # Boxes side by side have the same width. A box alone in its row is wider the larger its output is.
        side_by_side = max((self._text_width(box) for box, place in pairs if place.lanes > 1), default=0.0)
        alone = max(self._text_width(box) for box, place in pairs if place.lanes == 1)
        largest = max(1, *(_side(box) for box in network.boxes))
        self.widths = [
            side_by_side if place.lanes > 1 else alone * (1 + _FUNNEL * math.sqrt(_side(box) / largest))
            for box, place in pairs
        ]
        self.pitch = side_by_side + self.notes + _LANES_APART

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
                self.axes[place.column] + self._offset(place) - width / 2, self._row(place.row), width, self.height
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
        """Return the middle of each column, and the total width."""
        axes, edge = [], MARGIN
        for column in range(self.layout.columns):
            boxes = [
                (self._offset(place), width / 2)
                for place, width in zip(self.layout.places, self.widths, strict=True)
                if place.column == column
            ]
            arrows = [self._offset(place) for place in self._passed(column)]
            left = min([middle - half for middle, half in boxes] + arrows)
            right = max(middle + half + self.notes for middle, half in boxes)
            axes.append(edge - left)
            edge += right - left + _COLUMNS_APART
        return axes, edge - _COLUMNS_APART + MARGIN

    def _passed(self, column: int) -> list[Place]:
        return [place for way in self.layout.ways.values() for place in way if place.column == column]

    def _offset(self, place: Place) -> float:
        """Return the distance of a place from the middle of its column, to the right."""
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
        """Return the corners from the bottom of the source, or from the top of the target's column, to the target."""
        source, target = (self.rectangles[box] for box in edge)
        column = self.layout.places[edge[1]].column
        turned = self.layout.places[edge[0]].column != column
        points = [self._head(column) if turned else (source.center, source.bottom)]
        for place in self.layout.ways[edge]:
            x = self.axes[column] + self._offset(place)
            if x != points[-1][0]:
                # Just below the source where arrows split; arrows that merge do so at another level.
                level = self._row(place.row) - 0.65 * GAP
                points += [(points[-1][0], level), (x, level)]
        if target.center != points[-1][0]:
            parts = len(points) == 1 and self._readers(edge[0]) > 1
            level = target.top - (0.65 if parts else 0.5) * GAP
            points += [(points[-1][0], level), (target.center, level)]
        return (*points, (target.center, target.top))

    def _readers(self, box: int) -> int:
        return sum(source == box for source, _ in self.network.edges)

    def _turn(self, column: int) -> tuple[Point, ...]:
        """Return the corners from the bottom of the previous column to the top of this one."""
        places = self.layout.places
        before = [box for box, place in enumerate(places) if place.column == column - 1]
        foot = self.rectangles[max(before, key=lambda box: places[box].row)]
        here = [rectangle for rectangle, place in zip(self.rectangles, places, strict=True) if place.column == column]
        passed = [self.axes[column] + self._offset(place) for place in self._passed(column)]
        gutter = min([rectangle.left for rectangle in here] + passed) - _COLUMNS_APART / 2
        low, head = foot.bottom + 0.5 * GAP, self._head(column)
        high = head[1] - _TURN_HEIGHT
        points = [(foot.center, foot.bottom), (foot.center, low), (gutter, low), (gutter, high), (head[0], high), head]
        return tuple(points)

    def _head(self, column: int) -> Point:
        """Return where the arrow from the previous column ends and the arrows into this column start."""
        return self.axes[column], self._row(0) - GAP


def _side(box: Box) -> int:
    return box.output_shape[0] if len(box.output_shape) == 3 else 0
