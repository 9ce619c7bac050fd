"""The measured claims as text for a terminal and as Markdown for the docs."""

from collections.abc import Callable, Iterator, Sequence

from rich.text import Text

from stridednet.conv2d.measured import MeasuredClaim, Measurement, read_measured

_COLORS = {"holds": "green", "does not hold": "red", "undecided": "yellow", "": ""}
_NOTE = (
    "Differences are in percentage points of val accuracy relative to the base, paired by seed, with simultaneous 95% "
    "confidence intervals for all differences of a sweep. A claim of higher or lower accuracy holds if the interval "
    "lies entirely above or below 0; a claim of the same accuracy holds if it stays within one point, and of not lower "
    "accuracy if it does not extend more than one point below 0. Undecided means too few images or seeds to tell."
)

Wrap = Callable[[str, int, str], Iterator[Text]]


def lines(parameter: str | None, width: int, wrap: Wrap) -> Iterator[Text]:
    """Yield the lines of the measurements of one parameter, or of all claims.

    Args:
        parameter: Name of a `Conv2D` parameter; None for all claims.
        width: Width of the terminal, in characters.
        wrap: Called with a text, a width and an indent; yields the wrapped lines.
    """
    shown = [(claim, claim.measurements if parameter is None else claim.about(parameter)) for claim in read_measured()]
    for place, (claim, found) in enumerate((claim, found) for claim, found in shown if found):
        if place:
            yield Text()
        yield from wrap(claim.claim, width, "  ")
        yield from wrap(f"Base: {_base(claim)}.", width, "  ")
        for row in found:
            yield from wrap(f"`{row.variant}`, {row.data}:", width, "    ")
            claimed = f"; claim ({row.expected}): {row.verdict}" if row.expected else ""
            for line in wrap(f"{_difference(row)} points, time x {row.time_ratio:.2f}{claimed}", width, "      "):
                line.highlight_words([row.verdict] if row.verdict else [], _COLORS[row.verdict])
                yield line
        yield Text(f"  {claim.command}", style="cyan")
    yield from wrap(_NOTE, width, "  ")


def is_measured(parameter: str) -> bool:
    """Return whether any claim concerns a parameter."""
    return any(claim.about(parameter) for claim in read_measured())


def links(parameter: str) -> str:
    """Return Markdown links to the measured claims about a parameter."""
    return ", ".join(f"[{claim.name}](claims.md#{claim.name})" for claim in read_measured() if claim.about(parameter))


def markdown() -> Iterator[str]:
    """Yield the Markdown lines of ``docs/claims.md`` after its introduction."""
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
        yield f"Base: {_base(claim)}. {claim.seconds / 60:.0f} minutes of training in total."
        yield from ("", "```sh", claim.command, "```", "")
        yield "| variant | data set | accuracy | difference | time | parameters | multiply-adds | claimed | verdict |"
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
    """Return a short name of a variant for a narrow cell."""
    text = row.variant
    for prefix in ("own_layers.py:", "model.", "optimizer."):
        text = text.replace(prefix, "")
    return _code(text)
