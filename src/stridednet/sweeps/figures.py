"""Figures of a sweep: accuracy with intervals, accuracy against cost, learning curves."""

import math
import re
import statistics
import textwrap
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, MaxNLocator

from stridednet.sweeps.comparison import Comparison
from stridednet.sweeps.effect import Effect, effect_text
from stridednet.sweeps.trial import Outcome

_BASE = "#555555"
_EFFECTS: dict[Effect, str] = {"higher": "#2a7f62", "lower": "#d1495b", "same": "#4c78a8", "undecided": "#a0a0a0"}
_MOST_BANDS = 4  # more overlapping bands are unreadable
_COLORS = mpl.colormaps["tab10"].colors  # type: ignore[attr-defined]  # a ListedColormap


def draw_accuracy(comparisons: Sequence[Comparison], path: Path) -> None:
    """Draw each variant's difference from the base with its interval, in points."""
    figure = Figure(figsize=(8, 1.6 + 0.45 * len(comparisons)), layout="constrained")
    axes = figure.add_subplot()
    margin = 100 * comparisons[0].margin
    axes.axvspan(-margin, margin, color="#eeeeee", zorder=0)
    axes.axvline(0, color=_BASE, linewidth=1)
    for row, comparison in enumerate(comparisons):
        found = comparison.difference
        if found is None:
            axes.plot(0, row, "D", color=_BASE) if row == 0 else axes.plot(0, row, "x", color="#bbbbbb")
            continue
        color = _EFFECTS[comparison.effect]
        if not math.isnan(found.low):
            axes.plot([100 * found.low, 100 * found.high], [row, row], color=color, linewidth=3, alpha=0.5)
        axes.plot(100 * found.mean, row, "o", color=color)
    axes.set_yticks(range(len(comparisons)), [short_name(comparison.variant.name) for comparison in comparisons])
    axes.invert_yaxis()
    axes.margins(y=0.3 / max(len(comparisons), 1))
    left, right = axes.get_xlim()
    axes.set_xlim(min(left, -1.2 * margin), max(right, 1.2 * margin))
    axes.grid(axis="x", alpha=0.3)
    present = [name for name in _EFFECTS if name in {comparison.effect for comparison in comparisons[1:]}]
    handles = [
        Line2D([], [], color=_EFFECTS[name], marker="o", label=effect_text(name, comparisons[0].margin))
        for name in present
    ]
    # The label of the axis is the legend's title: a label of the figure would lie below the legend.
    figure.legend(
        handles=handles,
        title="difference in accuracy from the base, in points (simultaneous 95% intervals)",
        loc="outside lower center",
        ncols=max(len(handles), 1),
        fontsize=8,
        title_fontsize="medium",
        frameon=False,
    )
    figure.suptitle(f"Base: {comparisons[0].accuracy:.3f}", fontsize="medium")
    figure.savefig(path, format="png", dpi=120)


def draw_costs(comparisons: Sequence[Comparison], path: Path) -> None:
    """Draw accuracy against training time and against parameters, each with its Pareto front."""
    trained = [comparison for comparison in comparisons if comparison.parameters]
    figure = Figure(figsize=(11, 4.8), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    costs = (
        ("training time (median)", "s", [comparison.seconds for comparison in trained]),
        ("parameters", "", [float(comparison.parameters) for comparison in trained]),
    )
    accuracy = [comparison.accuracy for comparison in trained]
    for axes, (label, unit, cost) in zip(panels, costs, strict=True):
        front = pareto_front(cost, accuracy)
        on_front = [cost[place] for place in front], [accuracy[place] for place in front]
        axes.plot(*on_front, "-", color="#bbbbbb", label="Pareto front")
        axes.plot(*on_front, "o", color="#bbbbbb", markersize=12)
        for place, comparison in enumerate(trained):
            name = short_name(comparison.variant.name)
            marker = "D" if comparison is comparisons[0] else "o"
            color = _COLORS[place % len(_COLORS)]
            axes.plot(cost[place], accuracy[place], marker, color=color, label=name, linestyle="none")
        axes.set_xlabel(label)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.xaxis.set_major_formatter(EngFormatter(unit))
        axes.margins(0.2)
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("accuracy (mean)")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8)
    figure.savefig(path, format="png", dpi=120)


def draw_curves(outcomes: Sequence[Outcome], path: Path) -> None:
    """Draw the mean val accuracy after each epoch; for up to four variants, with the range over the trials."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    names = list(dict.fromkeys(outcome.variant for outcome in outcomes))
    for place, name in enumerate(names):
        curves = [outcome.curve for outcome in outcomes if outcome.variant == name and outcome.curve]
        if not curves:
            continue
        by_epoch = [
            (epoch, [value for value in values if value is not None])
            for epoch, values in enumerate(zip(*curves, strict=True), start=1)
            if None not in values
        ]
        epochs = [epoch for epoch, _ in by_epoch]
        means = [statistics.fmean(values) for _, values in by_epoch]
        look = {"color": _COLORS[place % len(_COLORS)], "linestyle": ("-", "--", ":")[place % 3]}
        axes.plot(epochs, means, marker="o", markersize=3, label=short_name(name), **look)
        if len(names) <= _MOST_BANDS:
            low, high = [min(values) for _, values in by_epoch], [max(values) for _, values in by_epoch]
            axes.fill_between(epochs, low, high, color=look["color"], alpha=0.12)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("epoch")
    axes.set_ylabel("val accuracy (mean over trials)")
    axes.grid(alpha=0.3)
    if axes.has_data():  # no data if all trials failed
        axes.legend(loc="lower right", fontsize=8)
    figure.savefig(path, format="png", dpi=120)


def short_name(variant: str) -> str:
    """Return a variant's name as a label: keys without their tables, and wrapped.

    >>> short_name("model.stem_kernel=3, model.name=mine.py:build")
    'stem_kernel=3, name=mine.py:build'
    """
    without_tables = re.sub(r"(^|, )(?:\w+\.)+(\w+=)", r"\1\2", variant)
    return textwrap.fill(without_tables, 42, break_long_words=False, break_on_hyphens=False)


def pareto_front(cost: Sequence[float], accuracy: Sequence[float]) -> list[int]:
    """Return the indices of the points that no other point beats in both cost and accuracy, cheapest first.

    >>> pareto_front([3, 1, 2, 2], [0.9, 0.5, 0.8, 0.4])
    [1, 2, 0]
    """
    front: list[int] = []
    for place in sorted(range(len(cost)), key=lambda place: (cost[place], -accuracy[place])):
        if not front or accuracy[place] > accuracy[front[-1]]:
            front.append(place)
    return front
