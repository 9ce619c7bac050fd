"""The measured claims laid out: lines for a terminal, Markdown for the docs."""

from collections.abc import Callable, Iterator, Sequence

from rich.text import Text

from stridednet.conv2d.measured import MeasuredClaim, Measurement, read_measured

_COLOURS = {"holds": "green", "does not hold": "red", "undecided": "yellow", "": ""}
_NOTE = (
    "Differences are in points of val accuracy from the base, paired by seed, with the interval in which all of a "
    "sweep's differences lie with 95%. A claim of higher or lower holds where the interval leaves 0 out on that side; "
    "one of the same where it stays within one point. Undecided: too few pictures to tell."
)

Wrap = Callable[[str, int, str], Iterator[Text]]


def lines(parameter: str | None, width: int, wrap: Wrap) -> Iterator[Text]:
    """Yield what was measured of one parameter, or all of it.

    Args:
        parameter: Of `Conv2D`; None for all claims.
        width: Of the terminal, in characters.
        wrap: Yields the lines of a text, for a width and what stands in front.
    """
    shown = [(claim, claim.measurements if parameter is None else claim.about(parameter)) for claim in read_measured()]
    for place, (claim, found) in enumerate((claim, found) for claim, found in shown if found):
        if place:
            yield Text()
        yield from wrap(claim.claim, width, "  ")
        yield from wrap(f"Base: {_base(claim)}.", width, "  ")
        for row in found:
            yield from wrap(f"`{row.variant}`, {row.data}:", width, "    ")
            claimed = f", claimed {row.expected}: {row.verdict}" if row.expected else ""
            for line in wrap(f"{_difference(row)} points, time x {row.time_ratio:.2f}{claimed}", width, "      "):
                line.highlight_words([row.verdict] if row.verdict else [], _COLOURS[row.verdict])
                yield line
        yield Text(f"  {claim.command}", style="cyan")
    yield from wrap(_NOTE, width, "  ")


def is_measured(parameter: str) -> bool:
    """Say whether any claim has to do with a parameter."""
    return any(claim.about(parameter) for claim in read_measured())


def links(parameter: str) -> str:
    """Return links to what was measured of a parameter on the docs page."""
    return ", ".join(f"[{claim.name}](claims.md#{claim.name})" for claim in read_measured() if claim.about(parameter))


def markdown() -> Iterator[str]:
    """Yield the lines of the docs page, behind its introduction."""
    claims = read_measured()
    yield "| claim | parameter | four classes | ten classes |"
    yield "|---|---|---|---|"
    for claim in claims:
        of_four, of_ten = (_verdicts(claim, data) for data in ("four classes", "ten classes"))
        yield f"| [{claim.name}](#{claim.name}) | {_code(claim.parameter)} | {of_four} | {of_ten} |"
    yield ""
    yield _NOTE
    for claim in claims:
        yield from ("", f"## {claim.name}", "", f"*{claim.claim}*", "")
        yield f"Base: {_base(claim)}. {claim.seconds / 60:.0f} minutes of training in all."
        yield from ("", "```sh", claim.command, "```", "")
        yield "| variant | on | accuracy | difference | time | parameters | multiply-adds | claimed | |"
        yield "|---|---|---|---|---|---|---|---|---|"
        for row in claim.measurements:
            cells = (
                f"`{row.variant}`",
                row.data,
                f"{row.accuracy:.3f}",
                _difference(row),
                f"x {row.time_ratio:.2f}",
                f"x {row.parameter_ratio:.2f}",
                f"x {row.multiply_add_ratio:.2f}",
                row.expected,
                row.verdict,
            )
            yield f"| {' | '.join(cells)} |"


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _base(claim: MeasuredClaim) -> str:
    accuracies = {row.data: f"{row.base_accuracy:.3f} on {row.data}" for row in claim.measurements}
    settings = ", ".join(map(_code, claim.base))
    return f"recipe `{claim.recipe}` with {settings}; accuracy {', '.join(accuracies.values())}"


def _difference(row: Measurement) -> str:
    return f"{100 * row.difference:+.1f} ({100 * row.low:+.1f} to {100 * row.high:+.1f}; {row.seeds} seeds)"


def _verdicts(claim: MeasuredClaim, data: str) -> str:
    rows: Sequence[Measurement] = [row for row in claim.measurements if row.data == data and row.verdict]
    found = dict.fromkeys(row.verdict for row in rows)
    if len(found) == 1:
        return next(iter(found))
    return ", ".join(
        f"{verdict} ({', '.join(_value(row) for row in rows if row.verdict == verdict)})" for verdict in found
    )


def _value(row: Measurement) -> str:
    """Name a variant in a narrow cell: by its values."""
    text = row.variant
    for prefix in ("own_layers.py:", "model.", "optimizer."):
        text = text.replace(prefix, "")
    return _code(text)
