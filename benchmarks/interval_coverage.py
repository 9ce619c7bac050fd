"""Do the intervals of a sweep keep their promise? Simulated sweeps with a known truth, fitted to real ones.

    python benchmarks/interval_coverage.py [--sweeps 2000] [--looks 600] [--seed 0] [--jobs 1] [--figure FILE.png]

Each simulated sweep draws a data set from a population, and trains a base and eight variants. Three methods are
compared at equal numbers of trainings per variant: out of fold (`stridednet.sweeps.out_of_fold`), seeds with a quarter
held out and the correction of Nadeau and Bengio 2003, and the 5x2cv paired t test of Dietterich 1998 (always ten
trainings, on half of the pictures, as if networks were as good from so few). The truth is the expected difference over
pictures, training sets and seeds. Of 1, 3 and 8 comparisons, numbers are:

- coverage: how often the intervals of all variants of a sweep contain the truth;
- false: how often, if there is no effect, any variant of a sweep gets one;
- half width, in points, and how often a variant without effect is certainly the same within one point.

Power is for one comparison, from an eighth of the sweeps. The second table is of sweeps with three variants that stop:
each variant at the first planned look (`stridednet.sweeps.sequential`) that gives a verdict.
"""

import argparse
import dataclasses
import functools
import math
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from simulated_sweeps import Setting, parts, simulate
from stridednet.sweeps.out_of_fold import LEVEL, Difference, PairedFold, out_of_fold_difference
from stridednet.sweeps.sequential import LOOKS, MARGIN, judge, level_of_look

FOLDS = 4
VARIANTS = 8
COMPARISONS = (1, 3, 8)
BUDGETS = (8, 12, 20)
EFFECTS = (0.0, 0.01, 0.02)
STOPPING = 3  # variants of a sweep that stops

# Fitted by interval_outcomes.py: the recipe fast with model.stem_kernel=3 (little effect), and with model.kernel_size=1
# (another network), on the training sets of the tutorial's four classes and of ten classes of clothing. The floor has
# the ten classes' numbers, the ceiling those of the four. `of_set`, which training on halves shows roughly only, is a
# mean; "more luck" has twice as much.
SETTINGS = (
    Setting("four classes", 1674, 0.965, common=0.78, own=0.015, shared=0.006, training=0.04, of_set=0.15),
    Setting("four classes, other network", 1674, 0.900, common=0.49, own=0.29, shared=0.03, training=0.07, of_set=0.15),
    Setting("ten classes", 3068, 0.620, common=0.83, own=0.01, shared=0.02, training=0.035, of_set=0.15),
    Setting("ten classes, other network", 3068, 0.550, common=0.73, own=0.09, shared=0.01, training=0.077, of_set=0.15),
    Setting("ten classes, more luck", 3068, 0.620, common=0.83, own=0.01, shared=0.02, training=0.035, of_set=0.3),
    Setting("floor", 1674, 0.400, common=0.83, own=0.01, shared=0.02, training=0.035, of_set=0.15),
    Setting("ceiling", 1674, 0.998, common=0.78, own=0.015, shared=0.006, training=0.04, of_set=0.15),
)


@dataclass
class Tally:
    """The intervals of all sweeps with one method, for each number of comparisons and variant."""

    truth: float
    low: list[NDArray[np.float64]] = dataclasses.field(default_factory=list)  # each (comparisons, variants)
    high: list[NDArray[np.float64]] = dataclasses.field(default_factory=list)
    same: list[NDArray[np.bool_]] = dataclasses.field(default_factory=list)

    def add(self, mean: NDArray[np.float64], wide: NDArray[np.float64], narrow: NDArray[np.float64]) -> None:
        """Add a sweep: means, ``(variants,)``, and half widths of both intervals, ``(comparisons, variants)``."""
        self.low.append(mean - wide)
        self.high.append(mean + wide)
        self.same.append(np.abs(mean) + narrow < MARGIN)

    def coverage(self) -> list[float]:
        missed = (np.array(self.low) > self.truth) | (np.array(self.high) < self.truth)
        return [1 - _any_of(missed[:, index], size) for index, size in enumerate(COMPARISONS)]

    def reported(self) -> list[float]:
        excluded = (np.array(self.low) > 0) | (np.array(self.high) < 0)
        return [_any_of(excluded[:, index], size) for index, size in enumerate(COMPARISONS)]

    def half_widths(self) -> list[float]:
        return list((np.array(self.high) - np.array(self.low)).mean(axis=(0, 2)) / 2)

    def sameness(self) -> list[float]:
        return list(np.array(self.same).mean(axis=(0, 2)))

    def power(self) -> float:
        return float((np.array(self.low)[:, 0] > 0).mean())


def _any_of(values: NDArray[np.bool_], size: int) -> float:
    """Return how often any of ``size`` variants that are compared together is true; values are (sweeps, variants)."""
    count = values.shape[1] // size
    return float(values[:, : count * size].reshape(len(values), count, size).any(axis=2).mean())


