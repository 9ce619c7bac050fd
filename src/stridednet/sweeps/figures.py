"""The figures of a sweep: accuracy with intervals, accuracy against cost, learning curves."""

import statistics
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from stridednet.sweeps.comparison import Comparison
from stridednet.sweeps.trial import Outcome

_BASE, _OTHER, _MEASURABLE = "#555555", "#4c78a8", "#d1495b"


def draw_accuracy(comparisons: Sequence[Comparison], path: Path) -> None:
    """Draw each variant's difference from the base with its interval, in points."""
    figure = Figure(figsize=(8, 1.6 + 0.45 * len(comparisons)), layout="constrained")
    axes = figure.add_subplot()
    axes.axvline(0, color=_BASE, linewidth=1)
    names = []
    for row, comparison in enumerate(comparisons):
        names.append(comparison.variant.name)
        found = comparison.difference
        if found is None:
            axes.plot(0, row, "D", color=_BASE) if row == 0 else axes.plot(0, row, "x", color="#bbbbbb")
            continue
        color = _MEASURABLE if found.measurable else _OTHER
        if found.count > 1:
            axes.plot([100 * found.low, 100 * found.high], [row, row], color=color, linewidth=3, alpha=0.5)
        axes.plot(100 * found.mean, row, "o", color=color)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.margins(y=0.3 / max(len(names), 1))
    axes.grid(axis="x", alpha=0.3)
    axes.set_xlabel("difference in val accuracy from the base, points (95%, all together)")
    axes.set_title(f"Base: {comparisons[0].accuracy:.3f}; red: a measurable effect", fontsize="medium", loc="left")
    figure.savefig(path, format="png", dpi=120)


def draw_costs(comparisons: Sequence[Comparison], path: Path) -> None:
    """Draw accuracy against training time and against parameters; what nothing beats in both is joined by a line."""
    trained = [comparison for comparison in comparisons if comparison.parameters]
    figure = Figure(figsize=(11, 4.8), layout="constrained")
    panels = figure.subplots(1, 2)
    costs = (
        ("seconds of training (median)", [comparison.seconds for comparison in trained]),
        ("parameters", [float(comparison.parameters) for comparison in trained]),
    )
    for axes, (label, cost) in zip(panels, costs, strict=True):
        accuracy = [comparison.accuracy for comparison in trained]
        front = pareto_front(cost, accuracy)
        axes.plot([cost[place] for place in front], [accuracy[place] for place in front], "-", color="#cccccc")
        for place, comparison in enumerate(trained):
            on_front = place in front
            axes.plot(cost[place], accuracy[place], "o", color=_MEASURABLE if on_front else _OTHER)
            left = cost[place] > (min(cost) + max(cost)) / 2  # so that no name runs out of the panel
            axes.annotate(
                comparison.variant.name,
                (cost[place], accuracy[place]),
                (-5 if left else 5, 5),
                textcoords="offset points",
                fontsize=8,
                ha="right" if left else "left",
            )
        axes.set_xlabel(label)
        axes.set_ylabel("val accuracy (mean)")
        axes.margins(0.2)
        axes.grid(alpha=0.3)
    figure.suptitle("Red: nothing here is both cheaper and more accurate", fontsize="medium")
    figure.savefig(path, format="png", dpi=120)


def draw_curves(outcomes: Sequence[Outcome], path: Path) -> None:
    """Draw the mean val accuracy after each epoch, and the lowest and highest of the seeds around it."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    for name in dict.fromkeys(outcome.variant for outcome in outcomes):
        curves = [outcome.curve for outcome in outcomes if outcome.variant == name and outcome.curve]
        if not curves:
            continue
        by_epoch = list(zip(*curves, strict=True))
        epochs = range(1, len(by_epoch) + 1)
        (line,) = axes.plot(
            epochs, [statistics.fmean(values) for values in by_epoch], marker="o", markersize=3, label=name
        )
        low, high = [min(values) for values in by_epoch], [max(values) for values in by_epoch]
        axes.fill_between(epochs, low, high, color=line.get_color(), alpha=0.12)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("epoch")
    axes.set_ylabel("val accuracy")
    axes.grid(alpha=0.3)
    if axes.has_data():  # all trials may have failed
        axes.legend(loc="lower right", fontsize=8)
    figure.savefig(path, format="png", dpi=120)


def pareto_front(cost: Sequence[float], accuracy: Sequence[float]) -> list[int]:
    """Return the places that no other place beats, cheapest first.

    >>> pareto_front([3, 1, 2, 2], [0.9, 0.5, 0.8, 0.4])
    [1, 2, 0]
    """
    front: list[int] = []
    for place in sorted(range(len(cost)), key=lambda place: (cost[place], -accuracy[place])):
        if not front or accuracy[place] > accuracy[front[-1]]:
            front.append(place)
    return front
