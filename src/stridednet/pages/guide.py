"""The guide as text for a terminal, as Markdown for the docs and as JSON."""

import dataclasses
import json
import re
import textwrap
from collections.abc import Iterator
from typing import Any

from rich.text import Text

from stridednet.conv2d.parameters import GROUPS, PARAMETERS, REQUIRED, Parameter
from stridednet.pages import claims as claims_page
from stridednet.pages import ranking

_COMPARE = (
    "Compare with the same command without the `model` setting, and repeat both with `--seed 1` and `--seed 2`: "
    "a single run is not conclusive."
)


def as_json(chosen: Parameter | None) -> str:
    """Return JSON: an object for the chosen parameter, or a list of all parameters if it is None."""
    ranked = ranking.ranking()
    found = {one.parameter.name: _fields(one, rank) for rank, one in enumerate(ranked, start=1)}
    return json.dumps(found[chosen.name] if chosen else [found[each.name] for each in PARAMETERS], indent=2)


def _fields(ranked: ranking.Ranked, rank: int) -> dict[str, Any]:
    parameter = ranked.parameter
    required = parameter.default is REQUIRED
    fields = dataclasses.asdict(parameter)
    fields["default"] = None if required else parameter.default
    fields["sources"] = [{"title": title, "address": address} for title, address in parameter.sources]
    measured = {"rank": rank, "measured": ranked.text()}
    return {"name": parameter.name, "required": required} | measured | fields


def _sections(parameter: Parameter) -> Iterator[tuple[str, str | tuple[str, ...]]]:
    """Yield headings, each with a paragraph or the items of a list."""
    names = f" Names: {', '.join(f'`{name}`' for name in parameter.names)}." if parameter.names else ""
    yield "What it does", parameter.does
    yield "Allowed values", parameter.allowed + names
    yield "The tutorial's advice", parameter.tutorial
    yield "When to change it", parameter.when
    yield "Cost", parameter.costs
    yield "Pitfalls", parameter.traps


def table(width: int) -> Iterator[Text]:
    """Yield the lines of the table of all parameters, ranked by what was measured.

    Args:
        width: Width of the terminal, in characters.
    """
    yield from ranking.table(width)
    yield from _wrapped(ranking.NOTE, min(width, 80), "")
    yield Text()
    yield Text.assemble("For details of a parameter: ", ("stridednet guide kernel_size", "cyan"))
    yield Text.assemble("All that was measured:      ", ("stridednet guide --claims", "cyan"))


def page(parameter: Parameter, width: int) -> Iterator[Text]:
    """Yield the lines of a parameter's page.

    Commands and addresses are not wrapped, so that they can be copied.

    Args:
        parameter: The parameter.
        width: Width of the page, in characters.
    """
    title, reason = GROUPS[parameter.group]
    yield Text.assemble((parameter.name, "bold cyan"), f"   default: {parameter.default_text}")
    yield from _heading("Measured")
    yield from _wrapped(_measured(parameter), width, "  ")
    yield Text()
    yield Text(f"{title}: {reason}")
    for heading, content in _sections(parameter):
        yield from _heading(heading)
        if isinstance(content, str):
            yield from _wrapped(content, width, "  ")
        else:
            for item in content:
                yield from _wrapped(item, width, "  - ")
    if parameter.measure:
        yield from _heading("Measure its effect")
        yield from (Text(f"  {line}", style="cyan") for line in parameter.measure)
        yield from _wrapped(_COMPARE, width, "  ")
    if claims_page.is_measured(parameter.name):
        yield from _heading("The measurements")
        yield from claims_page.lines(parameter.name, width, _wrapped)
    yield from _heading("References")
    for source, address in parameter.sources:
        yield from _wrapped(source, width, "  ")
        yield Text(f"    {address}", style="dim")


def claims(width: int) -> Iterator[Text]:
    """Yield the lines of all measured claims.

    Args:
        width: Width of the page, in characters.
    """
    yield Text("Measured: the tutorial's claims about Conv2D, and others", style="bold")
    yield Text()
    yield from claims_page.page(width, _wrapped)


def _measured(parameter: Parameter) -> str:
    (ranked,) = ranking.ranking([parameter])
    return ranked.text()


def _heading(text: str) -> Iterator[Text]:
    yield Text()
    yield Text(text, style="bold")


def _wrapped(text: str, width: int, start: str) -> Iterator[Text]:
    """Yield lines of at most ``width`` characters; the first begins with ``start``, the others with as many spaces."""
    # Do not break lines within code between backticks.
    whole = re.sub("`[^`]+`", lambda code: code[0].replace(" ", "\N{NO-BREAK SPACE}"), text)
    lines = textwrap.wrap(
        whole,
        width,
        initial_indent=start,
        subsequent_indent=" " * len(start),
        break_long_words=False,
        break_on_hyphens=False,
    )
    for line in lines:
        styled = Text(line.replace("\N{NO-BREAK SPACE}", " "))
        styled.highlight_regex("`[^`]+`", "cyan")
        yield styled


def markdown(chosen: Parameter | None) -> Iterator[str]:
    """Yield the Markdown lines of the chosen parameter's section, or of ``docs/conv2d.md`` if it is None."""
    if chosen:
        yield from _markdown_section(chosen)
        return
    yield "# The parameters of `Conv2D`"
    yield ""
    yield "<!-- Generated by `stridednet guide --markdown > docs/conv2d.md`; the texts are in"
    yield "src/stridednet/conv2d/parameters.toml. -->"
    yield ""
    yield "Which parameters matter, which values to use, and which to keep at their defaults. `stridednet guide NAME`"
    yield "prints a parameter's section in a terminal."
    yield from ("", "Ranked by what was [measured](claims.md):", "", *ranking.markdown_table(), "", ranking.NOTE)
    for parameter in PARAMETERS:
        yield ""
        yield from _markdown_section(parameter)


def _markdown_default(parameter: Parameter) -> str:
    return "required" if parameter.default is REQUIRED else f"`{parameter.default_text}`"


def _markdown_section(parameter: Parameter) -> Iterator[str]:
    yield f"## {parameter.name}"
    yield ""
    title, reason = GROUPS[parameter.group]
    found = _measured(parameter)
    yield f"**Measured.** {found}" if claims_page.is_measured(parameter.name) else found
    yield ""
    yield f"Default: {_markdown_default(parameter)}. {title}: {reason}."
    for heading, content in _sections(parameter):
        if isinstance(content, str):
            yield from ("", f"**{heading}.** {content}")
        else:
            yield from ("", f"**{heading}.**", "")
            yield from (f"- {item}" for item in content)
    if parameter.measure:
        yield from ("", f"**Measure its effect.** {_COMPARE}", "", "```sh", *parameter.measure, "```")
    if claims := claims_page.links(parameter.name):
        yield from ("", f"**The measurements.** {claims}")
    yield from ("", "**References.**", "")
    yield from (f"- [{source}]({address})" for source, address in parameter.sources)