def add_out_of_fold(tally: Tally, found: Sequence[Difference]) -> None:
    wide, narrow = (
        np.array([[_half(one, comparisons, level) for one in found] for comparisons in COMPARISONS])
        for level in (LEVEL, 2 * LEVEL - 1)
    )
    tally.add(np.array([one.mean for one in found]), wide, narrow)


def _half(found: Difference, comparisons: int, level: float) -> float:
    low, high = dataclasses.replace(found, comparisons=comparisons).interval(level)
    return (high - low) / 2


def add_t(tally: Tally, mean: NDArray[np.float64], error: NDArray[np.float64], freedom: int) -> None:
    wide, narrow = (
        np.multiply.outer([student.ppf(1 - (1 - level) / size / 2, freedom) for size in COMPARISONS], error)
        for level in (LEVEL, 2 * LEVEL - 1)
    )
    tally.add(mean, wide, narrow)


def fixed(setting: Setting, effect: float, sweeps: int, *, seed: int) -> dict[str, Tally]:
    """Return the tallies of all methods on sweeps of a fixed design; log loss only without effect."""
    rng = np.random.default_rng(seed)
    n, effects = setting.pictures, [effect] * VARIANTS
    tallies: dict[str, Tally] = {}

    def tally(name: str) -> Tally:
        return tallies.setdefault(name, Tally(effect))

    for _ in range(sweeps):
        held_out = [rows for _ in range(max(BUDGETS) // FOLDS) for rows in parts(n, FOLDS, rng)]
        found = list(simulate(setting, effects, held_out, rng))
        for budget in BUDGETS:
            add_out_of_fold(tally(f"out of fold, {budget}"), differences(held_out[:budget], found))
        if not effect and setting in SETTINGS[:4]:
            losses = list(simulate(setting, effects, held_out[:8], rng, losses=True))
            add_out_of_fold(tally("its log loss, 8"), differences(held_out[:8], losses))
        held_out = [parts(n, FOLDS, rng)[0] for _ in range(max(BUDGETS))]
        means = np.array([one.mean(axis=1) for one in simulate(setting, effects, held_out, rng)])
        for budget in (5, *BUDGETS):
            error = means[:budget].std(axis=0, ddof=1) * math.sqrt(1 / budget + 1 / (FOLDS - 1))
            add_t(tally(f"seeds, {budget}"), means[:budget].mean(axis=0), error, budget - 1)
        held_out = [rows for _ in range(5) for rows in parts(n, 2, rng)]
        halves = np.array([one.mean(axis=1) for one in simulate(setting, effects, held_out, rng)]).reshape(5, 2, -1)
        add_t(tally("5x2cv, 10"), halves[0, 0], np.sqrt(halves.var(axis=1, ddof=1).mean(axis=0)), 5)
    return tallies


def differences(held_out: Sequence[NDArray[np.intp]], found: Sequence[NDArray[np.float64]]) -> list[Difference]:
    """Return the difference of each variant from the folds that are there."""
    return [
        out_of_fold_difference([PairedFold(j // FOLDS, rows, found[j][v]) for j, rows in enumerate(held_out)])
        for v in range(len(found[0]))
    ]


def stopping(setting: Setting, effect: float, sweeps: int, *, seed: int) -> dict[str, NDArray[np.float64]]:
    """Return, for each way to choose the level of looks, sweeps that stop: ``(sweeps, variants, 4)``.

    The four numbers are whether an interval of any look misses the truth, whether the verdict is wrong, whether there
    is one, and after how many trainings.
    """
    rng = np.random.default_rng(seed)
    levels = {
        "no correction": LEVEL,
        "group sequential": level_of_look(STOPPING),
        "Bonferroni": 1 - (1 - LEVEL) / len(LOOKS),
    }
    wrong = {"higher"} if effect <= 0 else {"lower"}
    wrong |= {"lower"} if effect == 0 else {"same"}
    result = {name: np.zeros((sweeps, STOPPING, 4)) for name in levels}
    for sweep in range(sweeps):
        held_out = [rows for _ in range(LOOKS[-1]) for rows in parts(setting.pictures, FOLDS, rng)]
        found = list(simulate(setting, [effect] * STOPPING, held_out, rng))
        looks = [differences(held_out[: FOLDS * look], found) for look in LOOKS]
        for (name, level), variant in ((item, v) for item in levels.items() for v in range(STOPPING)):
            row = result[name][sweep, variant]
            row[3] = FOLDS * LOOKS[-1]
            for look, all_found in zip(LOOKS, looks, strict=True):
                seen = dataclasses.replace(all_found[variant], comparisons=STOPPING, level=level)
                low, high = seen.interval(level)
                seen = dataclasses.replace(seen, low=low, high=high)
                row[0] = max(row[0], not low <= effect <= high)
                verdict = judge(seen)
                if verdict != "undecided" and not row[2]:
                    row[1:] = verdict in wrong, 1, FOLDS * look
    return result


def show_fixed(setting: Setting, found: Sequence[dict[str, Tally]]) -> None:
    print(f"\n{setting}")
    print(
        f"{'method, trainings':20}{'coverage of 1, 3, 8':>21}{'false':>21}{'half width':>18}{'same':>21}"
        f"   {'power for 1, 2 points, and coverage there':>20}"
    )
    for method, none in found[0].items():
        columns = [" ".join(f"{value:6.1%}" for value in values) for values in (none.coverage(), none.reported())]
        columns += [" ".join(f"{100 * value:5.2f}" for value in none.half_widths())]
        columns += [" ".join(f"{value:6.1%}" for value in none.sameness())]
        others = [other[method] for other in found[1:] if method in other]
        columns += [
            f"{other.power():6.1%} ({', '.join(f'{value:.1%}' for value in other.coverage())})" for other in others
        ]
        print(f"{method:20}{' |'.join(columns)}", flush=True)


def show_stopping(setting: Setting, effect: float, found: dict[str, NDArray[np.float64]]) -> None:
    for name, sweeps in found.items():
        covered, wrong = (1 - sweeps[..., 0].max(axis=1)).mean(), sweeps[..., 1].max(axis=1).mean()
        decided, trainings = sweeps[..., 2].mean(), sweeps[..., 3].mean()
        print(
            f"{setting.name:28}{100 * effect:3.0f} points  {name:18} coverage at all looks {covered:6.1%}  "
            f"wrong {wrong:5.1%}  decided {decided:6.1%}  trainings {trainings:4.1f}",
            flush=True,
        )


def draw(found: dict[str, dict[str, Tally]], path: Path) -> None:
    """Draw coverage in all settings, and half widths on the four classes, for three comparisons."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    colors = {"out of fold": "#1f6feb", "seeds": "#8c959f", "5x2cv": "#bc4c00"}
    index = COMPARISONS.index(3)
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.4), layout="constrained")
    shown = [name for name in next(iter(found.values())) if "log" not in name]
    for row, method in enumerate(reversed(shown)):
        values = [100 * tallies[method].coverage()[index] for tallies in found.values()]
        left.plot(values, [row] * len(values), "o", color=colors[method.split(",")[0]], alpha=0.7)
    left.set_yticks(range(len(shown)), [f"{name} trainings" for name in reversed(shown)])
    left.axvline(100 * LEVEL, color="black", linewidth=0.8, linestyle="--")
    left.set(xlabel=f"sweeps in which all three intervals are right, %\n({len(found)} settings)", xlim=(80, 100.5))
    tallies = found[SETTINGS[0].name]
    for kind, color in colors.items():
        points = [(int(name.split(", ")[1]), tally) for name, tally in tallies.items() if name.startswith(kind)]
        widths = [100 * tally.half_widths()[index] for _, tally in points]
        right.plot([count for count, _ in points], widths, "o-", color=color, label=kind)
    right.axhline(1, color="black", linewidth=0.8, linestyle="--")
    right.set(xlabel="trainings per variant", ylabel="half the interval's width, points", ylim=(0, None))
    right.set_title("four classes, three comparisons", fontsize="medium")
    right.legend(frameon=False)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sweeps", type=int, default=2000, help="of a fixed design, for each setting and effect")
    parser.add_argument("--looks", type=int, default=600, help="sweeps that stop, for each setting and effect")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--figure", type=Path)
    arguments = parser.parse_args()
    started = time.perf_counter()
    cells = [(setting, effect) for setting in SETTINGS for effect in EFFECTS if setting.accuracy + effect < 1]
    stopped = [(setting, effect) for setting, effect in cells if setting in (SETTINGS[0], SETTINGS[2])]
    with ProcessPoolExecutor(arguments.jobs) as pool:
        run = functools.partial(pool.submit, fixed, seed=arguments.seed)
        tallies = {cell: run(*cell, arguments.sweeps // (8 if cell[1] else 1)) for cell in cells}
        look = functools.partial(pool.submit, stopping, seed=arguments.seed)
        looked = {cell: look(*cell, arguments.looks) for cell in stopped}
        for setting in SETTINGS:
            show_fixed(
                setting, [tallies[setting, effect].result() for effect in EFFECTS if (setting, effect) in tallies]
            )
        print(f"\nStopping, {STOPPING} variants, looks after {', '.join(map(str, LOOKS))} repetitions")
        for cell, future in looked.items():
            show_stopping(*cell, future.result())
    print(f"\n{arguments.sweeps} sweeps with {VARIANTS} variants each, {time.perf_counter() - started:.0f} s")
    if arguments.figure:
        draw({setting.name: tallies[setting, 0.0].result() for setting in SETTINGS}, arguments.figure)


if __name__ == "__main__":
    main()
