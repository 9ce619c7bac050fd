"""The measured claims as text for a terminal, as Markdown for the docs and as JSON."""

import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rich.text import Text

from stridednet.conv2d.measured import MeasuredClaim, MeasuredSweep, Measurement, read_measured
from stridednet.pages import forest
from stridednet.pages.sentences import disagreement, sentence

_COLORS = {"holds": "green", "holds in part": "yellow", "does not hold": "red", "undecided": "yellow", "": ""}
_NOTE = (
    "Differences are in percentage points of accuracy relative to the base. Every training picture is measured by "
    "networks that did not see it, and paired with itself. Intervals are simultaneous 95% confidence intervals for all "
    "differences of a sweep. Higher or lower means that the interval excludes 0; the same, that the difference is "
    "certainly less than one point (two one-sided tests); undecided, that it can be either. A claim of the same "
    "accuracy holds if the difference is certainly less than one point, and of not lower accuracy if a loss of more "
    "than one point is ruled out."
)

Wrap = Callable[[str, int, str], Iterator[Text]]


def page(width: int, wrap: Wrap) -> Iterator[Text]:
    """Yield the lines of all claims: the chart, and each claim with its sentence and its numbers.

    Args:
        width: Width of the page, in characters.
        wrap: Called with a text, a width and an indent; yields the wrapped lines.
    """
    yield from forest.chart(width)
    for claim in read_measured():
        yield Text()
        yield Text.assemble((claim.name, "bold cyan"), f"  {claim.parameter}".rstrip())
        yield from wrap(claim.claim, width, "  ")
        verdicts = ", ".join(f"{verdict} on {data}" for data, verdict in claim.verdicts.items() if verdict)
        if verdicts:
            for line in wrap(f"Claim: {verdicts}.", width, "  "):
                line.highlight_words(set(claim.verdicts.values()), _COLORS[next(iter(claim.verdicts.values()))])
                yield line
        yield from wrap(f"Measured: {sentence(claim)}" if claim.sweeps else sentence(claim), width, "  ")
        yield from _numbers(claim, claim.measurements, width, wrap)
    yield Text()
    yield from wrap(_NOTE, width, "")


def lines(parameter: str, width: int, wrap: Wrap) -> Iterator[Text]:
    """Yield the lines of the measurements of one parameter.

    Args:
        parameter: Name of a `Conv2D` parameter.
        width: Width of the page, in characters.
        wrap: Called with a text, a width and an indent; yields the wrapped lines.
    """
    shown = [(claim, claim.about(parameter)) for claim in read_measured() if claim.about(parameter)]
    for place, (claim, found) in enumerate(shown):
        if place:
            yield Text()
        yield from wrap(claim.claim, width, "  ")
        yield from _numbers(claim, found, width, wrap)
    yield from wrap(_NOTE, width, "  ")


def _numbers(claim: MeasuredClaim, found: Sequence[Measurement], width: int, wrap: Wrap) -> Iterator[Text]:
    if claim.sweeps:
        yield from wrap(f"Base: {_base(claim)}.", width, "  ")
    for row in found:
        yield from wrap(f"`{row.variant}`, {row.data}:", width, "    ")
        time = f", time x {row.time_ratio:.2f}" if row.time_ratio else ""
        claimed = f"; claim ({row.expected}): {row.verdict}" if row.expected else ""
        for line in wrap(f"{row.effect}: {_difference(row)} points{time}{claimed}", width, "      "):
            line.highlight_words([row.verdict] if row.verdict else [], _COLORS[row.verdict])
            yield line
    yield Text(f"  {claim.command}", style="cyan")


def is_measured(parameter: str) -> bool:
    """Return whether any claim concerns a parameter."""
    return any(claim.about(parameter) for claim in read_measured())


def links(parameter: str) -> str:
    """Return Markdown links to the measured claims about a parameter."""
    return ", ".join(f"[{claim.name}](claims.md#{claim.name})" for claim in read_measured() if claim.about(parameter))


