"""The files in a sweep's folder: tables as CSV and JSON, a report in Markdown, figures."""

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from stridednet.errors import one_line
from stridednet.machine import device
from stridednet.storage import csv_text, write_text, written_whole
from stridednet.sweeps.claims import Verdict, verdict_lines
from stridednet.sweeps.comparison import Comparison
from stridednet.sweeps.design import SweepDesign
from stridednet.sweeps.effect import effect_text
from stridednet.sweeps.figures import draw_accuracy, draw_costs, draw_curves
from stridednet.sweeps.out_of_fold import Difference
from stridednet.sweeps.trial import Outcome, trial_name


def write_report(
    folder: Path,
    design: SweepDesign,
    outcomes: Sequence[Outcome],
    comparisons: Sequence[Comparison],
    sentences: Sequence[str],
    *,
    verdicts: Mapping[str, Verdict],
    device_kind: str = "cpu",
) -> list[str]:
    """Write ``trials.csv``, ``comparison.csv``, ``comparison.json``, ``report.md`` and the figures.

    Args:
        folder: The sweep's folder.
        design: What was trained, and what its claim expects.
        outcomes: One for each trial.
        comparisons: One for each variant, the base first.
        sentences: One for each variant but the base.
        verdicts: Whether each expectation of the claim holds, by variant name.
        device_kind: What the trials were computed on, ``cpu`` or ``cuda``.

    Returns:
        The problems of figures, which do not stop the others.

    Raises:
        StorageError: A file cannot be written.
    """
    fields = [field.name for field in dataclasses.fields(Outcome) if field.name != "pictures"]
    rows = [[_cell(getattr(outcome, name)) for name in fields] for outcome in outcomes]
    table = [_numbers(comparison) for comparison in comparisons]
    write_text(folder / "trials.csv", csv_text(fields, rows))
    write_text(
        folder / "comparison.csv", csv_text(table[0], [[_cell(value) for value in row.values()] for row in table])
    )
    used = device(device_kind)
    content = {
        "device": used,
        "comparisons": table,
        "sentences": list(sentences),
        "margin": design.margin,
        "claim": design.claim,
        "expect": dict(design.expect),
        "verdicts": dict(verdicts),
    }
    write_text(folder / "comparison.json", json.dumps(content, indent=2) + "\n")
    claim_section = _claim_section(design.claim, verdict_lines(design.expect, verdicts))
    write_text(folder / "report.md", _page(design, outcomes, comparisons, sentences, claim_section, used))
    drawings = {
        "accuracy.png": partial(draw_accuracy, comparisons),
        "costs.png": partial(draw_costs, comparisons),
        "curves.png": partial(draw_curves, outcomes),
    }
    problems = []
    for name, draw in drawings.items():
        try:
            with written_whole(folder / name) as beside:
                draw(beside)
        except Exception as error:  # noqa: BLE001 -- Matplotlib depends on fonts and files outside the package
            problems.append(f"{name} is missing: {one_line(error)}")
    return problems


def table_rows(comparisons: Sequence[Comparison]) -> list[list[str]]:
    """Return the comparison as a table of texts: a header, and a row for each variant."""
    rows = [
        [
            "variant",
            "trials",
            "accuracy",
            "difference in points",
            "effect",
            "log loss",
            "training",
            "time",
            "predict",
            "parameters",
            "multiply-adds",
        ]
    ]
    for comparison in comparisons:
        found = comparison.difference
        failed = f"{len(comparison.failures)} failed" if comparison.failures else ""
        if not comparison.count:  # all failed, or none has finished yet
            rows.append([comparison.variant.name, "0", "", failed, *[""] * 7])
            continue
        loss = comparison.loss_difference
        rows.append(
            [
                comparison.variant.name,
                str(comparison.count),
                f"{comparison.accuracy:.3f}",
                failed or "-" if found is None else _interval(found, 100, 1),
                "-" if found is None else effect_text(comparison.effect, comparison.margin),
                "-" if loss is None else _interval(loss, 1, 3),
                f"{comparison.seconds:.1f} s",
                _times(comparison.time_ratio),
                _times(comparison.predict_ratio),
                f"{comparison.parameters:,}",
                "?" if comparison.multiply_adds is None else f"{comparison.multiply_adds:,}",
            ]
        )
    return rows


