"""Fit the populations of `interval_coverage.py` to real trainings.

    python benchmarks/interval_outcomes.py FOLDER [DATASET] [--labels A,B,...] [--set KEY=VALUE] [--repetitions 3]
        [--halves 4]

Trains the base (recipe `fast`) and a variant out of fold, and on halves of the training set, each half with two seeds.
One file per training in FOLDER; a second run continues, and without DATASET only the fit
 is made. Prints, on the scale of `simulated_sweeps.py`:

- correlations of the latent quantity (tetrachoric, from how often two trainings are both wrong about a picture) of one
  variant in two repetitions, of base and variant in the same, and of base and variant in two;
- the variance between trainings of the difference on the test set, beyond its pictures (two-way analysis of variance);
- the part of it that is of the training set: the variance between halves beyond that between seeds.
"""

import argparse
import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import multivariate_normal, norm

from stridednet.environment import check_keras

FOLDS = 4


def train_all(folder: Path, dataset: str, labels: tuple[str, ...], setting: str, repetitions: int, halves: int) -> None:
    from stridednet.checking.folds import assign_folds
    from stridednet.data.prepare import prepare
    from stridednet.data.split import Split
    from stridednet.executor.backend import Backend
    from stridednet.recipe import load_recipe
    from stridednet.training.fit import fit

    base = load_recipe("fast")[0].replace({"data.dataset": dataset, "data.labels": labels})
    data = prepare(base.data, base.image_size, print, rule=base.resize, source_size=base.source_size)
    rows, truth = data.split.train, data.targets.argmax(axis=1)
    place = {int(row): number for number, row in enumerate(rows)}
    groups = [[place[row] for row in group if row in place] for group in data.grouped]
    plan = [("fold", r, k, r, FOLDS) for r in range(repetitions) for k in range(FOLDS)]
    plan += [("half", q, k, s, 2) for q in range(halves) for k in range(2) for s in range(2)]
    key, value = setting.split("=")
    for (kind, draw, part, seed, count), variant in itertools.product(plan, (False, True)):
        path = folder / f"{kind}-{draw}-{part}-{seed}-{'variant' if variant else 'base'}.npz"
        if path.exists():
            continue
        assigned = assign_folds(truth[rows], [group for group in groups if group], count, draw + 900 * (count == 2))
        held_out = rows[assigned == part]
        recipe = base.replace({"seed": 1000 * seed + 10 * draw + part, **({key: _number(value)} if variant else {})})
        divided = replace(data, split=Split(rows[assigned != part], held_out, data.split.test))
        epochs = int(recipe.sized(len(divided.split.train), len(data.labels)).epochs)
        recipe = recipe.replace({"validation_freq": epochs})
        trainer, _ = fit(recipe, divided, Backend.choose(recipe.precision))
        wrong = [
            trainer.predict(divided.batches(name)).argmax(axis=1) != truth[some]
            for name, some in (("val", held_out), ("test", data.split.test))
        ]
        partial = path.with_suffix(".part")
        with partial.open("wb") as file:
            np.savez(file, rows=np.flatnonzero(assigned == part), held_out=wrong[0], test=wrong[1])
        partial.replace(path)
        print(f"{path.stem}: {wrong[0].mean():.4f} wrong")


def _number(value: str) -> int | float | str:
    return int(value) if value.isdigit() else value


def correlation(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Return the tetrachoric correlation of wrong answers, averaged over pairs of trainings, ``(pairs, pictures)``."""
    limits = norm.ppf([first.mean(), second.mean()])
    both = (first & second).mean()
    return float(brentq(lambda r: multivariate_normal.cdf(limits, cov=[[1, r], [r, 1]]) - both, -0.5, 0.999))


def fit_all(folder: Path) -> None:
    found = {path.stem: dict(np.load(path)) for path in sorted(folder.glob("*.npz"))}
    repetitions = {int(name.split("-")[1]) for name in found if name.startswith("fold")}
    wrong = {}
    for variant in ("base", "variant"):
        answers = []
        for r in sorted(repetitions):
            parts = [found[f"fold-{r}-{k}-{r}-{variant}"] for k in range(FOLDS)]
            order = np.concatenate([part["rows"] for part in parts]).argsort()
            answers.append(np.concatenate([part["held_out"] for part in parts])[order])
        wrong[variant] = np.array(answers)
    base, other = wrong["base"], wrong["variant"]
    left, right = np.array(list(itertools.permutations(range(len(base)), 2))).T
    print(f"{base.shape[1]} pictures, {len(base)} repetitions; wrong: {base.mean():.4f} and {other.mean():.4f}")
    print(
        f"correlations: base {correlation(base[left], base[right]):.3f}, "
        f"variant {correlation(other[left], other[right]):.3f}, same seed {correlation(base, other):.3f}, "
        f"other seed {correlation(base[left], other[right]):.3f}"
    )
    pairs = {
        name: found[name]["test"] * 1.0 - found[name[: -len("base")] + "variant"]["test"]
        for name in found
        if "base" in name
    }
    crossed = np.array([pair for name, pair in pairs.items() if name.startswith("fold")])
    of_training, n = crossed.mean(axis=1), crossed.shape[1]
    rest = crossed - of_training[:, None] - crossed.mean(axis=0) + crossed.mean()
    noise = (rest**2).sum() / (len(crossed) - 1) / (n - 1) / n
    excess = of_training.var(ddof=1) - noise
    slope = norm.pdf(norm.ppf(1 - crossed_accuracy(found)))
    latent = (max(0, excess) / 2) ** 0.5 / slope
    print(f"variance of trainings: {1e4 * excess:.2f} square points; as `training`: {latent:.3f}")
    draws = {int(name.split("-")[1]) for name in found if name.startswith("half")}
    if draws:
        halves = np.array(
            [[[pairs[f"half-{q}-{k}-{s}-base"].mean() for s in (0, 1)] for k in (0, 1)] for q in sorted(draws)]
        )
        seeds = ((halves[..., 0] - halves[..., 1]) ** 2).mean() / 2
        sets = ((halves.mean(axis=2)[:, 0] - halves.mean(axis=2)[:, 1]) ** 2).mean() / 2 - seeds / 2
        print(
            f"halves, {len(draws)} draws: variance of sets {1e4 * sets:.2f}, of seeds {1e4 * seeds:.2f}, "
            f"of which {1e4 * noise:.2f} are of single answers"
        )


def crossed_accuracy(found: dict[str, dict[str, NDArray[np.bool_]]]) -> float:
    return float(np.mean([one["test"].mean() for name, one in found.items() if name.startswith("fold")]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("dataset", nargs="?")
    parser.add_argument("--labels", default="")
    parser.add_argument("--set", default="model.stem_kernel=3", dest="setting")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--halves", type=int, default=4)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    if arguments.dataset:
        check_keras()
        labels = tuple(label for label in arguments.labels.split(",") if label)
        repetitions, halves = arguments.repetitions, arguments.halves
        train_all(arguments.folder, arguments.dataset, labels, arguments.setting, repetitions, halves)
    fit_all(arguments.folder)


if __name__ == "__main__":
    main()
