"""Draw the forest plot of all measurements, ``docs/images/forest*.png``, from ``measured.toml``.

Run ``python docs/forest_plot.py`` after a change of the measurements; ``benchmarks/measure_claims.py`` does it too.
"""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter

from stridednet.conv2d.measured import Measurement, importance
from stridednet.conv2d.parameters import PARAMETERS
from stridednet.pages.forest import ForestRow, forest_rows, limits

IMAGES = Path(__file__).parent / "images"
_MARKERS = {"four classes": "o", "clothing": "D", "101 classes": "^"}
_MOST_TIMES = (0.4, 2.5)  # the axis of times shows at least this
_TIMES = (0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10)


@dataclass(frozen=True)
class Theme:
    """Colors, after those of GitHub's pages."""

    paper: str
    ink: str
    faint: str
    band: str
    effects: dict[str, str]


THEMES = {
    "forest.png": Theme(
        "#ffffff",
        "#1f2328",
        "#8c959f",
        "#eaeef2",
        {"higher": "#1a7f37", "lower": "#cf222e", "same": "#0969da", "undecided": "#9a8c6e"},
    ),
    "forest-dark.png": Theme(
        "#0d1117",
        "#e6edf3",
        "#7d8590",
        "#21262d",
        {"higher": "#3fb950", "lower": "#f85149", "same": "#58a6ff", "undecided": "#a39a82"},
    ),
}


def draw(rows: Sequence[ForestRow], theme: Theme, path: Path) -> None:
    """Draw all rows: effect on accuracy with its interval, and training time.

    Args:
        rows: The variants, from top to bottom.
        theme: The colors.
        path: The PNG file to write.
    """
    data_sets = list(dict.fromkeys(one.data for row in rows for one in row.measurements))
    labels = [_label(row) for row in rows]
    height = 1.5 + 0.17 * sum(max(label.count("\n") + 1, len(data_sets)) + 0.4 for label in labels)
    with mpl.rc_context({"font.size": 9, "text.color": theme.ink, "axes.labelcolor": theme.ink}):
        figure = Figure(figsize=(9.5, height), layout="constrained", facecolor=theme.paper)
        accuracy, time = figure.subplots(1, 2, sharey=True, width_ratios=[3, 1.5])
        places = _places(labels, len(data_sets))
        for axes in (accuracy, time):
            _prepare(axes, theme)
        margin = 100 * rows[0].claim.margin
        low, high = (100 * limit for limit in limits(rows))
        accuracy.axvspan(-margin, margin, color=theme.band, zorder=0, linewidth=0)
        accuracy.axvline(0, color=theme.faint, linewidth=1)
        accuracy.set_xlim(low - 0.02 * (high - low), high + 0.02 * (high - low))
        time.axvline(1, color=theme.faint, linewidth=1)
        for place, row in zip(places, rows, strict=True):
            for one in row.measurements:
                shift = 0.17 * (data_sets.index(one.data) - (len(data_sets) - 1) / 2)
                _draw_measurement(accuracy, time, place + shift, one, theme)
        _time_axis(time, rows)
        accuracy.set_yticks(places, labels)
        accuracy.set_ylim(places[-1] + 0.3, places[0] - 0.3)
        certain = sum(not importance(row.measurements)[0] for row in rows)  # they come first
        if 0 < certain < len(rows):
            between = (places[certain - 1] + places[certain]) / 2
            for axes in (accuracy, time):
                axes.axhline(between, color=theme.faint, linewidth=0.8, linestyle=(0, (4, 3)))
        accuracy.set_title("accuracy: difference in points, 95% interval", fontsize=9, color=theme.ink)
        time.set_title("training time: ratio", fontsize=9, color=theme.ink)
        figure.legend(
            handles=list(_legend(data_sets, rows, theme)),
            loc="outside lower center",
            ncols=8,
            frameon=False,
            labelcolor=theme.ink,
            handletextpad=0.4,
            columnspacing=1.4,
        )
        figure.savefig(path, dpi=110, metadata={"Software": None})


def _label(row: ForestRow) -> str:
    return textwrap.fill(f"{_parameter(row)}{row.label}", 52)


def _parameter(row: ForestRow) -> str:
    """Return the parameter of Conv2D that a row is about, with a colon, or nothing."""
    key = row.measurements[0].variant.partition("=")[0].rpartition(".")[2]
    name = row.claim.parameter or key
    return f"{name}: " if name in {parameter.name for parameter in PARAMETERS} else ""


def _places(labels: Sequence[str], data_sets: int) -> list[float]:
    """Return the height of each row, which has room for its lines."""
    places, place = [], 0.0
    for label in labels:
        room = 0.17 * (max(label.count("\n") + 1, data_sets) + 0.4)
        places.append(place + room / 2)
        place += room
    return places


def _prepare(axes: Axes, theme: Theme) -> None:
    axes.set_facecolor(theme.paper)
    axes.grid(axis="x", color=theme.band, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=theme.ink, length=0)
    axes.tick_params(axis="x", labeltop=True, labelbottom=True)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(theme.faint)


def _draw_measurement(accuracy: Axes, time: Axes, place: float, one: Measurement, theme: Theme) -> None:
    color = theme.effects[one.effect]
    marker = {"marker": _MARKERS.get(one.data, "s"), "color": color, "markersize": 5}
    accuracy.plot([100 * one.low, 100 * one.high], [place, place], color=color, linewidth=2.2, alpha=0.55)
    accuracy.plot(100 * one.difference, place, **marker)
    if one.time_ratio:
        time.plot(one.time_ratio, place, **(marker | {"color": theme.ink, "markersize": 4.5}))


def _time_axis(axes: Axes, rows: Sequence[ForestRow]) -> None:
    ratios = [one.time_ratio for row in rows for one in row.measurements if one.time_ratio]
    low, high = min([_MOST_TIMES[0], *ratios]) / 1.1, max([_MOST_TIMES[1], *ratios]) * 1.1
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    ticks = [tick for tick in _TIMES if low <= tick <= high and tick not in (0.3, 0.7, 1.5)]
    axes.set_xticks(ticks)
    axes.set_xticks([], minor=True)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"x{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _legend(data_sets: Sequence[str], rows: Sequence[ForestRow], theme: Theme) -> Iterator[Line2D]:
    for data in data_sets:
        yield Line2D([], [], linestyle="", marker=_MARKERS.get(data, "s"), color=theme.ink, markersize=5, label=data)
    found = {one.effect for row in rows for one in row.measurements}
    words = {"same": "same within 1 point"}
    for effect, color in theme.effects.items():
        if effect in found:
            yield Line2D([], [], linewidth=4, color=color, label=words.get(effect, effect))


def write() -> list[Path]:
    """Draw the figure for light and dark pages, and return the files; none if nothing is measured."""
    rows = forest_rows()
    if not rows:
        return []
    for name, theme in THEMES.items():
        draw(rows, theme, IMAGES / name)
    return [IMAGES / name for name in THEMES]


if __name__ == "__main__":
    for written in write():
        print(f"written: {written}")