def _interval(found: Difference, factor: int, digits: int) -> str:
    """Return a mean, with the bounds of its interval if there is one."""
    mean, low, high = (f"{factor * value:+.{digits}f}" for value in (found.mean, found.low, found.high))
    return mean if math.isnan(found.low) else f"{mean} ({low} to {high})"


def _times(ratio: float | None) -> str:
    return "-" if ratio is None else f"x {ratio:.2f}"


def _numbers(comparison: Comparison) -> dict[str, Any]:
    found, loss = comparison.difference, comparison.loss_difference
    return {
        "variant": comparison.variant.name,
        "trials": comparison.count,
        "accuracy": comparison.accuracy,
        "difference": found.mean if found else None,
        "low": _known(found.low) if found else None,
        "high": _known(found.high) if found else None,
        "standard_error": _known(found.error) if found else None,
        "pairs": found.count if found else 0,
        "pictures": found.pictures if found else 0,
        "effect": comparison.effect if found else None,
        "repetitions_for_margin": comparison.repetitions,
        "loss_difference": loss.mean if loss else None,
        "loss_low": _known(loss.low) if loss else None,
        "loss_high": _known(loss.high) if loss else None,
        "seconds": comparison.seconds,
        "time_ratio": comparison.time_ratio,
        "predict_ratio": comparison.predict_ratio,
        "parameters": comparison.parameters,
        "parameter_ratio": comparison.parameter_ratio,
        "multiply_adds": comparison.multiply_adds,
        "multiply_add_ratio": comparison.multiply_add_ratio,
        "failures": "; ".join(comparison.failures),
    }


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _page(
    design: SweepDesign,
    outcomes: Sequence[Outcome],
    comparisons: Sequence[Comparison],
    sentences: Sequence[str],
    claim_section: list[str],
    used: Mapping[str, str | int],
) -> str:
    header, *rows = table_rows(comparisons)
    lines = ["| " + " | ".join(cells) + " |" for cells in (header, ["---"] * len(header), *rows)]
    first = next((outcome for outcome in outcomes if not outcome.error), None)
    sizes = f"about {first.train_images:,} to train on and {first.val_images:,} to measure on" if first else "none"
    failures = [f"- {trial_name(outcome)}: {outcome.error}" for outcome in outcomes if outcome.error]
    repetitions = len({outcome.repetition for outcome in outcomes})
    parts = [
        f"# Sweep on {Path(design.base.data.dataset).name}, recipe {design.base.name}",
        "\n".join(f"- {sentence}" for sentence in sentences),
        *claim_section,
        "\n".join(lines),
        f"{repetitions} repetition{'s' if repetitions > 1 else ''}: in each, every training picture is measured once, "
        f"by models that did not see it ({sizes}). The test subset was not used. Base and variant are paired by "
        "picture. The intervals cover chance in the pictures and in the training, and have together a confidence level "
        f"of 95% (Bonferroni{', at every possible end' if design.sequential else ''}). Log loss is more sensitive than "
        "accuracy, and not the same: it also counts how certain the probabilities are. Ratios are medians over the "
        "trials; times are compared only between trials on the same number of cores.",
        "![accuracy of each variant](accuracy.png)",
        "![accuracy against cost](costs.png)",
        "![learning curves](curves.png)",
        f"Measured on {used['name']}, {used['cores']} cores.",
    ]
    if failures:
        parts.append("Trials that failed:\n\n" + "\n".join(failures))
    return "\n\n".join(parts) + "\n"


def _claim_section(claim: str, verdicts: list[str]) -> list[str]:
    if not claim and not verdicts:
        return []
    listed = "\n".join(f"- {line}" for line in verdicts)
    return ["## Claim", *(text for text in (claim, listed) if text), "## Measurements"]


def _cell(value: Any) -> str:
    if isinstance(value, tuple):
        return " ".join("-" if number is None else f"{number:.4f}" for number in value)
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
