"""Figures of a tuning: what the rounds said of each change, and the promised gain beside the measured one."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from stridednet.sweeps.figures import short_name
from stridednet.tuning.result import TuneResult
from stridednet.tuning.screening import Round

_BASE = "#555555"
_ROUNDS = ("#a6bddb", "#4c78a8", "#08306b")
_UNCERTAIN, _CERTAIN = "#a0a0a0", "#2a7f62"


def draw_screening(rounds: Sequence[Round], path: Path) -> None:
    """Draw each candidate's difference from the default in each round, in points; the last ones to be left on top."""
    names: list[str] = []
    for one in reversed(rounds):
        names += [score.name for score in one.scores if score.name not in names and score.name != "base"]
    figure = Figure(figsize=(8, 1.6 + 0.33 * len(names)), layout="constrained")
    axes = figure.add_subplot()
    axes.axvline(0, color=_BASE, linewidth=1)
    for number, one in enumerate(rounds):
        accuracy = {score.name: score.accuracy for score in one.scores}
        shown = [name for name in names if name in accuracy]
        gains = [100 * (accuracy[name] - accuracy["base"]) for name in shown]
        label = f"round {number + 1}: {one.epochs} epochs, {one.folds} fold{'s' if one.folds > 1 else ''}"
        rows = [names.index(name) for name in shown]
        axes.plot(gains, rows, "o", color=_ROUNDS[number], markersize=5 + 2 * number, label=label, zorder=2 + number)
    axes.set_yticks(range(len(names)), [short_name(name) for name in names])
    axes.invert_yaxis()
    axes.margins(x=0.1, y=0.05)
    axes.grid(alpha=0.3)
    figure.legend(
        title="difference in accuracy from the default, in points (one training for each fold)",
        loc="outside lower center",
        ncols=len(rounds),
        fontsize=8,
        title_fontsize="medium",
        frameon=False,
    )
    figure.savefig(path, format="png", dpi=120)


def draw_gain(result: TuneResult, path: Path) -> None:
    """Draw the gain with its intervals: as it was measured out of fold, as promised, and on test."""
    rows = []
    if result.confirmed is not None:
        found, promise = result.confirmed.difference, result.confirmed.promise
        rows.append(("out of fold", found.mean, found.low, found.high))
        if promise is not None:
            rows.append(("promised", promise.gain, promise.low, promise.high))
    if result.test is not None:
        rows.append(("on test", result.test.difference, *result.test.interval))
    figure = Figure(figsize=(8, 1.4 + 0.45 * max(len(rows), 1)), layout="constrained")
    axes = figure.add_subplot()
    axes.axvline(0, color=_BASE, linewidth=1)
    for place, (_, mean, low, high) in enumerate(rows):
        color = _CERTAIN if low > 0 else _UNCERTAIN
        axes.plot([100 * low, 100 * high], [place, place], color=color, linewidth=3, alpha=0.5)
        axes.plot(100 * mean, place, "o", color=color)
    axes.set_yticks(range(len(rows)), [name for name, *_ in rows])
    axes.invert_yaxis()
    axes.margins(y=0.3)
    axes.grid(axis="x", alpha=0.3)
    figure.supxlabel("gain in accuracy over the default, in points (95% intervals)", fontsize="medium")
    winner = result.screened.winner
    figure.suptitle("no change stayed ahead of the default" if winner is None else short_name(winner.name), fontsize=9)
    figure.savefig(path, format="png", dpi=120)
