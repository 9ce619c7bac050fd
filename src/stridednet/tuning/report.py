"""The files in a tuning's folder: ``tune.json``, a report in Markdown, the recipe, figures."""

import json
from functools import partial
from pathlib import Path

from stridednet.errors import one_line
from stridednet.machine import device
from stridednet.storage import write_text, written_whole
from stridednet.sweeps.effect import points
from stridednet.tuning.figures import draw_gain, draw_screening
from stridednet.tuning.result import TuneResult
from stridednet.tuning.screening import Round
from stridednet.tuning.times import duration_text

_JSON = "tune.json"


def write_report(result: TuneResult, budget: float, device_kind: str) -> list[str]:
    """Write all files but the runs; ``tune.json`` last, which marks the tuning as finished.

    Args:
        result: What the tuning found.
        budget: Its budget in seconds.
        device_kind: What it was computed on, ``cpu`` or ``cuda``.

    Returns:
        The problems of figures, which do not stop the others.

    Raises:
        StorageError: A file cannot be written.
    """
    folder, used = result.folder, device(device_kind)
    problems = []
    drawings = {
        "screening.png": partial(draw_screening, result.screened.rounds),
        "gain.png": partial(draw_gain, result),
    }
    for name, draw in drawings.items():
        try:
            with written_whole(folder / name) as beside:
                draw(beside)
        except Exception as error:  # noqa: BLE001 -- Matplotlib depends on fonts and files outside the package
            problems.append(f"{name} is missing: {one_line(error)}")
    write_text(folder / "recipe.toml", result.recipe.to_toml())
    write_text(
        folder / "report.md",
        _page(result, budget, f"{used['name']}, {used['cores']} core{'s' if used['cores'] != 1 else ''}"),
    )
    content = {"budget": budget, "device": used, **result.as_dict()}
    write_text(folder / _JSON, json.dumps(content, indent=2) + "\n")
    return problems


def _page(result: TuneResult, budget: float, machine: str) -> str:
    confirmed, winner = result.confirmed, result.screened.winner
    parts = [
        f"# Tuning on {Path(result.base.data.dataset).name}",
        f"{result.sentence}.",
        "![the gain](gain.png)",
        "## Screening",
        f"The default: {result.base.model.name}, {result.base.image_size}x{result.base.image_size}, recipe "
        f"{result.base.name}. Each change was measured on training pictures that its trainings did not see. Candidates "
        "are ordered by the mean of two ranks, that of accuracy and that of log loss.",
        *(_table(number, one) for number, one in enumerate(result.screened.rounds, start=1)),
        "![the rounds](screening.png)",
    ]
    if result.left_out:
        listed = "\n".join(f"- {name}: {reason}" for name, reason in result.left_out.items())
        parts.append(f"Not tried:\n\n{listed}")
    if confirmed is not None and winner is not None:
        found = confirmed.difference
        low, _ = found.interval(2 * found.level - 1)
        length = "as long as the final one" if confirmed.epochs == confirmed.whole else "as long as the budget allows"
        parts += [
            "## Confirmation",
            f"{winner.name} against the default on {found.pictures:,} other training pictures, with other seeds; "
            f"{found.count} trainings of each, {confirmed.epochs} of {confirmed.whole} epochs long, {length}: "
            f"{points(found.mean, sign=True)} points (interval {points(found.low, sign=True)} to "
            f"{points(found.high, sign=True)}). The lower limit of the one-sided 95% interval is "
            f"{points(low, sign=True)} points; a change is adopted if it is above 0.",
        ]
    names = " and ".join(run.folder.name for run in (result.default_run, result.tuned_run) if run is not None)
    parts += [
        "## Test",
        f"The test subset was used once, at the end, for {names}, trained on all training pictures.",
        f"Budget: {duration_text(budget)}; used: {duration_text(result.seconds)}. Measured on {machine}.",
    ]
    return "\n\n".join(parts) + "\n"


def _table(number: int, one: Round) -> str:
    rows = [
        f"| {score.name} | {score.accuracy:.3f} | {score.loss:.3f} | {score.seconds:.1f} s |" for score in one.scores
    ]
    failed = [f"| {name} | failed: {error} | | |" for name, error in one.failures.items()]
    title = f"Round {number}: {one.epochs} epochs, {one.folds} fold{'s' if one.folds > 1 else ''}"
    header = ["| change | accuracy | log loss | training |", "|---|---|---|---|"]
    return f"{title}\n\n" + "\n".join([*header, *rows, *failed])
