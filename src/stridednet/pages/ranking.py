"""The parameters of `Conv2D`, ranked by what was measured."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from rich.text import Text

from stridednet.conv2d.measured import MeasuredClaim, Measurement, importance, read_measured
from stridednet.conv2d.parameters import PARAMETERS, REQUIRED, Parameter
from stridednet.pages.sentences import disagreement, sentence

_NAME_WIDTH = max(len(parameter.name) for parameter in PARAMETERS)
_DEFAULT_WIDTH = max(len(parameter.default_text) for parameter in PARAMETERS)
_WITH_DEFAULTS = 100  # width of a terminal that has room for a column of defaults
_GROUPS = (
    ("Another value changes accuracy", "certain effects, largest first"),
    ("No certain effect on accuracy", "by the effect on training time"),
    ("Not measured", "each can be tried with a sweep"),
)
NOTE = (
    "Accuracy: of the values that were tried, the largest certain effect, in points; or the same within one point, or "
    "undecided. Time: training time of that value, divided by the base's."
)


@dataclass(frozen=True)
class Ranked:
    """A parameter with the measurements that concern it."""

    parameter: Parameter
    claims: tuple[tuple[MeasuredClaim, tuple[Measurement, ...]], ...]

    @property
    def rows(self) -> tuple[Measurement, ...]:
        """All measurements."""
        return tuple(row for _, rows in self.claims for row in rows)

    @cached_property
    def importance(self) -> tuple[int, float, float]:
        """A sort key; its first number is the group."""
        return importance(self.rows)

    @property
    def shown(self) -> Measurement | None:
        """The measurement that the rank follows from; None if there is none."""
        return min(self.rows, key=lambda row: importance((row,)), default=None)

    @property
    def accuracy(self) -> str:
        """The effect on accuracy in a word."""
        shown = self.shown
        if shown is None:
            return ""
        if self.importance[0] == 0:
            return f"{100 * shown.difference:+.1f}"
        return "same" if all(row.effect == "same" for row in self.rows) else "undecided"

    @property
    def time(self) -> str:
        """The effect on training time."""
        shown = self.shown
        return "" if shown is None or not shown.time_ratio else f"x{shown.time_ratio:.2f}"

    def text(self) -> str:
        """Return what was measured, in sentences; and where that disagrees with what a claim says."""
        if not self.rows:
            return "Not measured yet."
        own = [sentence(claim, rows) for claim, rows in self.claims]
        against = [disagreement(claim) for claim, _ in self.claims if claim.parameter == self.parameter.name]
        return " ".join(filter(None, [*own, *against]))


def ranking(
    parameters: Sequence[Parameter] = PARAMETERS, claims: Sequence[MeasuredClaim] | None = None
) -> list[Ranked]:
    """Return parameters, the one that matters most first; those of equal rank in the given order.

    Args:
        parameters: Some parameters.
        claims: What was measured; None for the package's measurements.
    """
    known = read_measured() if claims is None else claims
    found = [
        Ranked(one, tuple((claim, claim.about(one.name)) for claim in known if claim.about(one.name)))
        for one in parameters
    ]
    return sorted(found, key=lambda one: one.importance)


def table(width: int) -> Iterator[Text]:
    """Yield the lines of the ranking, which is 80 columns wide at most, or 100 if there is room for the defaults."""
    every = ranking()
    for group, (title, order) in enumerate(_GROUPS):
        members = [one for one in every if one.importance[0] == group]
        if not members:
            continue
        yield Text.assemble((title, "bold"), f": {order}")
        for one in members:
            yield _line(one, with_default=width >= _WITH_DEFAULTS)
        yield Text()


def _line(one: Ranked, *, with_default: bool) -> Text:
    colors = {"same": "blue", "undecided": "yellow"}
    sign = "green" if one.accuracy.startswith("+") else "red"
    parts: list[str | tuple[str, str]] = [
        (f"{one.parameter.name:{_NAME_WIDTH}}", "cyan"),
        " ",
        (f"{one.accuracy:>9}", colors.get(one.accuracy, sign)),
        f" {one.time:>6}  ",
    ]
    if with_default:
        parts += [(f"{one.parameter.default_text:{_DEFAULT_WIDTH}}", "dim"), "  "]
    return Text.assemble(*parts, one.parameter.in_short)


def markdown_table() -> Iterator[str]:
    """Yield the lines of the ranking in Markdown, with links to the parameters' sections."""
    yield "| | parameter | default | accuracy | training time | summary |"
    yield "|---|---|---|---|---|---|"
    for rank, one in enumerate(ranking(), start=1):
        name, default = one.parameter.name, one.parameter.default
        shown = "required" if default is REQUIRED else f"`{one.parameter.default_text}`"
        accuracy = one.accuracy or "not measured"
        yield f"| {rank} | [`{name}`](#{name}) | {shown} | {accuracy} | {one.time} | {one.parameter.in_short} |"