def as_json() -> str:
    """Return all claims as JSON, each with ``verdicts`` by data set and the effect of each variant."""
    return json.dumps([_fields(claim) for claim in read_measured()], indent=2)


def _fields(claim: MeasuredClaim) -> dict[str, Any]:
    fields = dataclasses.asdict(claim)
    sweeps = [{key: value for key, value in sweep.items() if key != "measurements"} for sweep in fields.pop("sweeps")]
    return {
        **fields,
        "command": claim.command,
        "measured": sentence(claim),
        "disagreement": disagreement(claim),
        "verdicts": claim.verdicts,
        "effects": [dataclasses.asdict(row) for row in claim.measurements],
        "sweeps": sweeps,
    }


def markdown() -> Iterator[str]:
    """Yield the Markdown lines of ``docs/claims.md`` after its introduction."""
    claims = read_measured()
    data_sets = list(dict.fromkeys(sweep.data for claim in claims for sweep in claim.sweeps))
    yield f"| claim | what was measured |{''.join(f' {data} |' for data in data_sets)}"
    yield f"|---|---|{'---|' * len(data_sets)}"
    for claim in claims:
        cells = [
            f"[{claim.name}](#{claim.name})",
            sentence(claim),
            *(claim.verdicts.get(data, "") for data in data_sets),
        ]
        yield f"| {' | '.join(cells)} |"
    yield ""
    yield _NOTE
    for claim in claims:
        yield from _markdown_section(claim)


def _markdown_section(claim: MeasuredClaim) -> Iterator[str]:
    about = f" (`{claim.parameter}`)" if claim.parameter else ""
    yield from ("", f"## {claim.name}", "", f"*{claim.claim}*{about}", "", _measured(claim), "")
    if against := disagreement(claim):
        yield from (against, "")
    if claim.sweeps:
        yield f"Base: {_base(claim)}."
        yield from map(_effort, claim.sweeps)
        yield ""
    yield from ("```sh", claim.command, "```")
    if not claim.sweeps:
        return
    yield ""
    yield (
        "| variant | data set | accuracy | difference | log loss | training time | prediction | parameters | "
        "multiply-adds | effect | claimed | verdict |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|---|---|"
    for row in claim.measurements:
        cells = (
            f"`{row.variant}`",
            row.data,
            f"{row.accuracy:.3f}",
            _difference(row),
            f"{row.loss_difference:+.3f} ({row.loss_low:+.3f} to {row.loss_high:+.3f})",
            *map(_ratio, (row.time_ratio, row.predict_ratio, row.parameter_ratio, row.multiply_add_ratio)),
            row.effect,
            row.expected,
            row.verdict,
        )
        yield f"| {' | '.join(cells)} |"


def _measured(claim: MeasuredClaim) -> str:
    return f"**Measured.** {sentence(claim)}" if claim.sweeps else sentence(claim)


def _base(claim: MeasuredClaim) -> str:
    accuracies = ", ".join(f"{sweep.base_accuracy:.3f} on {sweep.data}" for sweep in claim.sweeps)
    settings = ", ".join(f"`{setting}`" for setting in claim.base)
    return f"recipe `{claim.recipe}` with {settings}; accuracy {accuracies}"


def _effort(sweep: MeasuredSweep) -> str:
    pictures = max(row.pictures for row in sweep.measurements)
    return (
        f"{sweep.data[0].upper()}{sweep.data[1:]}: {pictures:,} pictures, {sweep.seconds / 60:.0f} minutes of training "
        f"in total, {' and '.join(sweep.machines)}, {sweep.date}."
    )


def _difference(row: Measurement) -> str:
    return f"{100 * row.difference:+.1f} ({100 * row.low:+.1f} to {100 * row.high:+.1f}; {row.trials} trainings)"


def _ratio(ratio: float | None) -> str:
    return "" if ratio is None else f"x {ratio:.2f}"
