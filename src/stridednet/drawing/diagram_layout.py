"""The layout of a diagram: rows from top to bottom, lanes side by side, columns for long networks."""

import bisect
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from stridednet.drawing.diagram_boxes import Boxes

ROWS_OF_A_COLUMN = 16  # a network with more rows gets several columns
_MOST_COLUMNS = 3

Edge = tuple[int, int]


@dataclass(frozen=True)
class Place:
    """The place of a box, or a place that an arrow passes.

    Lanes with boxes are numbered from 0, left to right. Lanes with arrows only are -1, -2, ..., to the left of them.
    """

    column: int
    row: int  # within the column
    lane: int
    lanes: int  # number of lanes with boxes in this part of the network


@dataclass(frozen=True)
class Layout:
    """Places of the boxes, and for each edge the places that its arrow passes."""

    places: tuple[Place, ...]
    ways: dict[Edge, tuple[Place, ...]]
    columns: int
    rows: int  # of the longest column


def lay_out(network: Boxes) -> Layout:
    """Place each box in a row below all of its inputs, and in a lane of its own.

    A box that every path from the input to the output passes through is a waist. Lanes are numbered separately between
    consecutive waists, and a column ends at a waist.
    """
    ranks = _ranks(network)
    waists = _waists(network, ranks)
    lanes: dict[int, int] = {}
    lanes_of_edge: dict[Edge, int] = {}
    width_at: dict[int, int] = {}  # rank -> lanes with boxes
    for start, waist in enumerate(waists):
        below = waists[start + 1] if start + 1 < len(waists) else None
        last_rank = ranks[below] if below is not None else max(ranks) + 1
        inside = {box for box in range(len(ranks)) if ranks[waist] < ranks[box] < last_rank}
        own = _lanes(network, ranks, inside, below)
        edges = [edge for edge in network.edges if ranks[waist] <= ranks[edge[0]] and ranks[edge[1]] <= last_rank]
        lanes_of_edge |= _lanes_of_edges(edges, ranks, own)
        lanes |= own | {waist: 0}
        width_at |= dict.fromkeys(range(ranks[waist] + 1, last_rank), max(own.values(), default=0) + 1)
        width_at[ranks[waist]] = 1
    heads = _heads([ranks[waist] for waist in waists], max(ranks) + 1)

    def place(rank: int, lane: int) -> Place:
        column = bisect.bisect_right(heads, rank) - 1
        return Place(column, rank - heads[column], lane, width_at[rank])

    places = tuple(place(rank, lanes[box]) for box, rank in enumerate(ranks))
    ways = {
        edge: tuple(place(rank, lanes_of_edge[edge]) for rank in range(ranks[edge[0]] + 1, ranks[edge[1]]))
        for edge in network.edges
    }
    return Layout(places, ways, len(heads), 1 + max(place.row for place in places))


def _ranks(network: Boxes) -> list[int]:
    """Return the length of the longest path from the input to each box."""
    ranks = [0] * len(network.boxes)
    for source, target in sorted(network.edges, key=lambda edge: edge[1]):
        ranks[target] = max(ranks[target], ranks[source] + 1)
    return ranks


def _waists(network: Boxes, ranks: Sequence[int]) -> list[int]:
    """Return the boxes that are alone in their rank and that no arrow passes, from top to bottom."""
    passed = {rank for source, target in network.edges for rank in range(ranks[source] + 1, ranks[target])}
    alone = [box for box, rank in enumerate(ranks) if rank not in passed and ranks.count(rank) == 1]
    return sorted(alone, key=lambda box: ranks[box])


def _lanes(network: Boxes, ranks: Sequence[int], inside: set[int], below: int | None) -> dict[int, int]:
    """Follow the first input of each box upward from the bottom; every other input starts a chain in a free lane."""
    before: dict[int, list[int]] = {}
    for source, target in network.edges:
        before.setdefault(target, []).append(source)
    lanes: dict[int, int] = {}
    taken: set[Edge] = set()  # rank and lane
    # The inputs of the lower waist first, then boxes that no other box reads: additional outputs of the model.
    waiting: list[tuple[int, int | None]] = [(box, below) for box in before.get(below, ())] if below is not None else []
    waiting += [(box, None) for box in sorted(inside, reverse=True)]
    while waiting:
        box, reader = waiting.pop(0)
        if box in lanes or box not in inside:
            continue
        chain, further = [box], []
        while sources := [source for source in before[chain[-1]] if source in inside and source not in lanes]:
            further += [(source, chain[-1]) for source in sources[1:]]
            chain.append(sources[0])
        span = range(ranks[chain[-1]], ranks[reader] if reader is not None else ranks[box] + 1)
        lane = next(lane for lane in itertools.count() if not any((rank, lane) in taken for rank in span))
        taken |= {(rank, lane) for rank in span}
        lanes |= dict.fromkeys(chain, lane)
        waiting = further + waiting
    return lanes


def _lanes_of_edges(edges: Sequence[Edge], ranks: Sequence[int], lanes: dict[int, int]) -> dict[Edge, int]:
    """Return the lane of each long arrow: that of its source or target if free, or one to the left of all boxes."""
    taken = {(ranks[box], lane) for box, lane in lanes.items()}
    chosen: dict[Edge, int] = {}
    for edge in edges:
        between = range(ranks[edge[0]] + 1, ranks[edge[1]])
        wanted = [lanes[box] for box in edge if box in lanes] + [-number for number in range(1, len(edges) + 1)]
        chosen[edge] = next(lane for lane in wanted if not any((rank, lane) in taken for rank in between))
        taken |= {(rank, chosen[edge]) for rank in between}
    return chosen


def _heads(waists: Sequence[int], rows: int) -> list[int]:
    """Return the first rank of each column: after the waists that divide the rows most evenly, if evenly enough."""
    columns = min(math.ceil(rows / ROWS_OF_A_COLUMN), _MOST_COLUMNS)
    possible = [rank + 1 for rank in waists if rank + 1 < rows]
    wanted = [number * rows / columns for number in range(1, columns)]
    cuts = [min(possible, key=lambda rank: abs(rank - wish)) for wish in wanted if possible]
    return [0, *(cut for cut, wish in zip(cuts, wanted, strict=False) if abs(cut - wish) <= rows / columns / 3)]
